"""Which dimensions of the inputs may vary, and example inputs that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bnfold import arguments
from bnfold.errors import DataError, UsageError
from bnfold.export.inputs import ExampleInputs
from bnfold.torch_code.foreign import foreign_code, quiet

if TYPE_CHECKING:
    import torch

Dynamic = Mapping[str, Mapping[int, str]]
AS_THE_EXAMPLES = "--dynamic none (dynamic={} in Python) exports it for the sizes of the examples"

Axes = list[dict[int, str]]  # for each tensor of the inputs, the dynamic dimensions and their names


def dynamic_axes(inputs: ExampleInputs, dynamic: Dynamic | None, name: str) -> Axes:
    """The dimensions that should vary: the first of each input unless the caller says others.

    Raises:
        UsageError: the caller names an input or an axis that is not there.
    """
    leaves = dict(zip(inputs.names, inputs.leaves(), strict=True))
    if dynamic is None:
        return [{0: "batch"} if leaf.ndim else {} for leaf in leaves.values()]
    for key, axes in arguments.by_name("dynamic", dynamic).items():
        if key not in leaves:
            raise UsageError(
                f"{name} has no input {key!r} to make dynamic; its inputs are {', '.join(leaves)}"
            )
        for axis in axes:
            if not 0 <= axis < leaves[key].ndim:
                raise UsageError(f"{name}: input {key} has no dimension {axis} to make dynamic")
    return [dict(dynamic.get(key, {})) for key in leaves]


def with_sizes_of_two(
    module: torch.nn.Module, inputs: ExampleInputs, axes: Axes
) -> ExampleInputs | None:
    """Inputs without a dynamic dimension of size 1, or None if the module does not run on them.

    A dimension of size 1 may be broadcast, so torch would write a graph that holds for 1 alone.
    """
    wider = []
    for leaf, own in zip(inputs.leaves(), axes, strict=True):
        repeats = [2 if axis in own and size == 1 else 1 for axis, size in enumerate(leaf.shape)]
        wider.append(leaf.repeat(repeats) if 2 in repeats else leaf)
    if all(a is b for a, b in zip(wider, inputs.leaves(), strict=True)):
        return inputs
    doubled = inputs.with_leaves(wider)
    return doubled if _runs(module, doubled) else None


def runs_twice_as_wide(module: torch.nn.Module, inputs: ExampleInputs, axes: Axes) -> bool:
    """Whether the module runs on the inputs twice, one behind the other, where the batch varies."""
    leaves = inputs.leaves()
    if not all(0 in own for own, leaf in zip(axes, leaves, strict=True) if leaf.ndim):
        return True
    wider = [leaf.repeat(2, *[1] * (leaf.ndim - 1)) if leaf.ndim else leaf for leaf in leaves]
    return _runs(module, inputs.with_leaves(wider))


def _runs(module: torch.nn.Module, inputs: ExampleInputs) -> bool:
    try:
        with foreign_code("other sizes", DataError), quiet():
            inputs.run(module)
    except DataError:
        return False
    return True
