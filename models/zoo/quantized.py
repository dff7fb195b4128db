"""A model in int8, as onnxruntime's own tools make it: static, QDQ."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from bnfold.errors import BnfoldError

BATCH = 32


class QuantizeError(BnfoldError):
    """onnxruntime's tools cannot make the model in int8."""


class Calibration(CalibrationDataReader):
    """The same examples, in the same order, for every model of a network."""

    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._feeds = iter([{name: inputs[i : i + BATCH]} for i in range(0, len(inputs), BATCH)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch; None after the last one."""
        return next(self._feeds, None)


def quantize(
    model: Path, out: Path, name: str, calibration: NDArray[np.float32], *, per_channel: bool
) -> None:
    """`out` is the model in int8, prepared as the documentation says.

    Args:
        model: in float32.
        out: the file to write.
        name: of its input.
        calibration: examples that tell the range of each activation.
        per_channel: a weight has a scale for each channel; else one.

    Raises:
        QuantizeError: onnxruntime's tools cannot do it. One kind is known: a ConvTranspose in
            groups with a bias, where per channel they take the scales of one group for the bias
            of all.

    Source: ONNX Runtime, Quantize ONNX models: pre-processing, then static quantization.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        try:
            quantize_static(
                prepared,
                out,
                Calibration(name, calibration),
                quant_format=QuantFormat.QDQ,
                per_channel=per_channel,
            )
        except ValueError as error:
            raise QuantizeError(f"{model.name}: quantize_static failed: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The tools advise on the root logger what has been done here already."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
