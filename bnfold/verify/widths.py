"""Integers on a way that is narrower in one of the models: ids, hashes and sums.

    int64 -> int32      parts from 2^31 on
    int64 -> float32    parts from 2^24 on, as int32 does

What both models do to the same type of integers cannot part them. So the nodes are looked at of
which only one has so many: what they get has to be as large as that somewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.inference import dtypes_of, is_integer
from bnfold.verify.scores import LAYOUT, constant_of
from bnfold.verify.sides import Side, Sides, attributes_of

Dtypes = Mapping[str, ir.DataType]

_SMALL = frozenset(
    {"ArgMax", "ArgMin", "BitwiseAnd", "Mod", "NonZero", "OneHot", "Shape", "Sign", "Size", "TopK"}
    | {"Unique"}
)
"""What they give does not grow with what they get."""

_LIMITS = {ir.DataType.INT32: (24,), ir.DataType.UINT32: (24,)}
_WIDE_LIMITS = (24, 31)


def widths_of(
    ours: ir.Model, theirs: ir.Model, free: Collection[str]
) -> Iterator[tuple[str, Sides]]:
    """The integers that nodes of our model get of which the other one has fewer.

    `free` are the inputs that may hold any integer.
    """
    known, its_known = dtypes_of(ours), dtypes_of(theirs)
    own = {node: _kind(node, known) for node in _counting(ours, free, known)}
    its = (_kind(node, its_known) for node in _counting(theirs, free, its_known))
    more = Counter(own.values()) - Counter(its)
    for node, kind in own.items():
        if kind not in more:
            continue
        what = f"{node.op_type} {node.name or node.outputs[0].name!r}"
        for value in node.inputs:
            if value is not None and value.name and constant_of(value) is None:
                yield value.name, beyond(what, known.get(value.name))


def casts_of(
    model: ir.Model, free: Collection[str], made: Counter[tuple[str, str]]
) -> Iterator[tuple[str, Sides]]:
    """The same of the Casts of a graph; `made` are those of a module, by types from and to."""
    known = dtypes_of(model)
    casts = [
        (node, known[name], ir.DataType(node.attributes["to"].as_int()))
        for node in _counting(model, free, known)
        if node.op_type == "Cast" and (name := _name(node.inputs[0])) in known
    ]
    kinds = Counter((str(x.numpy()), str(y.numpy())) for _, x, y in casts)
    for node, dtype, to in casts:
        kind = str(dtype.numpy()), str(to.numpy())
        if kinds[kind] > made[kind] and to != ir.DataType.BOOL:
            what = f"{node.op_type} {node.name or node.outputs[0].name!r}"
            yield _name(node.inputs[0]), beyond(what, dtype)


def _name(value: ir.Value | None) -> str:
    return "" if value is None else value.name or ""


def beyond(what: str, dtype: ir.DataType | None) -> Sides:
    """Whether integers of this type are larger than narrower types hold."""
    if dtype is None or not dtype.is_integer() or dtype.bitwidth < 32:
        return {}
    limits = _LIMITS.get(dtype, _WIDE_LIMITS)
    tests: dict[str, Callable[[Array], bool]] = {
        f"of 2^{bits} and more": partial(_is_beyond, bits) for bits in limits
    }
    tests["far from 0 and next to each other"] = _are_together
    return {
        f"integers {words} in {what}": Side(test, wants="large integers")
        for words, test in tests.items()
    }


def _is_beyond(bits: int, x: Array) -> bool:
    return bool(((x > 1 << bits) | (x < -(1 << bits))).any())


def _are_together(x: Array) -> bool:
    """Whether all are beyond what float32 holds, and differ in the last places alone."""
    least, most = int(x.min()), int(x.max())
    return least > 1 << 24 and (most - least) < most >> 14


def _counting(model: ir.Model, free: Collection[str], known: Dtypes) -> Iterator[ir.Node]:
    """The nodes that compute with integers that may be large."""
    large = {v for v in model.graph.inputs if v.name in free}
    for node in model.graph:
        if large.isdisjoint(node.inputs):
            continue
        if node.op_type not in _SMALL:
            large.update(v for v in node.outputs if is_integer(v, known))
        if node.op_type not in LAYOUT - {"Cast"}:
            yield node


def _kind(node: ir.Node, known: Dtypes) -> tuple[object, ...]:
    """What nodes have in common that do the same to the same types."""
    dtypes = tuple(None if v is None else known.get(v.name or "") for v in node.inputs)
    return node.domain, node.op_type, attributes_of(node), dtypes
