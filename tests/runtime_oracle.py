"""onnxruntime as the tests ask it: opened here, past everything of bnfold, unoptimised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

REFUSES = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.NotImplemented,
    state.RuntimeException,
    RuntimeError,
)
"""What onnxruntime raises for a model that it does not take."""


def opened(
    model: onnx.ModelProto, level: str = "ORT_DISABLE_ALL", *, save_as: Path | None = None
) -> ort.InferenceSession:
    """A session on the CPU with one thread; `save_as`: a path for the graph as it is rewritten."""
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if save_as is not None:
        options.optimized_model_filepath = str(save_as)
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def in_onnxruntime(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], level: str = "ORT_DISABLE_ALL"
) -> list[np.ndarray]:
    """The model's outputs, in order."""
    return list(opened(model, level).run(None, dict(feeds)))
