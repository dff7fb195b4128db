"""Ids outside of 0 to n - 1, for a table of n rows: a graph may take them, and part from another.

    Gather     counts from the end below 0         OneHot    makes zeros of ids from n on
    Clip       before it, any id is one of a row

What both models do alike to the ids cannot part them there, so the nodes on the way are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.inference import dtypes_of, is_integer
from bnfold.verify.scores import constant_of
from bnfold.verify.sides import attributes_of

_SHORT = 16  # numbers of a constant that tell of the ids; longer ones are tables


def go_one_way(a: ir.Model, b: ir.Model, inputs: Collection[str]) -> bool:
    """Whether the ids that are fed to these inputs meet the same nodes in both models."""
    return Counter(_on_the_way(a, inputs)) == Counter(_on_the_way(b, inputs))


def _on_the_way(model: ir.Model, inputs: Collection[str]) -> Iterator[tuple[object, ...]]:
    """What the nodes do that compute with the ids, or find rows by them."""
    known = dtypes_of(model)
    ids = {value for value in model.graph.inputs if value.name in inputs}
    for node in model.graph:
        if ids.isdisjoint(node.inputs):
            continue
        constants = (constant_of(v) for v in node.inputs if v is not None and v not in ids)
        yield node.domain, node.op_type, attributes_of(node), *map(_told, constants)
        ids.update(v for v in node.outputs if is_integer(v, known))


def _told(constant: Array | None) -> object:
    if constant is None:
        return None
    return constant.tobytes() if constant.size <= _SHORT else constant.shape


def outside(
    array: Array, rows: int, rng: np.random.Generator
) -> Iterator[tuple[str, Iterator[Array]]]:
    """Kinds of ids outside of a table of so many rows, in words, and arrays to try of each kind.

    Half of the ids stay as they are. A graph may take a part of a kind, as Abs does of -n to -1.
    """
    below = ((-rows, -1), (1 - rows, -1), (-1, -1))
    beyond = ((rows, 2 * rows), (rows, rows))
    for words, spans in (("below 0", below), ("beyond its table", beyond)):
        yield words, (drawn for span in spans if (drawn := _drawn(array, span, rng)) is not None)


def _drawn(array: Array, span: tuple[int, int], rng: np.random.Generator) -> Array | None:
    """The array with half of its numbers within the span; None where its type has none of these."""
    limits = np.iinfo(array.dtype)
    low, high = max(span[0], int(limits.min)), min(span[1], int(limits.max))
    if low > high:
        return None
    drawn = rng.integers(low, high, array.shape, dtype=np.int64, endpoint=True)
    return np.where(rng.random(array.shape) < 0.5, drawn, array).astype(array.dtype)
