"""Extents that the constants of a graph dictate, whatever its declared shapes leave open.

A Conv with a weight [8, 3, 3, 3] reads 3 channels; a batch norm with 8 scales reads and makes 8.
Where the extent was a symbol, the symbol stands for that number everywhere.
"""

from __future__ import annotations

import onnx_ir as ir

from bnfold.fold.numbers.affine import Dims

_KEEPS_SHAPE = frozenset(
    "Abs BatchNormalization Cast Clip Dropout Elu Erf Exp HardSigmoid HardSwish Identity LeakyRelu "
    "Log Mish Neg Relu Selu Sigmoid Softplus Sqrt Tanh".split()
)
_KEEPS_CHANNELS = frozenset(
    "AveragePool GlobalAveragePool GlobalMaxPool InstanceNormalization MaxPool".split()
)


def pin(graph: ir.Graph, found: dict[ir.Value, Dims]) -> None:
    """Adds to `found` what the constants dictate, in this graph; symbols become numbers."""
    symbols: dict[str, int] = {}
    nodes = list(graph)
    for node in (*reversed(nodes), *nodes):
        for value, axis, extent in _dictated(node, found):
            dims = found[value]
            known = dims[axis]
            if isinstance(known, int):
                continue
            if isinstance(known, str):
                symbols[known] = extent
            found[value] = (*dims[:axis], extent, *dims[axis + 1 :])
    if symbols:
        for value, dims in found.items():
            if any(d in symbols for d in dims if isinstance(d, str)):
                found[value] = tuple(symbols.get(d, d) if isinstance(d, str) else d for d in dims)


def _dictated(node: ir.Node, found: dict[ir.Value, Dims]) -> list[tuple[ir.Value, int, int]]:
    """(value, axis, extent) for what the node's constants or its other side say."""
    if not node.inputs or not node.outputs or node.inputs[0] is None:
        return []
    x, y = node.inputs[0], node.outputs[0]
    second = found.get(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
    facts: list[tuple[ir.Value, int, int | str | None]] = []
    group = node.attributes["group"].as_int() if "group" in node.attributes else 1
    if node.op_type == "Conv" and second is not None:
        facts = [(x, 1, _times(second[1], group)), (y, 1, second[0])]
    elif node.op_type == "ConvTranspose" and second is not None:
        facts = [(x, 1, second[0]), (y, 1, _times(second[1], group))]
    elif node.op_type == "BatchNormalization" and second is not None and len(second) == 1:
        facts = [(x, 1, second[0]), (y, 1, second[0])]
    elif node.op_type == "MatMul" and second is not None and len(second) > 1:
        facts = [(x, _last(found.get(x)), second[-2]), (y, _last(found.get(y)), second[-1])]
    elif node.op_type == "Gemm" and second is not None:
        depth, width = (1, 0) if _flag(node, "transB") else (0, 1)
        facts = [(x, 0 if _flag(node, "transA") else 1, second[depth]), (y, 1, second[width])]
    elif node.op_type in _KEEPS_SHAPE | _KEEPS_CHANNELS:
        facts = [(y, 1, _channel(found.get(x))), (x, 1, _channel(found.get(y)))]
    return [
        (value, axis, extent)
        for value, axis, extent in facts
        if isinstance(extent, int) and len(found.get(value, ())) > axis
    ]


def _flag(node: ir.Node, name: str) -> bool:
    return name in node.attributes and node.attributes[name].as_int() == 1


def _last(dims: Dims | None) -> int:
    return max(0, len(dims or ()) - 1)


def _times(extent: int | str | None, group: int) -> int | None:
    return extent * group if isinstance(extent, int) else None


def _channel(dims: Dims | None) -> int | str | None:
    return dims[1] if dims is not None and len(dims) > 1 else None
