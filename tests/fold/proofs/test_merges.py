"""Two convolutions as one: for all weights by symbols, and for all strides and pads by z3."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import z3

from bnfold.fold.merge import algebra, transposed
from bnfold.fold.merge.kernel import Axis, Kernel
from bnfold.fold.numbers.exact import of_array
from tests.fold.proofs.equality import assert_same
from tests.fold.proofs.operators import evaluate
from tests.fold.proofs.symbols import Symbols, constant, symbols


def _kernel(name: str, out: int, width: int, group: int, *axes: Axis, bias: bool = True) -> Kernel:
    weight = symbols(f"w{name}", (out, width, *(axis.taps for axis in axes)))
    added = symbols(f"b{name}", (out,)) if bias else constant(0, (out,))
    return Kernel(of_array(weight, ir.DataType.FLOAT), added, group, axes, 1)


def _transposed(name: str, out: int, width: int, group: int, *axes: Axis) -> Kernel:
    """Of `out` channels, each group of which has `width`; without a bias."""
    weight = symbols(f"t{name}", (width * group, out // group, *(axis.taps for axis in axes)))
    return Kernel(of_array(weight, ir.DataType.FLOAT), constant(0, (out,)), group, axes, 1, True)


def _with_bias(kernel: Kernel) -> Kernel:
    return replace(kernel, bias=symbols("bias", (kernel.channels_out,)))


def _run(kernel: Kernel, x: Symbols) -> Symbols:
    node = kernel.as_node(None)
    inputs = [x, kernel.weight.value(), np.asarray(kernel.bias, dtype=object)]
    return evaluate(node.op_type, inputs, dict(node.attributes or {}), 18)[0]


PARALLEL = {
    "3 and 1": (_kernel("a", 2, 2, 1, Axis(3, begin=1, end=1)), _kernel("b", 2, 2, 1, Axis())),
    "groups": (_kernel("a", 4, 2, 2, Axis(2, end=1)), _kernel("b", 4, 1, 4, Axis())),
    "dilated, strided": (
        _kernel("a", 2, 1, 1, Axis(3, 2, 2, 2, 2)),
        _kernel("b", 2, 1, 1, Axis(3, 2, 1, 1, 1)),
    ),
    "two axes": (
        _kernel("a", 1, 2, 1, Axis(2, begin=1), Axis(3, begin=1, end=1)),
        _kernel("b", 1, 2, 1, Axis(), Axis()),
    ),
}
TRANSPOSED_SUMS = {
    "4 and 2": (
        _with_bias(_transposed("a", 2, 1, 1, Axis(4, 2, begin=1, end=1))),
        _with_bias(_transposed("b", 2, 1, 1, Axis(2, 2))),
    ),
    "groups": (_transposed("a", 4, 2, 2, Axis(2)), _transposed("b", 4, 1, 4, Axis(2))),
    "dilated": (
        _transposed("a", 2, 1, 1, Axis(2, 2, 3, 1, 1)),
        _transposed("b", 2, 1, 1, Axis(4, 2, 1, 1, 1)),
    ),
    "output padding": (
        _transposed("a", 1, 2, 1, Axis(3, 2, 1, 1, 0)),
        _transposed("b", 1, 2, 1, Axis(1, 2, 1, 0, -1)),
    ),
    "two axes": (
        _transposed("a", 1, 1, 1, Axis(2, 2), Axis(3, begin=1, end=1)),
        _transposed("b", 1, 1, 1, Axis(2, 2), Axis()),
    ),
    "a Conv": (
        _transposed("a", 2, 2, 1, Axis(3, begin=1, end=1)),
        _kernel("b", 2, 2, 1, Axis(3, begin=1, end=1)),
    ),
}
TRANSPOSED_ROWS = {
    "pointwise, transposed": (
        _kernel("a", 2, 2, 1, Axis(), bias=False),
        _with_bias(_transposed("b", 2, 2, 1, Axis(3, 2, 1, 1, 0))),
    ),
    "transposed, pointwise": (
        _with_bias(_transposed("a", 2, 2, 1, Axis(3, 2, 1, 1, 0))),
        _kernel("b", 3, 2, 1, Axis()),
    ),
    "transposed, 3": (
        _transposed("a", 2, 1, 1, Axis(2, 2)), _kernel("b", 1, 2, 1, Axis(3, begin=1, end=1))
    ),
    "transposed, a crop": (
        _with_bias(_transposed("a", 1, 1, 1, Axis(4, 2))),
        _kernel("b", 1, 1, 1, Axis(begin=-1), bias=False),
    ),
    "twice": (
        _transposed("a", 2, 1, 1, Axis(2, 2)),
        _with_bias(_transposed("b", 1, 2, 1, Axis(2, 3, 2, 1, 0))),
    ),
    "twice, by places": (
        _transposed("a", 1, 1, 1, Axis(2, 2, 1, 1, 0)),
        _transposed("b", 1, 1, 1, Axis(1, 2)),
    ),
    "groups": (
        _transposed("a", 4, 1, 4, Axis(2, 2)), _transposed("b", 4, 2, 2, Axis(2, dilation=2))
    ),
}  # fmt: skip
ROWS = {
    "1 then 3": (_kernel("a", 2, 2, 1, Axis()), _kernel("b", 2, 2, 1, Axis(3))),
    "3 then 1": (_kernel("a", 2, 2, 1, Axis(3, begin=1, end=1)), _kernel("b", 3, 2, 1, Axis())),
    "2 then 2": (_kernel("a", 2, 1, 1, Axis(2)), _kernel("b", 1, 2, 1, Axis(2))),
    "strides, dilations": (
        _kernel("a", 2, 1, 1, Axis(2, 2, 1, 1, 0)),
        _kernel("b", 1, 2, 1, Axis(2, 1, 2)),
    ),
    "groups": (_kernel("a", 4, 1, 2, Axis(2)), _kernel("b", 4, 1, 4, Axis(2))),
    "padded, no bias": (
        _kernel("a", 2, 2, 1, Axis(), bias=False),
        _kernel("b", 2, 2, 1, Axis(3, begin=1, end=1)),
    ),
}


@pytest.mark.parametrize("name", [*PARALLEL, *TRANSPOSED_SUMS])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_sum_of_two_convolutions_is_one(name: str, sign: float) -> None:
    first, second = (PARALLEL | TRANSPOSED_SUMS)[name]
    size = ((3, 2) if first.is_transposed else (5, 4))[: len(first.axes)]
    whole = algebra.added([(first, 1.0), (second, sign)], size)
    assert whole is not None
    x = symbols("x", (1, first.channels_in, *size))
    assert_same(_run(whole, x), _run(first, x) + int(sign) * _run(second, x))


@pytest.mark.parametrize("name", [*ROWS, *TRANSPOSED_ROWS])
def test_a_convolution_of_a_convolution_is_one(name: str) -> None:
    first, second = (ROWS | TRANSPOSED_ROWS)[name]
    whole = algebra.composed(first, second)
    assert whole is not None
    x = symbols("x", (1, first.channels_in, 3 if whole.is_transposed else 7))
    assert_same(_run(whole, x), _run(second, _run(first, x)))


@pytest.mark.parametrize("axis", [Axis(3, begin=1, end=1), Axis(2, dilation=2, begin=1), Axis(3)])
@pytest.mark.parametrize("group", [1, 2])
def test_by_strides_of_1_each_is_the_other(axis: Axis, group: int) -> None:
    kernel = _with_bias(_transposed("a", 4, 2, group, axis))
    other = transposed.turned(kernel)
    assert other is not None and not other.is_transposed
    x = symbols("x", (1, kernel.channels_in, 5))
    assert_same(_run(other, x), _run(kernel, x))
    back = transposed.turned(other)
    assert back is not None and back.axes == kernel.axes
    assert_same(back.weight.value(), kernel.weight.value())


_SAME = _kernel("b", 1, 2, 1, Axis(3, begin=1, end=1))
_UP = _transposed("a", 2, 1, 1, Axis(2, 2))
_THEN_UP = _transposed("b", 1, 2, 1, Axis(2, 2))
NO_ROW = {
    "a crop between": (_transposed("a", 2, 1, 1, Axis(4, 2, begin=1, end=1)), _SAME),
    "a bias that is padded": (_with_bias(_UP), _SAME),
    "a bias that is spread": (_kernel("a", 2, 1, 1, Axis()), _THEN_UP),
    "a border that is lost": (_kernel("a", 2, 1, 1, Axis(3), bias=False), _THEN_UP),
    "a stride behind": (_UP, _kernel("b", 1, 2, 1, Axis(1, 2))),
}


@pytest.mark.parametrize(("first", "second"), NO_ROW.values(), ids=NO_ROW)
def test_what_is_no_transpose_of_one_convolution(first: Kernel, second: Kernel) -> None:
    assert algebra.composed(first, second) is None


class Whole:
    """An integer that may be any; divisions are only asked for where nothing is left over."""

    def __init__(self, value: Any, solver: z3.Solver) -> None:
        self.value, self.solver = value, solver

    def __add__(self, other: object) -> Whole:
        return Whole(self.value + _plain(other), self.solver)

    def __sub__(self, other: object) -> Whole:
        return Whole(self.value - _plain(other), self.solver)

    def __mul__(self, other: object) -> Whole:
        return Whole(self.value * _plain(other), self.solver)

    __radd__, __rmul__ = __add__, __mul__

    def __floordiv__(self, other: object) -> Whole:
        quotient = z3.FreshInt("quotient")
        self.solver.add(quotient * _plain(other) == self.value)
        return Whole(quotient, self.solver)


def _plain(value: object) -> Any:
    return value.value if isinstance(value, Whole) else value


def _gcd(solver: z3.Solver) -> Any:
    """Some number that divides all: nothing else of the greatest one is used."""

    def found(*spaces: object) -> Whole:
        divisor = z3.FreshInt("divisor")
        solver.add(divisor > 0)
        for space in spaces:
            solver.add(z3.FreshInt("times") * divisor == _plain(space))
        return Whole(divisor, solver)

    return found


@pytest.mark.parametrize(("taps", "behind"), [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_taps_behind_taps_stand_where_the_merged_kernel_has_them(
    taps: int, behind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all strides, dilations and pads: offset by offset."""
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    names = [z3.Int(name) for name in ("s1", "d1", "b1", "e1", "s2", "d2", "b2", "e2")]
    s1, d1, b1, e1, s2, d2, b2, e2 = (Whole(name, solver) for name in names)
    solver.add(*(n >= (1 if str(n)[0] in "sd" else 0) for n in names))
    shim = SimpleNamespace(gcd=_gcd(solver))
    monkeypatch.setattr(algebra, "math", shim)
    first: Any = Axis(taps, s1, d1, b1, e1)  # type: ignore[arg-type]
    second: Any = Axis(behind, s2, d2, b2, e2)  # type: ignore[arg-type]
    whole: Any = algebra._succession(first, second)
    for v, u in itertools.product(range(behind), range(taps)):
        (taken,) = algebra._taps_after([(first, second)], (whole,), (v,))
        merged = (taken.start + u * taken.step) * whole.dilation - whole.begin
        wanted = d1 * u - b1 + s1 * (d2 * v - b2)
        assert solver.check(merged.value != wanted.value) == z3.unsat
        inside = (taken.start + u * taken.step).value < _plain(whole.taps)
        assert solver.check(z3.Not(inside)) == z3.unsat


@pytest.mark.parametrize(("first", "second"), [*itertools.product(range(1, 5), repeat=2)])
def test_a_merged_kernel_has_as_many_positions(first: int, second: int) -> None:
    """((n + x1 - 1) // s1 + x2) // s2 = (n + x1 - 1 + s1 x2) // (s1 s2), for all n and excesses."""
    n, reach1, reach2, pad1, pad2 = z3.Ints("n reach1 reach2 pad1 pad2")
    excess1, excess2 = pad1 - reach1, pad2 - reach2
    middle = (n + excess1 - 1) / first + 1
    last = (middle + excess2 - 1) / second + 1
    merged = excess1 + first * excess2
    solver = z3.Solver()
    assert solver.check(last != (n + merged - 1) / (first * second) + 1) == z3.unsat
    both = algebra._succession(Axis(3, first, 2, 1, 2), Axis(2, second, 3, 2, 1))
    assert both.excess == Axis(3, 1, 2, 1, 2).excess + first * Axis(2, 1, 3, 2, 1).excess
    assert both.stride == first * second


@pytest.mark.slow
def test_taps_side_by_side_stand_where_the_union_has_them() -> None:
    """All pairs of axes with up to 3 taps, dilation 3, pads 3: each offset keeps its place."""
    axes = [Axis(*v) for v in itertools.product((1, 2, 3), (1,), (1, 2, 3), range(4), range(4))]
    found = 0
    for first, second in itertools.product(axes, repeat=2):
        union = algebra._union([first, second], None)
        if union is None:
            continue
        found += 1
        assert union.excess == first.excess
        for part in (first, second):
            taken = algebra._taps_within(part, union)
            places = range(union.taps)[taken]
            assert len(places) == part.taps
            offsets = [place * union.dilation - union.begin for place in places]
            assert offsets == [tap * part.dilation - part.begin for tap in range(part.taps)]
    assert found > math.comb(50, 2)


@pytest.mark.parametrize(
    "first",
    [_kernel("a", 2, 2, 1, Axis()), _kernel("a", 2, 2, 1, Axis(2), bias=False)],
    ids=["a bias", "two taps"],
)
def test_padding_in_between_is_no_padding_of_the_input(first: Kernel) -> None:
    """Zeros around the middle are not what the first convolution makes of zeros around x."""
    padded = _kernel("b", 2, 2, 1, Axis(3, begin=1, end=1))
    assert algebra.composed(first, padded) is None
