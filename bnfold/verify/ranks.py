"""Ranks of inputs that declare none: as the operators behind them read them, else the usual ones.

    Conv (x, W)      [?, W.shape[1] * group, ?, ...]      MatMul (x, W)    [?, K], [?, ?, K], ...
    Gemm (x, W)      [?, K]                               LSTM (x, W)      [?, ?, W.shape[2]]
    Transpose        what it makes, turned back           anything else    2, 4, 3, 1, 5 axes, or 0

What is to be fed is what the original runs on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

import onnx_ir as ir

from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Dim, TensorSpec

Dims = tuple[Dim, ...]

_USUAL: tuple[Dims, ...] = tuple((None,) * rank for rank in (2, 4, 3, 1, 5, 0))

_SAME_SHAPE = frozenset(
    {"Abs", "Add", "BatchNormalization", "Cast", "Clip", "Div", "Exp", "Identity", "LeakyRelu"}
    | {"Log", "Mul", "Neg", "Pow", "Relu", "Sigmoid", "Sqrt", "Sub", "Tanh"}
)
"""What has the shape of its first operand, next to constants."""

_RECURRENT = frozenset({"GRU", "LSTM", "RNN"})

_MOST = 64
"""Ways to give several inputs a rank, at most."""


def possible_ranks(
    specs: Sequence[TensorSpec], models: Sequence[ir.Model]
) -> Iterator[tuple[TensorSpec, ...]]:
    """The inputs with all their ranks known, in each way that may be tried, likely ones first."""
    choices = [
        [spec] if spec.dims is not None else [replace(spec, dims=d) for d in _dims(spec, models)]
        for spec in specs
    ]
    yield from islice(product(*choices), _MOST)


def _dims(spec: TensorSpec, models: Sequence[ir.Model]) -> list[Dims]:
    values = (v for model in models for v in model.graph.inputs if v.name == spec.name)
    read = [dims for value in values for dims in _as_read(value, {value})]
    return list(dict.fromkeys(read or _USUAL))


def _as_read(value: ir.Value, seen: set[ir.Value]) -> list[Dims]:
    """What the nodes that read a value take, as far as they tell by themselves."""
    found: list[Dims] = []
    for node, index in value.uses():
        weight = _shape(node.inputs[1]) if len(node.inputs) > 1 else ()
        if node.domain not in DEFAULT_DOMAINS or index != 0:
            continue
        if node.op_type in ("Conv", "ConvTranspose") and len(weight) > 2:
            group = node.attributes.get_int("group", 1)
            channels = weight[1] * group if node.op_type == "Conv" else weight[0]
            found.append((None, channels, *(None,) * (len(weight) - 2)))
        elif node.op_type == "Gemm" and len(weight) == 2:
            k = weight[node.attributes.get_int("transB", 0)]
            found.append((k, None) if node.attributes.get_int("transA", 0) else (None, k))
        elif node.op_type == "MatMul" and len(weight) == 2:
            found += [(*(None,) * axes, weight[0]) for axes in (1, 2, 3)]
        elif node.op_type in _RECURRENT and len(weight) == 3:
            found.append((None, None, weight[2]))
        elif node.op_type in _SAME_SHAPE | {"Transpose"} and node.outputs[0] not in seen:
            seen.add(node.outputs[0])
            behind = _as_read(node.outputs[0], seen)
            found += behind if node.op_type != "Transpose" else _turned_back(node, behind)
    return found


def _turned_back(node: ir.Node, behind: Sequence[Dims]) -> list[Dims]:
    """What a Transpose gets that makes these."""
    order = node.attributes.get_ints("perm", ())
    if not order:
        return [tuple(reversed(dims)) for dims in behind]
    fitting = [dims for dims in behind if len(dims) == len(order)] or [(None,) * len(order)]
    return [tuple(dims[order.index(axis)] for axis in range(len(order))) for dims in fitting]


def _shape(value: ir.Value | None) -> tuple[int, ...]:
    """That of a stored weight; empty for anything else."""
    if value is None or value.const_value is None:
        return ()
    return tuple(value.const_value.shape.numpy())
