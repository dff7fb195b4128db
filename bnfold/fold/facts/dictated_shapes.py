"""Dimensions that the constants of a graph dictate, whatever else is left open.

A Conv with a weight [8, 3, 3, 3] reads 3 channels and four axes, a Gemm two; a batch norm with 8
scales reads and makes 8. Where the extent was a symbol, it stands for that number everywhere.

A body of an If may never run: what it would need of a value from outside is no fact.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from bnfold.fold.facts.node import attribute_of, input_of, is_op, op_of
from bnfold.fold.facts.operator_facts import KEEPS_CHANNELS, KEEPS_RANK, KEEPS_SHAPE
from bnfold.fold.numbers.affine import Dims

Found = dict[ir.Value, Dims]
Told = tuple[ir.Value, int, int | str | None]

_RANKS = {"DepthToSpace": 4, "GRU": 3, "Gemm": 2, "LSTM": 3, "RNN": 3, "SpaceToDepth": 4}
"""Axes of the first input, which no other number of axes will do for."""


def pin(graph: ir.Graph, found: Found, *, is_main: bool) -> None:
    """Adds to `found` what the constants dictate of this graph's values; symbols become numbers."""
    _rank(graph, found)
    symbols: dict[str, int] = {}
    nodes = list(graph)
    # backward first, as weights tell of inputs; then forward, as those tell of what is made of them
    for node in (*reversed(nodes), *nodes):
        for value, axis, extent in _dictated(node, found):
            dims = found[value]
            known = dims[axis]
            if isinstance(known, int) or (not is_main and _is_from_outside(value, graph)):
                continue
            if isinstance(known, str):
                symbols[known] = extent
            found[value] = (*dims[:axis], extent, *dims[axis + 1 :])
    if symbols and is_main:  # in a body a symbol may be bound to another size each time
        for value, dims in found.items():
            if any(d in symbols for d in dims if isinstance(d, str)):
                found[value] = tuple(symbols.get(d, d) if isinstance(d, str) else d for d in dims)


def _is_from_outside(value: ir.Value, graph: ir.Graph) -> bool:
    producer = value.producer()
    return value.graph is not graph if producer is None else producer.graph is not graph


def _rank(graph: ir.Graph, found: Found) -> None:
    """How many axes values have, from who reads them where the network's input does not say."""
    nodes = list(graph)
    for node in reversed(nodes):
        x = node.inputs[0] if node.inputs else None
        if x is None or x in found or _is_from_outside(x, graph):
            continue
        rank = _rank_read(node, found)
        out = found.get(node.outputs[0]) if node.outputs else None
        if rank is not None:
            found[x] = (None,) * rank
        elif out is not None and is_op(node, *KEEPS_SHAPE):
            found[x] = out
        elif out is not None and is_op(node, *KEEPS_RANK):
            found[x] = (None,) * len(out)
    for node in nodes:
        dims = None if not node.outputs or node.outputs[0] in found else _made(node, found)
        if dims is not None:
            found[node.outputs[0]] = dims


def _rank_read(node: ir.Node, found: Found) -> int | None:
    """How many axes the node's first input has wherever the node runs; None if several would do."""
    if is_op(node, *_RANKS):
        return _RANKS[op_of(node)]
    weight = _weight_dims(node, found)
    if weight is not None:
        return len(weight)
    if is_op(node, "AveragePool", "LpPool", "MaxPool"):
        return 2 + len(attribute_of(node, "kernel_shape", ()))
    return len(attribute_of(node, "perm", ())) or None if is_op(node, "Transpose") else None


def _weight_dims(node: ir.Node, found: Found) -> Dims | None:
    weight = input_of(node, 1) if is_op(node, "Conv", "ConvTranspose") else None
    dims = None if weight is None else found.get(weight)
    return None if dims is None or len(dims) < 2 else dims  # of a weight that no Conv takes


def _made(node: ir.Node, found: Found) -> Dims | None:
    """What is known of the first output, by the weight or by the first input."""
    weight = _weight_dims(node, found)
    if weight is not None:
        channels = weight[0]
        if is_op(node, "ConvTranspose"):
            channels = _times(weight[1], attribute_of(node, "group", 1))
        return (None, channels, *(None for _ in weight[2:]))
    if is_op(node, "Gemm"):
        return (None, None)
    x = input_of(node, 0)
    dims = None if x is None else found.get(x)
    if dims is None or not is_op(node, *KEEPS_RANK):
        return None
    if is_op(node, *KEEPS_SHAPE):
        return dims
    return (
        (*dims[:2], *(None for _ in dims[2:]))
        if is_op(node, *KEEPS_CHANNELS)
        else ((None,) * len(dims))
    )


def _dictated(node: ir.Node, found: Found) -> Iterator[tuple[ir.Value, int, int]]:
    """(value, axis, extent) for what the node's constants or its other side say."""
    x = input_of(node, 0)
    if x is None or not node.outputs:
        return
    for value, axis, extent in _told(node, x, node.outputs[0], found):
        if isinstance(extent, int) and len(found.get(value, ())) > axis:
            yield value, axis, extent


def _told(node: ir.Node, x: ir.Value, y: ir.Value, found: Found) -> list[Told]:
    given = input_of(node, 1)
    second = None if given is None else found.get(given)
    group = attribute_of(node, "group", 1)
    if second is not None and len(second) < 2 and not is_op(node, "BatchNormalization"):
        second = None  # no matrix and no kernel: the node runs nowhere
    if is_op(node, "Conv") and second is not None:
        return [(x, 1, _times(second[1], group)), (y, 1, second[0])]
    if is_op(node, "ConvTranspose") and second is not None:
        return [(x, 1, second[0]), (y, 1, _times(second[1], group))]
    if is_op(node, "BatchNormalization") and second is not None and len(second) == 1:
        if attribute_of(node, "spatial", 1) == 0:
            return []  # one scale for each position
        return [(x, 1, second[0]), (y, 1, second[0])]
    # a weight of more axes has a batch of its own: of the rest of x it tells nothing
    if is_op(node, "MatMul") and second is not None:
        return [(x, _last(found.get(x)), second[-2]), (y, _last(found.get(y)), second[-1])]
    if is_op(node, "Gemm") and second is not None:
        depth, width = (1, 0) if attribute_of(node, "transB", 0) == 1 else (0, 1)
        axis = 0 if attribute_of(node, "transA", 0) == 1 else 1
        return [(x, axis, second[depth]), (y, 1, second[width])]
    if is_op(node, *KEEPS_CHANNELS):
        return [(y, 1, _channel(found.get(x))), (x, 1, _channel(found.get(y)))]
    return []


def _last(dims: Dims | None) -> int:
    return max(0, len(dims or ()) - 1)


def _times(extent: int | str | None, group: int) -> int | None:
    return extent * group if isinstance(extent, int) else None


def _channel(dims: Dims | None) -> int | str | None:
    return dims[1] if dims is not None and len(dims) > 1 else None
