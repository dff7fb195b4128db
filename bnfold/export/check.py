"""Checks an exported graph against its module, on the examples and on random inputs like them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from bnfold.errors import DataError
from bnfold.export.inputs import ExampleInputs
from bnfold.progress import Progress
from bnfold.torch_code.foreign import foreign_code, quiet
from bnfold.torch_code.modes import eval_mode
from bnfold.verify.api import verify
from bnfold.verify.records import Verification
from bnfold.verify.torch_subject import to_array

if TYPE_CHECKING:
    import torch


def check_export(
    model: ir.Model,
    module: torch.nn.Module,
    inputs: ExampleInputs,
    *,
    dynamic_batch: bool,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Verification | None, list[str]]:
    """The graph computes what the module does, up to rounding, or an error says where not.

    It is verified on the example inputs, which the module runs on, and on seeded random ones of
    their kind; with a dynamic batch at those of the sizes 1 and 3 that the examples do not have.

    Returns:
        The verification, or None where none was possible; and sentences about what limits it.

    Raises:
        ModelsDifferError: an output is further from the reference than rounding explains.
    """
    sizes = {len(leaf) for leaf in inputs.leaves() if leaf.ndim}
    batches = [size for size in (1, 3) if {size} != sizes] if dynamic_batch else [None]
    accepted = [inputs, *_accepted(module, _random_inputs(inputs, batches, seed))]
    names = [str(value.name) for value in model.graph.inputs]
    data = [dict(zip(names, map(to_array, example.leaves()), strict=True)) for example in accepted]
    flat = _with_flat_arguments(module, inputs)
    try:
        found = verify(flat, model, data=data, seed=seed, levels=("none",), progress=progress)
    except DataError as error:
        return None, [f"not checked: {error}"]
    if found.verdict == "inconclusive":
        return None, [f"not checked: {found.reason}", *found.notes]
    found.raise_if_different()
    return found, list(found.notes)


def _accepted(module: torch.nn.Module, wanted: Sequence[ExampleInputs]) -> list[ExampleInputs]:
    """Those that the module runs on: random values may be none that it can work on."""
    found = []
    for inputs in wanted:
        with (
            suppress(DataError),
            eval_mode(module),
            quiet(),
            foreign_code("the module", DataError),
        ):
            inputs.run(module)
            found.append(inputs)
    return found


def _with_flat_arguments(module: torch.nn.Module, inputs: ExampleInputs) -> torch.nn.Module:
    """The module with the tensors of its arguments in a row, as its graph takes them."""
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *leaves: torch.Tensor) -> Any:
            filled = inputs.with_leaves(leaves)
            return self.module(*filled.args, **filled.kwargs)

    return Exported()


def _random_inputs(
    inputs: ExampleInputs, batches: Sequence[int | None], seed: int
) -> list[ExampleInputs]:
    """Inputs like these: normal floats, and integers and booleans out of those given."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(leaf: torch.Tensor, batch: int | None) -> torch.Tensor:
        shape = list(leaf.shape)
        if batch is not None and shape:
            shape[0] = batch
        if leaf.is_floating_point():
            return torch.randn(shape, generator=generator).to(leaf.dtype)
        count = int(np.prod(shape))
        places = torch.randint(max(leaf.numel(), 1), (count,), generator=generator)
        if count and leaf.numel():  # the longest of the lengths is that of the sequence
            places[0] = leaf.flatten().int().argmax()
        return leaf.flatten()[places].reshape(shape)

    return [
        inputs.with_leaves([drawn(leaf, batch) for leaf in inputs.leaves()]) for batch in batches
    ]
