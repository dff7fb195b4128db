"""Conditions that nothing but a refusal holds: each has a model that would be wrong without it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

CONSTANTS: dict[str, Array] = {
    "w": weight(4, 3, 1, 1),
    "v": weight(2, 4, 1, 1),
    **{f"f{n}": np.array(n, np.float32) for n in (0, 1, 6)},
    "inf": np.array(np.inf, np.float32),
    "least": np.array(-np.inf, np.float32),
    "back": np.array([2, 4, 5, 5]),
    "gg": np.abs(weight(2)) + np.float32(0.5),
    "gb": weight(2, seed=3),
    "k3": weight(2, 4, 6, seed=5),
    **norm("n", 4),
}
STILL = {"nb": np.zeros(4, np.float32), "nm": np.zeros(4, np.float32)}


@pytest.mark.parametrize(
    ("bounds", "passes"),
    [
        ("f0, inf", True),
        ("f0", True),
        ("least, inf", True),
        ("f0, f6", False),
        ("f1, inf", False),
        ("least, f6", False),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
def test_a_scale_passes_a_clip_only_at_bounds_of_zero_and_infinity(
    bounds: str, passes: bool, forward: bool
) -> None:
    text = f"a = Conv(x, w) m = Clip(a, {bounds}) b = BN(m, n) y = Sigmoid(b)"
    if forward:
        text = f"a = Conv(x, w) t = Tanh(a) b = BN(t, n) m = Clip(b, {bounds}) y = Conv(m, v)"
    parsed = model(f"(float[N,3,5,5] x) => (float y) {{ {text} }}", CONSTANTS | STILL)
    result = fold_checked(parsed, x=(2, 3, 5, 5))
    assert ("BatchNormalization" not in kinds_of(result)) == passes
    assert passes or "bounded" in next(iter(verdicts(result).values())).split()


@pytest.mark.parametrize("which", ["bound", "bound, f6", ", bound", "f0, bound"])
def test_a_clip_whose_bounds_are_fed_lets_nothing_pass(which: str) -> None:
    text = f"a = Conv(x, w) m = Clip(a, {which}) b = BN(m, n) y = Sigmoid(b)"
    parsed = model(f"(float[N,3,5,5] x, float bound) => (float y) {{ {text} }}", CONSTANTS | STILL)
    feeds = {"x": weight(2, 3, 5, 5), "bound": np.array(0.25, np.float32)}
    result = check_fold(parsed, [feeds])
    assert "dynamic-bounds" in next(iter(verdicts(result).values())).split()


@pytest.mark.parametrize(
    ("pool", "passes"),
    [
        ("kernel_shape = [2, 2], strides = [2, 2]", True),
        ("kernel_shape = [2, 2], strides = [2, 2], count_include_pad = 1", True),
        ("kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 1, 1]", True),
        ("kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 1, 1], count_include_pad = 1",
         False),
        ("kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1, count_include_pad = 1", False),
        ('kernel_shape = [3, 3], auto_pad = "SAME_UPPER", count_include_pad = 1', False),
    ],
)  # fmt: skip
def test_a_shift_passes_a_mean_only_where_each_window_divides_by_what_it_holds(
    pool: str, passes: bool
) -> None:
    text = f"a = Conv(x, w) m = AveragePool<{pool}>(a) b = BN(m, n) y = Sigmoid(b)"
    parsed = model(f"(float[N,3,5,5] x) => (float y) {{ {text} }}", CONSTANTS, opset=19)
    found = next(iter(verdicts(fold_checked(parsed, x=(2, 3, 5, 5))).values()))
    assert (found == "backward") == passes
    assert passes or "padding-counted" in found.split()


def test_what_is_expanded_to_an_unknown_rank_is_not_told_apart() -> None:
    text = "r = Sigmoid(x) b = BN(r, n) g = Expand(b, sizes) y = Relu(g)"
    parsed = model(f"(float[2,4,1,1] x, int64[K] sizes) => (float y) {{ {text} }}", CONSTANTS)
    feeds = {"x": weight(2, 4, 1, 1), "sizes": np.array([2, 4, 3, 5])}
    result = check_fold(parsed, [feeds])
    assert "shape-unknown" in next(iter(verdicts(result).values())).split()


@pytest.mark.parametrize(("opset", "passes"), [(18, False), (20, False), (21, True)])
def test_group_normalization_has_a_scale_for_each_channel_since_opset_21(
    opset: int, passes: bool
) -> None:
    sizes = CONSTANTS if not passes else CONSTANTS | {"gg": weight(4) + 3, "gb": weight(4, seed=3)}
    text = "a = GroupNormalization<num_groups = 2>(x, gg, gb) b = BN(a, n) y = Sigmoid(b)"
    parsed = model(
        f"(float[N,4,3,3] x) => (float y) {{ {text} }}", sizes, opset=opset, ir_version=10
    )
    found = next(iter(verdicts(fold_checked(parsed, x=(2, 4, 3, 3))).values()))
    assert (found == "backward") == passes
    assert passes or "per-group" in found.split()


def test_a_stack_of_matrices_does_not_become_a_gemm() -> None:
    text = "(float[5,4] x) => (float y) { b = BN(x, n) m = MatMul(b, k3) y = Sigmoid(m) }"
    result = fold_checked(model(text, CONSTANTS), x=(5, 4))
    assert kinds_of(result) == ["BatchNormalization", "MatMul", "Sigmoid"]


@pytest.mark.parametrize("reads", ["a", "b"])
def test_a_value_that_a_body_reads_keeps_its_numbers(reads: str) -> None:
    """`a` is what a batch norm would change on its way back, `b` on its way ahead.

    The convolutions in the bodies could take the inverse, or the batch norm, were they asked.
    """
    before = "a = Conv(x, w)" if reads == "a" else "a = Sigmoid(x)"
    after = "y = Sigmoid(b)" if reads == "a" else "y = Conv(b, u)"
    text = f"""(float[2,4,3,3] x, bool p) => (float y, float z) {{ {before} b = BN(a, n) {after}
        z = If(p) <then_branch = g () => (float[2,4,3,3] s) {{ s = Conv({reads}, o) }},
                   else_branch = h () => (float[2,4,3,3] t) {{ t = Conv({reads}, u4) }}> }}"""
    constants = CONSTANTS | {"w": weight(4, 4, 1, 1), "u": weight(3, 4, 1, 1)}
    constants |= {"o": weight(4, 4, 1, 1, seed=6), "u4": weight(4, 4, 1, 1, seed=7)}
    feeds = [{"x": weight(2, 4, 3, 3), "p": np.array(chosen)} for chosen in (True, False)]
    result = check_fold(model(text, constants), feeds)
    assert "BatchNormalization" in kinds_of(result)
