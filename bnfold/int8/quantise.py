"""A float model and calibration data in, its int8 form out: QDQ, per channel.

Source: onnxruntime's documentation, Quantize ONNX models: pre-processing (its basic optimisations
and shape inference), then static quantisation in the QDQ format with signed activations and
weights, which it recommends first for CPUs.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bnfold.errors import ModelError
from bnfold.runtime import engine
from bnfold.runtime.sessions import engine_errors

Array = np.ndarray[Any, np.dtype[Any]]
Feeds = Sequence[Mapping[str, Array]]


def quantise(model: Path, feeds: Feeds, target: Path, *, name: str) -> None:
    """The model's int8 form is at `target`; every model is treated alike.

    Raises:
        ModelError: onnxruntime does not take it, or finds nothing in it that int8 has.
    """
    prepared = target.with_name(f"prepared-{target.name}")
    with engine_errors():
        engine.open_session(
            str(model), engine.Setting(level="basic"), name=name, save_as=str(prepared)
        )
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    # The quantiser has no errors of its own: these are what it trips over.
    errors: tuple[type[Exception], ...] = (
        *engine.runtime_errors(),
        KeyError,
        AttributeError,
        TypeError,
    )
    with _quiet():
        try:
            quantize_static(
                str(prepared),
                str(target),
                _Reader(feeds),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
            )
        except errors as error:
            said = engine.said(error)
            raise ModelError(f"{name}: onnxruntime cannot quantise it: {said}") from error
    nodes = onnx.load(target, load_external_data=False).graph.node
    if not any(node.op_type == "QuantizeLinear" for node in nodes):
        raise ModelError(f"{name}: onnxruntime's quantiser leaves it as it is: int8 has none of it")


class _Reader:
    """The calibration data, in the form that the quantiser asks for it."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self.rewind()

    def rewind(self) -> None:
        """From the start again."""
        self._left = iter(self._feeds)

    def get_next(self) -> dict[str, Array] | None:
        """The next set of inputs; None after the last."""
        found = next(self._left, None)
        return None if found is None else dict(found)

    def set_range(self, start_index: int, end_index: int) -> None:
        """The sets from one to another, for the quantiser's own strides."""
        self._left = iter(self._feeds[start_index:end_index])

    def __len__(self) -> int:
        return len(self._feeds)


@contextmanager
def _quiet() -> Iterator[None]:
    """Its advice is about a step that was done already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
