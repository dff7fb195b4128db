"""Graphs in onnxruntime without its optimisations: what they are fed, and whether two are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime as ort

from benchmarks.drawn_pairs.graphs import ROWS, Array, Rng

Feed = Mapping[str, Array]

_SETS: Sequence[tuple[float, Mapping[str, int]]] = (
    (1.0, {"N": 3, "H": 18, "W": 17, "L": 7}),
    (1.0, {"N": 1, "H": 33, "W": 20, "L": 1}),
    (1.0, {"N": 5, "H": 12, "W": 12, "L": 12}),
    (100.0, {"N": 2, "H": 7, "W": 9, "L": 8}),
    (1e-4, {"N": 2, "H": 18, "W": 17, "L": 3}),
)
"""A factor for normal numbers, and sizes of the open axes."""

_LEAST = 2e-6  # of an output's scale; where two graphs do the same, all digits are the same


def feeds_of(model: onnx.ModelProto) -> list[Feed]:
    """Five sets of inputs, the same for every graph with the same inputs."""
    return [_feed(model, np.random.default_rng(i), *each) for i, each in enumerate(_SETS)]


def _feed(model: onnx.ModelProto, rng: Rng, factor: float, sizes: Mapping[str, int]) -> Feed:
    found: dict[str, Array] = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [sizes[d.dim_param] if d.dim_param else d.dim_value for d in tensor.shape.dim]
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            found[value.name] = (factor * rng.normal(size=shape)).astype(np.float32)
        else:
            found[value.name] = rng.integers(0, 2 if value.name == "mask" else ROWS, shape)
    return found


def outputs(model: onnx.ModelProto, feeds: Sequence[Feed]) -> list[Array | None]:
    """The first output for each set; None where the runtime refuses model or set."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = ort.InferenceSession(model.SerializeToString(), options)
    except Exception:  # noqa: BLE001  # the runtime's errors have no common base class
        return [None] * len(feeds)
    return [_output(session, feed) for feed in feeds]


def _output(session: ort.InferenceSession, feed: Feed) -> Array | None:
    try:
        found: Array = session.run(None, feed)[0]
    except Exception:  # noqa: BLE001
        return None
    return found


def are_apart(ours: Sequence[Array | None], others: Sequence[Array | None]) -> bool:
    """Whether a set that the first graph takes gives something else in the other one."""
    pairs = zip(ours, others, strict=True)
    return any(a is not None and (b is None or _is_apart(a, b)) for a, b in pairs)


def _is_apart(ours: Array, others: Array) -> bool:
    if ours.shape != others.shape or ours.dtype != others.dtype:
        return True
    a, b = ours.astype(np.float64), others.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return True
    scale = np.sqrt(np.mean(np.square(a[finite]))) if finite.any() else 1.0
    return bool(np.max(np.abs(a[finite] - b[finite]), initial=0.0) > _LEAST * (scale or 1.0))
