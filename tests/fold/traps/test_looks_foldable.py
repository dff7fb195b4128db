"""What a pencil takes for a fold, and is none, or is one already."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight


def test_a_computed_table_takes_the_scale_and_its_addition_stays() -> None:
    """Conv(x) + sin(p), a number for each place, is no bias: the Add is the table's, not ours."""
    text = """(float[2,4,5,5] x) => (float y) { a = Conv(x, w) t = Sin(p) s = Add(a, t)
        b = BN(s, n) y = Sigmoid(b) }"""
    result = fold_checked(
        model(text, {"w": weight(6, 4, 1, 1), "p": weight(1, 6, 5, 5), **norm("n", 6)}),
        x=(2, 4, 5, 5),
    )
    assert kinds_of(result) == ["Conv", "Add", "Sigmoid"]


@pytest.mark.parametrize("shift", [True, False])
def test_a_bias_before_a_transposed_convolution_is_none_behind_it(shift: bool) -> None:
    """With a kernel of its stride each place has one tap, but not the same: b T differs with it."""
    text = """(float[2,4,5,5] x) => (float y) { a = Conv(x, w) b = BN(a, n)
        y = ConvTranspose<strides = [2, 2]>(b, t) }"""
    parameters = norm("n", 8)
    if not shift:
        parameters |= {"nb": np.zeros(8, np.float32), "nm": np.zeros(8, np.float32)}
    constants = {"w": weight(8, 4, 1, 1), "t": weight(8, 3, 2, 2), **parameters}
    result = fold_checked(model(text, constants), x=(2, 4, 5, 5))
    landed = np.tensordot(np.ones(8), constants["t"], (0, 0))
    assert np.ptp(landed, axis=(1, 2)).min() > 0.1  # what a bias of 1 comes to, place by place
    assert kinds_of(result) == (["Conv", "ConvTranspose"] if shift else ["ConvTranspose"])


@pytest.mark.parametrize(("gamma", "verdict"), [(8.0, "float16-range"), (0.01, "backward")])
def test_a_scale_behind_a_cast_from_half(gamma: float, verdict: str) -> None:
    """8 y is a float where y is a half: within the half Conv it ends at 65504; 0.01 y does not."""
    text = """(float16[2,4,5,5] x) => (float y) { a = Conv(x, w) c = Cast<to = 1>(a)
        [bn] b = BN(c, n) y = Sigmoid(b) }"""
    parameters = norm("n", 6)
    parameters["ng"] = np.full(6, gamma, np.float32)
    built = model(text, {"w": weight(6, 4, 1, 1).astype(np.float16), **parameters})
    assert verdict in verdicts(fold_checked(built, ("cast",), x=(2, 4, 5, 5)))["bn"]
