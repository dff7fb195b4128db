"""Operators that only move numbers about: run by onnx's reference on the numbers of the places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.fold.proofs.symbols import Symbols

Inputs = Sequence[Symbols | None]
Attributes = Mapping[str, object]
MOVES = frozenset(
    "Transpose Reshape Flatten Squeeze Unsqueeze DepthToSpace SpaceToDepth Slice Gather Split "
    "Concat Pad Expand Tile ReverseSequence Compress GatherElements".split()
)


def moved(op: str, inputs: Inputs, attributes: Attributes, opset: int, count: int) -> list[Symbols]:
    """By onnx's reference on places: which entry of which input stands where; -1 for a constant."""
    if op == "Pad" and np.any(np.asarray(inputs[1]) < 0):
        inputs = _cropped(inputs)
    pool: list[object] = []
    fed: dict[str, np.ndarray] = {}
    names = []
    fill: object = 0
    for i, value in enumerate(inputs):
        name = "" if value is None else f"i{i}"
        names.append(name)
        if value is None:
            continue
        if op == "Compress" and i == 1:
            fed[name] = value.astype(bool)
        elif op == "Pad" and i == 2:
            fill = value.reshape(-1)[0]
            fed[name] = np.array(-1.0)
        elif value.dtype == object:
            places = np.arange(len(pool), len(pool) + value.size, dtype=np.float64)
            fed[name] = places.reshape(value.shape)
            pool.extend(value.reshape(-1))
        else:
            fed[name] = value
    if op == "Pad" and len(inputs) < 3:
        fed["fill"] = np.array(-1.0)
        names = [*names, *[""] * (2 - len(names)), "fill"]
    outputs = [f"o{i}" for i in range(count)]
    node = helper.make_node(op, names, outputs, **attributes)
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in fed.items()
    ]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph([node], "moves", infos, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    holds = np.empty(len(pool) + 1, dtype=object)
    holds[:-1] = pool
    holds[-1] = fill
    return [holds[np.asarray(y).astype(np.int64)] for y in ReferenceEvaluator(model).run(None, fed)]


def _cropped(inputs: Inputs) -> Inputs:
    """A pad below 0 takes entries away."""
    x, pads, *rest = inputs
    assert x is not None and pads is not None
    begins, ends = np.split(np.minimum(pads, 0), 2)
    kept = tuple(slice(-b, n + e) for b, e, n in zip(begins, ends, x.shape, strict=True))
    return [x[kept], np.maximum(pads, 0), *rest]
