"""Integers that a narrower type does not hold: beyond 2^24 those of float32, beyond 2^31 of int32.

An id, a hash or a sum may be that large, and a graph that sends it through another type gives
another one.

    anywhere    within 2^34, or next to landmarks: numbers that the graphs name, and some that are
                one number in a narrower type
    together    all next to one number, whose differences are lost in a narrower type
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.runtime.bounds import COUNTS, SIGNED, Bounds
from bnfold.runtime.signature import Array, TensorSpec, numpy_dtype

_FAR = 1 << 34
_CLOSE = 8
_LANDMARKS = (0, 1 << 25, 1 << 32)
"""2^25 and the next number are one float32; 0 and 2^32 are one int32."""

_NAMED = 16  # landmarks of the graphs, at most
_LIST = 16  # numbers that a constant has, at most, if they are to be landmarks
_USUAL = 1000  # up to here numbers are drawn in other sets


@dataclass(frozen=True)
class LargeIntegers:
    """The inputs that may hold any integer, by name, and numbers to stay near to."""

    names: frozenset[str] = frozenset()
    landmarks: tuple[int, ...] = ()

    def anywhere(
        self, arrays: Mapping[str, Array], rng: np.random.Generator, *, is_signed: bool
    ) -> dict[str, Array]:
        """The arrays, those of these inputs drawn anew."""
        found = dict(arrays)
        for name in sorted(self.names):
            array = arrays[name]
            info = np.iinfo(array.dtype)
            most = _most(array)
            near = [c for c in (*_LANDMARKS, *self.landmarks) if abs(c) < info.max]
            far = rng.integers(-most, most, array.shape, dtype=np.int64)
            close = rng.choice(np.array(near, np.int64), array.shape)
            close = close + rng.integers(-1, 1, array.shape, endpoint=True)
            drawn = np.where(rng.random(array.shape) < 0.5, close, far)
            can_be_negative = is_signed and array.dtype.kind == "i"
            found[name] = (drawn if can_be_negative else np.abs(drawn)).astype(array.dtype)
        return found

    def together(self, arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
        """The same, all of them next to one number."""
        found = dict(arrays)
        for name in sorted(self.names):
            array = arrays[name]
            drawn = _most(array) + rng.integers(0, _CLOSE, array.shape)
            found[name] = drawn.astype(array.dtype)
        return found


def _most(array: Array) -> int:
    return min(int(np.iinfo(array.dtype).max) // 2, _FAR)


def large_integers(
    models: Sequence[ir.Model], specs: Sequence[TensorSpec], wide: Bounds
) -> LargeIntegers:
    """Those of the models; `wide` has what `bounds.wide_bounds` gives."""
    names = frozenset(
        spec.name
        for spec in specs
        if wide.get(spec.name) in (COUNTS, SIGNED) and numpy_dtype(spec.dtype).itemsize >= 4
    )
    named = dict.fromkeys(number for model in models for number in _numbers(model))
    return LargeIntegers(names, tuple(named)[:_NAMED] if names else ())


def _numbers(model: ir.Model) -> Iterator[int]:
    """The whole numbers among short constants that no usual set comes near."""
    stored = [value.const_value for value in model.graph.initializers.values()]
    for node in model.graph:
        if node.op_type == "Constant" and "value" in node.attributes:
            stored.append(node.attributes["value"].as_tensor())
    for tensor in stored:
        if tensor is None or tensor.size > _LIST or tensor.dtype == ir.DataType.STRING:
            continue
        for number in tensor.numpy().reshape(-1).tolist():
            is_number = isinstance(number, int | float) and _USUAL <= abs(number) < 2.0**62
            if is_number and number == int(number):
                yield int(number)
