"""A model that OpenVINO runs, ready to be timed like one of onnxruntime's.

OpenVINO has no levels of optimisation, and takes 16-bit arithmetic for float32 where a processor
has it, unless it is told not to. Like `bound`, this is handed to other Pythons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnfold.runtime import engine


def compiled(path: str, *, name: str, provider: str, threads: int) -> Any:
    """The model compiled for the processor, for one run at a time.

    Raises:
        engine.EngineRefusedError: OpenVINO is not here, or does not take the model.
    """
    if provider != "cpu":
        raise engine.EngineRefusedError(f"{name}: OpenVINO is measured on the processor alone")
    try:
        import openvino
    except ImportError as error:
        raise engine.EngineRefusedError(f"{name}: this Python has no OpenVINO: {error}") from error
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    try:
        return openvino.Core().compile_model(path, "CPU", settings)
    except RuntimeError as error:
        raise engine.EngineRefusedError(
            f"{name}: OpenVINO refuses it: {engine.said(error)}"
        ) from error


class OpenVinoModel:
    """A request with its inputs in place; calling it is one run."""

    is_bound_anew = False

    def __init__(self, model: Any, feeds: Mapping[str, np.ndarray], *, name: str):
        """Binds, and runs once.

        Raises:
            engine.FailedError: the model does not run on these inputs.
        """
        import openvino

        self._request = model.create_infer_request()
        # A tensor points into its array: both have to live.
        self._arrays = {key: np.asarray(array, order="C") for key, array in feeds.items()}
        with engine.failing_as(name):
            for key, array in self._arrays.items():
                self._request.set_tensor(key, openvino.Tensor(array, shared_memory=True))
            self()

    def __call__(self) -> None:
        """Runs the model once and returns when its outputs are there."""
        self._request.infer()
