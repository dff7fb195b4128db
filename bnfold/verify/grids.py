"""Ties on a grid: numbers that were rounded to a few values meet a threshold exactly.

    q = Greater(x, y)     x == y, where both are on grids or constants

Behind weights that is one number in many millions, and Greater is GreaterOrEqual. What a Round, a
Floor, a DequantizeLinear or a Cast from integers made is on a grid, and so is what is made of it
and constants, one element by another. Every run computes that alike: Floor(10 x) / 10 is 0.3 as
the type has it, and no other number next to it. In float64 it would be another one, on the other
side of a threshold of 0.3, so there the reference takes what the types make of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES, ROUNDS
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim
from bnfold.verify.deciding import ELEMENT_BY_ELEMENT
from bnfold.verify.inference import dtypes_of
from bnfold.verify.sides import Side, Sides, numbers_of

_MAKING = frozenset({"Ceil", "DequantizeLinear", "Floor", "Round", "Sign"})

_KEEPING = ELEMENT_BY_ELEMENT | {"Cast", "CastLike", "LeakyRelu", "Relu", "Where"}

_DECIDING = COMPARES | ROUNDS - {"QuantizeLinear"} | {"ArgMax", "ArgMin", "TopK"}

Dtypes = Mapping[str, ir.DataType]


def grids_met(model: ir.Model) -> Mapping[ir.Value, np.dtype[Any]]:
    """The real numbers on a grid that come to a decision, each with the type it has in a run.

    Sums, differences, products and quotients in float64 that are rounded to it are those of it.
    """
    nodes = list(model.graph)
    if not any(node.op_type in _DECIDING for node in nodes):
        return {}
    known = dtypes_of(model)
    grid, met = on_grid(model, known), set[ir.Value]()
    for node in reversed(nodes):
        if node.op_type in _DECIDING or (is_kept(node) and not met.isdisjoint(node.outputs)):
            met.update(value for value in node.inputs if value in grid)
    types = {value: known.get(value.name or "") for value in met}
    return {v: dtype.numpy() for v, dtype in types.items() if dtype and dtype.is_floating_point()}


def on_grid(model: ir.Model, known: Dtypes) -> frozenset[ir.Value]:
    """The values that nodes of the main graph make of which each number is one of a few."""
    found = {value for value in model.graph.inputs if _is_whole(value, known)}
    for node in model.graph:
        is_made = node.op_type in _MAKING or (
            is_kept(node) and all(map(found.__contains__, _data(node)))
        )
        found.update(v for v in node.outputs if is_made or _is_whole(v, known))
    return frozenset(found)


def is_kept(node: ir.Node) -> bool:
    """Whether a number on a grid stays on one: it has one element from each operand."""
    return node.op_type in _KEEPING and node.domain in DEFAULT_DOMAINS


def _data(node: ir.Node) -> list[ir.Value]:
    """The operands that are no constants; which one a Where takes is no matter."""
    read = node.inputs[node.op_type == "Where" :]
    return [v for v in read if v is not None and not _is_constant(v)]


def _is_constant(value: ir.Value) -> bool:
    node = value.producer()
    if node is None:
        return value.is_initializer() and not value.is_graph_input()
    return node.op_type == "Constant"


def _is_whole(value: ir.Value, known: Dtypes) -> bool:
    dtype = known.get(value.name or "")
    return dtype is not None and (dtype.is_integer() or dtype == ir.DataType.BOOL)


def ties_of(model: ir.Model, nodes: Sequence[ir.Node]) -> Iterator[tuple[str, Sides]]:
    """The results of those comparisons whose operands may tie, with what tells whether they do."""
    known = dtypes_of(model)
    grid = on_grid(model, known)
    for node in nodes:
        name = node.outputs[0].name
        if node.op_type not in COMPARES or len(node.inputs) != 2 or not name:
            continue
        x, y = node.inputs
        if x is None or y is None:
            continue
        told = _tie(x, y, known)
        if told is not None and all(v in grid or numbers_of(v) is not None for v in (x, y)):
            yield name, {f"a tie in {node.op_type} {node.name or name!r}": told}


def _tie(x: ir.Value, y: ir.Value, known: Dtypes) -> Side | None:
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
