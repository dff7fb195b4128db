"""Integers that a graph computes from shapes, an element at a time, as far as the shapes tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

Size = int | str | None
"""A number, the name of a dynamic dimension, or nothing that is known."""

Sizes = list[Size]
_MOST = 16  # elements: a shape has a few, and whatever has more is none


def sizes_of(value: ir.Value | None) -> Sizes | None:
    """The elements of a vector of integers, or of a single one; None where it is not known.

    Shape(x [batch, 3, 16]) is [batch, 3, 16]; from there through what picks elements, joins them,
    or multiplies two numbers that are known.
    """
    if value is None:
        return None
    constant = value.const_value
    if constant is not None:
        is_small = constant.size <= _MOST and constant.dtype == ir.DataType.INT64
        return [int(one) for one in constant.numpy().reshape(-1)] if is_small else None
    node = value.producer()
    if node is None or node.domain or value is not node.outputs[0]:
        return None
    rule = _RULES.get(node.op_type)
    return None if rule is None else rule(node)


def _shape(node: ir.Node) -> Sizes | None:
    data = node.inputs[0]
    if data is None or data.shape is None:
        return None
    sizes: Sizes = [size if isinstance(size, int) else size.value for size in data.shape]
    end = _integer(node, "end", len(sizes))
    return sizes[slice(_integer(node, "start", 0), end)]


def _slice(node: ir.Node) -> Sizes | None:
    sizes, *operands = map(sizes_of, node.inputs)
    starts, ends, axes, steps = (*operands, [0], [1])[:4] if len(operands) < 4 else operands
    axes, steps = axes or [0], steps or [1]
    if sizes is None or axes != [0] or not starts or not ends:
        return None
    numbers = [bound[0] for bound in (starts, ends, steps) if isinstance(bound[0], int)]
    if len(numbers) < 3 or numbers[2] <= 0:
        return None  # backwards, ends are not what Python makes of them
    return sizes[slice(*numbers)]


def _gather(node: ir.Node) -> Sizes | None:
    sizes, places = map(sizes_of, node.inputs)
    if sizes is None or places is None or _integer(node, "axis", 0):
        return None
    known = [place for place in places if isinstance(place, int) and abs(place) < len(sizes)]
    return [sizes[place] for place in known] if len(known) == len(places) else None


def _concat(node: ir.Node) -> Sizes | None:
    parts = [sizes_of(value) for value in node.inputs]
    joined: Sizes = []
    for part in parts:
        if part is None:
            return None
        joined += part
    return joined


def _mul(node: ir.Node) -> Sizes | None:
    """Of one element each, as of a shape's; an unknown factor makes the product unknown."""
    a, b = map(sizes_of, node.inputs)
    if a is None or b is None or len(a) != 1 or len(b) != 1:
        return None
    if isinstance(a[0], int) and isinstance(b[0], int):
        return [a[0] * b[0]]
    return [b[0] if a[0] == 1 else a[0] if b[0] == 1 else None]


def _same(node: ir.Node) -> Sizes | None:
    return sizes_of(node.inputs[0])


def _cast(node: ir.Node) -> Sizes | None:
    return _same(node) if _integer(node, "to", 0) == ir.DataType.INT64 else None


def _integer(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


_RULES: Mapping[str, Callable[[ir.Node], Sizes | None]] = {
    "Shape": _shape,
    "Slice": _slice,
    "Gather": _gather,
    "Concat": _concat,
    "Mul": _mul,
    "Cast": _cast,
    "Identity": _same,
    "Reshape": _same,  # a vector of integers has its elements in one order, whatever its rank
    "Squeeze": _same,
    "Unsqueeze": _same,
}
