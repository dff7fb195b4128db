"""The sum and the succession of random convolutions, against running them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfold.float64 import run_op
from bnfold.fold.merge.algebra import added, composed
from bnfold.fold.merge.kernel import Axis, Kernel
from bnfold.fold.merge.transposed import macs_behind
from bnfold.fold.numbers.exact import of_array
from tests.fold.merge.merging import Array

AXES = st.builds(
    Axis,
    taps=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    begin=st.integers(0, 4),
    end=st.integers(0, 4),
)
GROUPS = st.sampled_from([1, 2, 3, 6])


def _kernel(random: np.random.Generator, axes: tuple[Axis, ...], group: int, width: int) -> Kernel:
    shape = (6, width // group, *(axis.taps for axis in axes))
    weight = of_array(random.normal(size=shape), ir.DataType.DOUBLE)
    return Kernel(weight, random.normal(size=6), group, axes, macs=int(np.prod(shape)))


def _run(kernel: Kernel, x: Array) -> Array:
    node = kernel.as_node(None)
    inputs = [x, kernel.weight.value(), kernel.bias]
    (y,) = run_op(node.op_type, inputs, dict(node.attributes or {}), opset=18)
    return y


def _fits(kernel: Kernel, size: tuple[int, ...]) -> bool:
    return all(axis.positions(n) > 0 for axis, n in zip(kernel.axes, size, strict=True))


@st.composite
def _axis_lists(draw: st.DrawFn) -> list[tuple[Axis, ...]]:
    """Axes of up to three convolutions; mostly such that all have as many positions."""
    columns = []
    count = draw(st.integers(1, 3))
    for _ in range(2):
        axes = [draw(AXES) for _ in range(count)]
        if draw(st.integers(0, 3)):
            axes = [_alike(axis, axes[0]) for axis in axes]
        columns.append(axes)
    return list(zip(*columns, strict=True))


def _alike(axis: Axis, other: Axis) -> Axis:
    """The axis with the other's stride and excess."""
    begin = min(axis.begin, max(0, other.excess + axis.reach))
    end = max(0, other.excess + axis.reach - begin)
    return Axis(axis.taps, other.stride, axis.dilation, begin, end)


@settings(max_examples=100, deadline=None)
@given(st.data(), _axis_lists(), st.booleans())
def test_the_sum_of_convolutions(
    data: st.DataObject, axis_lists: list[tuple[Axis, ...]], is_static: bool
) -> None:
    """One convolution where all have as many positions, and None where one would be broadcast."""
    random = np.random.default_rng(data.draw(st.integers(0, 9)))
    size = (data.draw(st.integers(4, 12)), data.draw(st.integers(4, 12)))
    kernels = [_kernel(random, axes, data.draw(GROUPS), 6) for axes in axis_lists]
    signs = [data.draw(st.sampled_from([1.0, -1.0])) for _ in kernels]
    x = random.normal(size=(2, 6, *size))
    whole = added(list(zip(kernels, signs, strict=True)), size if is_static else (None, None))
    runs = [_run(kernel, x) for kernel in kernels if _fits(kernel, size)]
    strides = {tuple(axis.stride for axis in kernel.axes) for kernel in kernels}
    if whole is None:
        shapes = {run.shape for run in runs}
        if is_static and len(runs) == len(kernels):
            assert len(shapes) > 1 or len(strides) > 1
        return
    assert len(strides) == 1
    if len(runs) < len(kernels):
        return
    wanted = sum(sign * run for sign, run in zip(signs, runs, strict=True))
    np.testing.assert_allclose(_run(whole, x), wanted, atol=1e-12)


def _succession(data: st.DataObject, *, pointwise: bool, padded: bool) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 9)))
    first_axes = [data.draw(AXES) for _ in range(2)]
    if pointwise:
        first_axes = [replace(axis, taps=1, dilation=1) for axis in first_axes]
    second_axes = [data.draw(AXES) for _ in range(2)]
    if not padded:
        second_axes = [Axis(a.taps, a.stride, a.dilation) for a in second_axes]
    first = _kernel(random, tuple(first_axes), data.draw(GROUPS), 6)
    second = _kernel(random, tuple(second_axes), data.draw(GROUPS), 6)
    if padded and data.draw(st.booleans()):
        first.bias[:] = 0
    whole = composed(first, second)
    size = (data.draw(st.integers(6, 20)), data.draw(st.integers(6, 20)))
    if whole is None:
        assert second.is_padded and (np.any(first.bias) or not first.is_one_tap)
        return
    x = random.normal(size=(1, 6, *size))
    if not _fits(first, size):
        return
    middle = _run(first, x)
    if not _fits(second, middle.shape[2:]):
        return
    np.testing.assert_allclose(_run(whole, x), _run(second, middle), atol=1e-11)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_succession_of_two_convolutions_without_padding_between(data: st.DataObject) -> None:
    _succession(data, pointwise=False, padded=False)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_succession_of_a_pointwise_and_a_padded_convolution(data: st.DataObject) -> None:
    _succession(data, pointwise=True, padded=True)


@st.composite
def _of_either_kind(draw: st.DrawFn) -> Kernel:
    """A Conv or a ConvTranspose, mostly by strides of 1 and with few borders."""
    axes = tuple(
        Axis(
            taps=draw(st.integers(1, 3)),
            stride=draw(st.sampled_from([1, 1, 2, 3])),
            dilation=draw(st.sampled_from([1, 1, 2])),
            begin=draw(st.sampled_from([0, 0, 1, 2])),
            end=draw(st.sampled_from([0, 0, 1, 2])),
        )
        for _ in range(2)
    )
    kernel = _kernel(np.random.default_rng(draw(st.integers(0, 9))), axes, draw(GROUPS), 6)
    if not draw(st.booleans()):
        kernel.bias[:] = 0
    if not draw(st.booleans()):
        return kernel
    extra = [draw(st.integers(0, axis.stride - 1)) for axis in axes]
    axes = tuple(
        replace(a, end=-more if more else a.end) for a, more in zip(axes, extra, strict=True)
    )
    return replace(kernel, axes=axes, is_transposed=True)


def _work(kernel: Kernel, x: Array, y: Array) -> int:
    """Multiplications of the operator that makes y of x."""
    positions = np.prod((x if kernel.is_transposed else y).shape[2:])
    return int(positions) * kernel.weight.size


@settings(max_examples=300, deadline=None)
@given(_of_either_kind(), _of_either_kind(), st.tuples(st.integers(1, 7), st.integers(1, 7)))
def test_a_conv_or_a_transposed_one_behind_another(
    first: Kernel, second: Kernel, size: tuple[int, int]
) -> None:
    """One operator with the same result; and no more is counted for them than they multiply."""
    whole = composed(first, second)
    if whole is None or not whole.is_an_operator:
        return
    x = np.random.default_rng(1).normal(size=(1, 6, *size))
    try:
        middle = _run(first, x)
        wanted = _run(second, middle)
    except ValueError:
        return  # a window that does not fit
    if not middle.size or not wanted.size:
        return
    found = _run(whole, x)
    np.testing.assert_allclose(found, wanted, atol=1e-11)
    both = _work(first, x, middle) + _work(second, middle, wanted)
    positions = int(np.prod((x if whole.is_transposed else found).shape[2:]))
    assert macs_behind(first, second) * positions <= both


def test_rows_are_the_same_however_few_are_asked_for() -> None:
    """Large weights are computed a few rows at a time."""
    random = np.random.default_rng(1)
    axes = (Axis(3, 1, 1, 1, 1),)
    first, second = _kernel(random, axes, 2, 6), _kernel(random, (Axis(),), 3, 6)
    for whole in (added([(first, 1.0), (second, -1.0)], (None,)), composed(first, second)):
        assert whole is not None
        rows = [whole.weight.rows(i, i + 1) for i in range(6)]
        np.testing.assert_array_equal(np.concatenate(rows), whole.weight.value())
