"""Ties on a grid: numbers that were rounded to a few values meet a threshold exactly.

    q = Greater(x, y)     x == y, where both are on grids or constants

Behind weights that is one number in many millions, and Greater is GreaterOrEqual. What a Round, a
Floor, a DequantizeLinear or a Cast from integers made is on a grid, and so is what is made of it
and constants, one element by another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim
from bnfold.verify.deciding import ELEMENT_BY_ELEMENT
from bnfold.verify.inference import dtypes_of
from bnfold.verify.sides import Side, Sides, numbers_of

_MAKING = frozenset({"Ceil", "DequantizeLinear", "Floor", "Round", "Sign"})

_KEEPING = ELEMENT_BY_ELEMENT | {"Cast", "Clip", "LeakyRelu", "Relu", "Where"}


def ties_of(model: ir.Model, nodes: Sequence[ir.Node]) -> Iterator[tuple[str, Sides]]:
    """The results of those comparisons whose operands may tie, with what tells whether they do."""
    known = dtypes_of(model)
    for node in nodes:
        name = node.outputs[0].name
        if node.op_type not in COMPARES or len(node.inputs) != 2 or not name:
            continue
        x, y = node.inputs
        if x is None or y is None or not (_is_on_grid(x, known) and _is_on_grid(y, known)):
            continue
        told = _tie(x, y, known)
        if told is not None:
            yield name, {f"a tie in {node.op_type} {node.name or name!r}": told}


def _tie(x: ir.Value, y: ir.Value, known: Mapping[str, ir.DataType]) -> Side | None:
    given = [numbers_of(x), numbers_of(y)]
    names = tuple(v.name or "" for v, c in zip((x, y), given, strict=True) if c is None)
    if not names:
        return None
    is_wide = ir.DataType.DOUBLE in {known.get(name) for name in names}
    dtype = np.float64 if is_wide else np.float32

    def apart(*arrays: Array) -> Array:
        rest = iter(arrays)
        u, v = (next(rest) if c is None else c for c in given)
        return np.asarray(-np.abs(u.astype(dtype).astype(float) - v.astype(dtype).astype(float)))

    return Side(
        lambda _, *arrays: bool((apart(*arrays) == 0).any()),
        Aim(names, lambda values: apart(*(values[name] for name in names))),
        beside=names,
    )


def _is_on_grid(value: ir.Value, known: Mapping[str, ir.DataType]) -> bool:
    """Whether each number of it is one of a few, or a constant."""
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        node = current.producer()
        if numbers_of(current) is not None or (node is not None and node.op_type in _MAKING):
            continue
        dtype = known.get(current.name or "")
        if dtype is not None and (dtype.is_integer() or dtype == ir.DataType.BOOL):
            continue
        if node is None or node.op_type not in _KEEPING or node.domain not in ("", "ai.onnx"):
            return False
        for read in node.inputs[node.op_type == "Where" :]:
            if read is not None and read not in seen:
                seen.add(read)
                pending.append(read)
    return True
