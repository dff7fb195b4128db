"""What stops at a pool or a reduction: padding alone, unknown axes, open numbers of addends."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.merge.merging import Array, merged, model, norm, weight
from tests.fold.property.text_models import fold_checked, verdicts

C: dict[str, Array] = {
    "w": weight(4, 4, 1, 1),
    "k": np.abs(weight(4, 1, 1, seed=5)) + np.float32(0.5),
    "two": np.array(2, np.float32),
    "axes": np.array([2, 3]),
    **norm("p", 4),
}


def _verdict(text: str, *, opset: int = 18, **shapes: tuple[int, ...]) -> str:
    (verdict,) = verdicts(fold_checked(model(text, C, opset=opset), **shapes)).values()
    return verdict


@pytest.mark.parametrize(
    ("pool", "verdict"),
    [
        # with ceil_mode the last window may begin behind x: by what is padded there, or by a stride
        ("kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 0, 0]", "backward"),
        ("kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 0, 0]", "backward"),
        ("kernel_shape = [2, 2], strides = [3, 3], pads = [1, 1, 0, 0]", "empty-window"),
        ("kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]", "empty-window"),
    ],
)
def test_windows_rounded_up_over_an_open_size(pool: str, verdict: str) -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {{
        a = Conv(x, w) m = MaxPool<{pool}, ceil_mode = 1>(a) y = BN(m, p) }}"""
    assert verdict in _verdict(text, x=(2, 4, 7, 7))


@pytest.mark.parametrize(
    ("pool", "size"),
    [
        ("MaxPool<kernel_shape = [2, 2], strides = [3, 3], pads = [1, 1, 0, 0], ceil_mode = 1>", 7),
        ("AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>", 5),
    ],
)
def test_a_scale_passes_where_padding_stops_a_shift(pool: str, size: int) -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {{
        a = Conv(x, w) m = {pool}(a) y = Mul(m, k) }}"""
    folded = merged(text, C, x=(2, 4, size, size))
    assert folded.operators == ["Conv", pool.partition("<")[0]]


@pytest.mark.parametrize(
    ("opset", "kind", "verdict"),
    [
        (6, "AveragePool", "padding-counted"),  # it was not said what is counted
        (7, "AveragePool", "backward"),
        (6, "MaxPool", "backward"),
    ],
)
def test_padded_pools_of_early_opsets(opset: int, kind: str, verdict: str) -> None:
    mode = "<is_test = 1>" if opset == 6 else ""
    text = f"""(float[2, 4, 5, 5] x) => (float[2, 4, 5, 5] y) {{
        a = Conv(x, w) m = {kind}<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(a)
        y = BN{mode}(m, p) }}"""
    result = bnfold.fold(model(text, C, opset=opset))
    assert verdict in next(iter(verdicts(result).values()))


def test_positions_of_maxima_that_are_read_inside() -> None:
    text = """(float[2, 4, 4, 4] x) => (float[2, 4, 2, 2] y, float[2, 4, 2, 2] z) {
        a = Conv(x, w) m, i = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
        z = Cast<to = 1>(i) y = BN(m, p) }"""
    assert "indices-read" in _verdict(text, x=(2, 4, 4, 4))


SUM = "(float[2, 4, H, W] x) => (float[] y) {{ {} }}"
SUMS = {
    "a-scale-of-how-many-ever": ("a = Conv(x, w) s = ReduceSum(a, axes) y = Mul(s, k)",
                                 "Conv ReduceSum"),
    "a-shift-of-how-many-ever": ("a = Conv(x, w) s = ReduceSum(a, axes) y = BN(s, p)",
                                 "Conv ReduceSum BatchNormalization"),
    "over-all": ("a = Conv(x, w) s = ReduceSum(a) y = Mul(s, two)", "Conv ReduceSum"),
    "over-none": ("a = Conv(x, w) s = ReduceSum<noop_with_empty_axes = 1>(a) y = BN(s, p)",
                  "Conv ReduceSum BatchNormalization"),
    "over-none-in-front": ("r = Relu(x) a = BN(r, p) s = ReduceMean<noop_with_empty_axes = 1>(a) "
                           "y = Conv(s, w)", "Relu BatchNormalization ReduceMean Conv"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_an_open_number(name: str) -> None:
    body, kept = SUMS[name]
    folded = merged(SUM.format(body), C, x=(2, 4, 3, 3))
    assert folded.operators == kept.split()
    assert folded.result.ledger.bugs == ()


def test_axes_that_are_fed() -> None:
    text = """(float[2, 4, 3, 3] x, int64[1] fed) => (float[] y) {
        r = Relu(x) b = BN(r, p) s = ReduceMean(b, fed) y = Conv(s, w) }"""
    assert "dynamic-axes" in _verdict(text, x=(2, 4, 3, 3), fed=(1,))
