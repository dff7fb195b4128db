"""Dynamic dimensions: readable names for them, and Reshapes that need no arithmetic on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.export.sizes import add_sizes
from bnfold.export.symbolic_sizes import Sizes, sizes_of


def simplify_reshapes(model: ir.Model) -> bool:
    """A Reshape whose output shape is known up to its dynamic dimensions has a constant target.

        x [batch, 3, 16, 16] -> [batch, 768]     target [0, 768]: 0 copies that dimension of x

    One dynamic dimension that is not x's at the same place becomes -1; with two, nothing is done.

    Returns:
        Whether there was one: its output may have a shape now that tells of others.
    """
    is_changed = False
    for node in model.graph.all_nodes():
        if node.op_type != "Reshape" or node.domain or len(node.inputs) != 2:
            continue
        data, target = node.inputs
        if data is None or target is None or target.is_initializer():
            continue
        known = [_shape_of(node.outputs[0]), sizes_of(target)]
        targets = [(wanted, _target(data, wanted)) for wanted in known if wanted is not None]
        wanted, sizes = next((pair for pair in targets if pair[1] is not None), (None, None))
        if wanted is None or sizes is None:
            continue
        is_changed = True
        node.outputs[0].shape = ir.Shape([None if size == -1 else size for size in wanted])
        name = f"{node.outputs[0].name}_shape"
        constant = add_sizes(node, name, sizes)
        node.replace_input_with(1, constant)
        node.attributes.pop("allowzero", None)  # 1 would take a 0 literally
    return is_changed


def _shape_of(output: ir.Value) -> Sizes | None:
    """Its sizes, where they are all numbers or have names."""
    if output.shape is None:
        return None
    sizes: Sizes = [size if isinstance(size, int) else size.value for size in output.shape]
    return None if None in sizes else sizes


def _target(data: ir.Value, wanted: Sizes) -> list[int] | None:
    if 0 in wanted:
        return None
    own = [] if data.shape is None else [getattr(size, "value", size) for size in data.shape]
    sizes = []
    for place, size in enumerate(wanted):
        if isinstance(size, int):
            sizes.append(size)
        else:
            is_copied = size is not None and own[place : place + 1] == [size]
            sizes.append(0 if is_copied else -1)
    return sizes if sizes.count(-1) <= 1 else None


@dataclass(frozen=True)
class FixedDimension:
    """A dimension of an input that should vary, and that the network fixes."""

    input: str
    axis: int

    def __str__(self) -> str:
        return f"dimension {self.axis} of {self.input} is fixed by the network"


def name_dimensions(
    model: ir.Model, wanted: Mapping[str, Mapping[int, str]], sizes: Mapping[str, int]
) -> list[FixedDimension]:
    """The exporter's symbols such as `s77` have the names that the caller wants, in every shape.

    Args:
        model: changed in place.
        wanted: for each graph input, the names of its dynamic dimensions by axis.
        sizes: the symbols that stand for one size only.

    Returns:
        The wanted dimensions that came out fixed.
    """
    names: dict[str, str] = {}
    fixed: list[FixedDimension] = []
    for value in model.graph.inputs:
        for axis, name in wanted.get(str(value.name), {}).items():
            size = None if value.shape is None else value.shape[axis]
            if isinstance(size, ir.SymbolicDim):
                size = sizes.get(str(size.value), size)
            if isinstance(size, int):
                fixed.append(FixedDimension(str(value.name), axis))
            elif size is not None and size.value is not None and size.value not in names:
                names[size.value] = name if name not in names.values() else f"{value.name}_{axis}"
    for value in _values(model):
        if value.shape is not None:
            value.shape = ir.Shape([_renamed(size, names) for size in value.shape])
    return fixed


def _renamed(size: int | ir.SymbolicDim, names: Mapping[str, str]) -> int | str | None:
    if isinstance(size, int) or size.value is None:
        return size if isinstance(size, int) else None
    return re.sub(r"\w+", lambda match: names.get(match[0], match[0]), size.value)


def _values(model: ir.Model) -> Iterator[ir.Value]:
    yield from model.graph.inputs
    for node in model.graph.all_nodes():
        yield from node.outputs
