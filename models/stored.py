"""Networks as they were trained: the committed weights, put into a freshly built module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.registry import recipe_of

if TYPE_CHECKING:
    from torch import nn


def with_stored_weights(name: str) -> nn.Module:
    """The network of that name with its trained weights, in eval mode.

    Raises:
        UsageError: there is none of that name.
    """
    from safetensors.torch import load_file

    recipe = recipe_of(name)
    module = recipe.build_untrained()
    module.load_state_dict(load_file(recipe.weights_path))
    return module.eval()
