"""Extents at which operators over maps part: where a result has the extent 1.

    Resize       half_pixel and pytorch_half_pixel are one but there
    pooling      what is a window elsewhere is all that there is

So it is looked for where only one of the models has an operator with these attributes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.sides import Side, Sides, attributes_of, numbers_of

_OVER_MAPS = frozenset(
    {"AveragePool", "Conv", "ConvTranspose", "GridSample", "LpPool", "MaxPool", "Resize"}
    | {"Upsample"}
)

_SCALES = {"Resize": 2, "Upsample": 1}
"""The operand that has them."""


def small_extents_of(ours: ir.Model, theirs: ir.Model) -> Iterator[tuple[str, Sides]]:
    """The results that nodes make of which the other model has fewer, if sizes are open at all."""
    if not any(_is_open(value) for value in ours.graph.inputs if not value.is_initializer()):
        return
    own, its = ([n for n in m.graph.all_nodes() if n.op_type in _OVER_MAPS] for m in (ours, theirs))
    more = Counter(map(_kind, own)) - Counter(map(_kind, its))
    for node in own:
        name = node.outputs[0].name
        if _kind(node) in more and name and not _only_enlarges(node):
            words = f"a result of extent 1 of {node.op_type} {node.name or name!r}"
            yield name, {words: Side(_is_of_one, wants="other extents")}


def _is_of_one(y: Array) -> bool:
    return 1 in y.shape[2:]


def _is_open(value: ir.Value) -> bool:
    return value.shape is None or any(not isinstance(dim, int) for dim in value.shape[1:])


def _kind(node: ir.Node) -> tuple[object, ...]:
    given = node.inputs[1:] if node.op_type in _SCALES else ()
    constants = [numbers_of(value) for value in given if value is not None]
    told = (None if c is None else c.tobytes() for c in constants)
    return (node.op_type, attributes_of(node), *told)


def _only_enlarges(node: ir.Node) -> bool:
    """Whether it makes nothing smaller: an extent of 1 was one before."""
    place = _SCALES.get(node.op_type, len(node.inputs))
    scales = node.inputs[place] if place < len(node.inputs) else None
    given = None if scales is None else numbers_of(scales)
    return given is not None and given.size > 0 and bool((given >= 1).all())
