"""Networks as they were trained: the committed weights, put into a freshly built module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.recipe import RECIPES

if TYPE_CHECKING:
    from torch import nn


def with_stored_weights(name: str) -> nn.Module:
    """The network of that name with its trained weights, in eval mode."""
    from safetensors.torch import load_file

    recipe = RECIPES[name]
    module = recipe.build_untrained()
    module.load_state_dict(load_file(recipe.weights_path))
    return module.eval()
