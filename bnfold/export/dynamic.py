"""Which dimensions of the inputs may vary, and example inputs that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bnfold.errors import BnfoldError, DataError, UsageError
from bnfold.export.foreign import foreign_code
from bnfold.export.inputs import ExampleInputs

if TYPE_CHECKING:
    import torch

Dynamic = Mapping[str, Mapping[int, str]]
Axes = list[dict[int, str]]  # for each tensor of the inputs, the dynamic dimensions and their names


def parse_dynamic(text: str) -> tuple[str, int, str]:
    """`NAME:0=batch` as the input's name, the axis, and what to call the dimension.

    Raises:
        UsageError: the text is not of this form.
    """
    name, _, rest = text.rpartition(":")
    axis, _, label = rest.partition("=")
    if not name or not axis.strip().isdecimal() or not label.strip().isidentifier():
        raise UsageError(f"--dynamic {text}: give NAME:0=batch")
    return name, int(axis), label.strip()


def dynamic_axes(inputs: ExampleInputs, dynamic: Dynamic | None, name: str) -> Axes:
    """The dimensions that should vary: the first of each input unless the caller says others.

    Raises:
        UsageError: the caller names an input or an axis that is not there.
    """
    leaves = dict(zip(inputs.names, inputs.leaves(), strict=True))
    if dynamic is None:
        return [{0: "batch"} if leaf.ndim else {} for leaf in leaves.values()]
    for key, axes in dynamic.items():
        if key not in leaves:
            raise UsageError(
                f"{name} has no input {key!r} to make dynamic; its inputs are {', '.join(leaves)}"
            )
        for axis in axes:
            if not 0 <= axis < leaves[key].ndim:
                raise UsageError(f"{name}: input {key} has no dimension {axis} to make dynamic")
    return [dict(dynamic.get(key, {})) for key in leaves]


def with_sizes_of_two(
    module: torch.nn.Module, inputs: ExampleInputs, axes: Axes, name: str
) -> ExampleInputs:
    """Inputs without a dynamic dimension of size 1, or as they are if the module refuses those.

    A dimension of size 1 may be broadcast, so torch would write a graph that holds for 1 alone.

    Raises:
        DataError: the module does not take the inputs as they are.
    """
    import torch

    with foreign_code(f"{name} does not run on inputs {inputs.described()}", DataError):
        inputs.run(module)
    wider = []
    for leaf, own in zip(inputs.leaves(), axes, strict=True):
        for axis in own:
            leaf = torch.cat([leaf, leaf], axis) if leaf.shape[axis] == 1 else leaf  # noqa: PLW2901
        wider.append(leaf)
    doubled = inputs.with_leaves(wider)
    try:
        with foreign_code("sizes of two", DataError):
            doubled.run(module)
    except BnfoldError:
        return inputs
    return doubled
