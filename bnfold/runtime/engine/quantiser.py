"""onnxruntime's static quantiser.

Source: onnxruntime's documentation, Quantize ONNX models: static quantisation in the QDQ format
with signed activations and weights, which it recommends first for CPUs.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .errors import EngineRefusedError, runtime_errors, said

FeedSets = Sequence[Mapping[str, Any]]


def quantise_static(model: str, target: str, feeds: FeedSets, *, name: str) -> None:
    """The file at `target` is the model in int8: QDQ, weights per channel, ranges from the feeds.

    Raises:
        EngineRefusedError: the quantiser does not take the model.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    # It has no errors of its own: these are what it trips over.
    errors: tuple[type[Exception], ...] = (
        *runtime_errors(),
        KeyError,
        AttributeError,
        TypeError,
    )
    with _quiet():
        try:
            quantize_static(
                model,
                target,
                _Reader(feeds),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
            )
        except errors as error:
            raise EngineRefusedError(
                f"{name}: onnxruntime cannot quantise it: {said(error)}"
            ) from error


class _Reader:
    """The calibration data, in the form that the quantiser asks for it."""

    def __init__(self, feeds: FeedSets) -> None:
        self._feeds = feeds
        self.rewind()

    def rewind(self) -> None:
        """From the start again."""
        self._left = iter(self._feeds)

    def get_next(self) -> dict[str, Any] | None:
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
