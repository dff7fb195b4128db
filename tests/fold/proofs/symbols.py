"""Arrays of symbols, numpy for them, and what an Affine says of itself where it holds symbols.

Rules compute with numpy, which takes arrays of objects: so the rule that folds is the rule that is
proven. Decisions on numbers (is there a shift, is it negative) are taken for what is assumed of the
symbols, and snapping to 1 or 0 what rounding left, which has no meaning here, is left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

from bnfold.fold.numbers import affine as affines
from bnfold.fold.numbers.affine import Affine

Symbols = np.ndarray[Any, np.dtype[np.object_]]


def symbols(name: str, shape: tuple[int, ...], *, least: object = 0, **assumed: bool) -> Symbols:
    """An array of different symbols, each beside a number where that is their least."""
    found = np.empty(shape, dtype=object)
    for place in itertools.product(*(range(n) for n in shape)):
        found[place] = (
            sympy.Symbol("_".join([name, *map(str, place)]), real=True, **assumed) + least
        )
    return found


def constant(value: object, shape: tuple[int, ...]) -> Symbols:
    """One number everywhere, as sympy holds it."""
    found = np.empty(shape, dtype=object)
    found.fill(sympy.sympify(value))
    return found


def affine(
    extents: tuple[int, ...], *, shift: bool = True, name: str = "", **assumed: bool
) -> Affine:
    """`s x + t` with a symbol for each entry; without a shift where none may pass."""
    scale = symbols(f"s{name}", extents, **(assumed or {"nonzero": True}))
    return Affine(scale, symbols(f"t{name}", extents) if shift else constant(0, extents))


def is_symbolic(*arrays: object) -> bool:
    return any(getattr(a, "dtype", None) == np.dtype(object) for a in arrays)


def is_unread(entry: object) -> bool:
    """Whether the entry of an affine is "any": nobody reads what it applies to."""
    return entry is sympy.nan or (isinstance(entry, float) and math.isnan(entry))


class ObjectNumpy:
    """numpy, where new arrays hold objects and functions of numbers know symbols."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def zeros(self, shape: tuple[int, ...], dtype: object = float) -> Any:
        made = np.zeros(shape, dtype)  # type: ignore[call-overload]
        return constant(0, made.shape) if made.dtype.kind == "f" else made

    def ones(self, shape: tuple[int, ...], dtype: object = float) -> Any:
        made = np.ones(shape, dtype)  # type: ignore[call-overload]
        return constant(1, made.shape) if made.dtype.kind == "f" else made

    def full(self, shape: tuple[int, ...], fill: object, **_: object) -> Symbols:
        found = np.empty(shape, dtype=object)
        found.fill(fill)
        return found

    def asarray(self, array: object, **given: object) -> Any:
        return array if is_symbolic(array) else np.asarray(array, **given)  # type: ignore[call-overload]

    def zeros_like(self, array: Symbols) -> Symbols:
        return constant(0, array.shape)

    def ones_like(self, array: Symbols) -> Symbols:
        return constant(1, array.shape)

    def array_equal(self, a: Symbols, b: Symbols, **_: object) -> bool:
        return bool(np.all(np.asarray(a, dtype=object) == b))

    def sqrt(self, array: object) -> Any:
        return _each(sympy.sqrt, array)

    def power(self, array: object, exponent: float) -> Any:
        return _each(lambda x: x ** sympy.nsimplify(exponent, rational=True), array)

    def abs(self, array: object) -> Any:
        return _each(sympy.Abs, array)

    def minimum(self, a: object, b: object) -> Any:
        return _each(sympy.Min, a, b)

    def maximum(self, a: object, b: object) -> Any:
        return _each(sympy.Max, a, b)

    def clip(self, array: object, low: object, high: object) -> Any:
        return self.minimum(self.maximum(array, low), high)

    def isfinite(self, array: object) -> Any:
        return np.vectorize(lambda x: sympy.sympify(x).is_infinite is not True, otypes=[bool])(
            array
        )

    def isnan(self, array: object) -> Any:
        return np.vectorize(is_unread, otypes=[bool])(array)


def _each(function: Callable[..., object], *arrays: object) -> Any:
    return np.vectorize(function, otypes=[object])(*arrays)


def teach_affine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Affine of symbols answers by what is assumed of them."""
    old = {name: getattr(Affine, name) for name in ("has_shift", "has_scale", "is_nonnegative")}

    def asked(name: str, by: Callable[[Affine], bool]) -> property:
        def answer(self: Affine) -> bool:
            if is_symbolic(self.scale, self.shift):
                return by(self)
            return bool(old[name].fget(self))

        return property(answer)

    monkeypatch.setattr(Affine, "has_shift", asked("has_shift", lambda a: _any(a.shift, 0)))
    monkeypatch.setattr(Affine, "has_scale", asked("has_scale", lambda a: _any(a.scale, 1)))
    sign = asked("is_nonnegative", lambda a: all(_is_nonnegative(x) for x in a.scale.reshape(-1)))
    monkeypatch.setattr(Affine, "is_nonnegative", sign)

    def after(self: Affine, first: Affine) -> Affine:
        return Affine(self.scale * first.scale, self.scale * first.shift + self.shift)

    def same(a: Symbols, b: Symbols) -> bool:
        return bool(np.all(np.asarray(a, dtype=object) == b))

    monkeypatch.setattr(Affine, "after", after)
    monkeypatch.setattr(affines, "_same", same)


def _any(array: Symbols, neutral: int) -> bool:
    entries = np.asarray(array, dtype=object).reshape(-1)
    return any(not is_unread(x) and x != neutral for x in entries)


def _is_nonnegative(x: object) -> bool:
    return is_unread(x) or bool(sympy.sympify(x).is_nonnegative)
