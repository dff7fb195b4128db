"""Tables, and the operators that read rows of them by integers.

    Gather, GatherElements, GatherND           y = t[i]
    OneHot                                     y[.., i] = 1
    ArrayFeatureExtractor                      y = t[.., i]
    GatherBlockQuantized                       y = scale * t[i]
    EmbedLayerNormalization                    three tables: words, positions, segments
    RotaryEmbedding                            two of one length: cosines and sines

Source: ONNX operators, Gather-13; ai.onnx.ml, ArrayFeatureExtractor-1; onnxruntime's contributed
operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.runtime.domains import CONTRIB_DOMAIN, DEFAULT_DOMAINS, ML_DOMAIN


@dataclass(frozen=True)
class Read:
    """A node reads rows of a table.

    Attributes:
        index: the operand that says which rows.
        table: the operand that has them; None of a OneHot, whose table is what follows it.
        rows: how many there are, if that is known.
    """

    index: int
    table: int | None
    rows: int | None


def reads_of(node: ir.Node) -> Iterator[Read]:
    """The tables that the node reads rows of, if any."""
    for index, table, axis in _places(node):
        if index < len(node.inputs) and node.inputs[index] is not None:
            yield Read(index, table, _rows(node, table, axis))


def is_unchecked(node: ir.Node) -> bool:
    """Whether a runtime may read beyond its tables, and does not say so."""
    return node.op_type == "RotaryEmbedding"


def _places(node: ir.Node) -> Iterator[tuple[int, int | None, int]]:
    """Operands of indices and of their tables, and the axis along which rows lie."""
    kind = node.op_type
    if node.domain in DEFAULT_DOMAINS:
        if kind in ("Gather", "GatherElements"):
            yield 1, 0, node.attributes.get_int("axis", 0)
        elif kind == "GatherND":
            yield 1, 0, node.attributes.get_int("batch_dims", 0)
        elif kind == "OneHot":
            yield 0, None, 0
        elif kind == "RotaryEmbedding":
            yield 3, 1, 0
    elif node.domain == ML_DOMAIN and kind == "ArrayFeatureExtractor":
        yield 1, 0, -1
    elif node.domain == CONTRIB_DOMAIN and kind == "GatherBlockQuantized":
        yield 1, 0, node.attributes.get_int("gather_axis", 0)
    elif node.domain == CONTRIB_DOMAIN and kind == "EmbedLayerNormalization":
        yield from ((0, 2, 0), (1, 4, 0), (8, 3, 0))
    elif node.domain == CONTRIB_DOMAIN and kind == "RotaryEmbedding" and not _is_start(node):
        yield 1, 2, 0


def _is_start(node: ir.Node) -> bool:
    """Whether positions are told by the first one alone, from which on rows are read."""
    positions = node.inputs[1]
    return positions is None or positions.shape is None or len(positions.shape) < 2


def _rows(node: ir.Node, table: int | None, axis: int) -> int | None:
    if table is None:
        depth = node.inputs[1].const_value if node.inputs[1] is not None else None
        return None if depth is None else int(depth.numpy().reshape(-1)[0])
    value = node.inputs[table] if table < len(node.inputs) else None
    shape = None if value is None else value.shape
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    extent = shape[axis]
    return extent if isinstance(extent, int) else None
