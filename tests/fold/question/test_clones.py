"""Copies (`--allow clone`): of an operator that others read too, with the affine in the copy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

_OFFSETS = np.random.default_rng(3).normal(size=(2, 18, 6, 6)).astype(np.float32)
_LINEAR = {
    "conv": ("Conv<pads = [1, 1, 1, 1]>(x, w)", "Conv"),
    "transposed": ("ConvTranspose<pads = [1, 1, 1, 1]>(x, w)", "ConvTranspose"),
    "deformed": ("DeformConv<pads = [1, 1, 1, 1]>(x, w, o)", "DeformConv"),
}


@pytest.mark.parametrize(
    "name", ["conv", "transposed", pytest.param("deformed", marks=pytest.mark.slow)]
)
def test_a_linear_operator_that_the_caller_reads_too_is_copied_where_that_is_allowed(
    name: str,
) -> None:
    text, kind = _LINEAR[name]
    parsed = model(
        f"(float[2,3,6,6] x) => (float[N,C,P,Q] v, float[R,S,T,U] y) "
        f"{{ v = {text} b = BN(v, n) y = Sigmoid(b) }}",
        {"w": weight(3, 3, 3, 3), "o": _OFFSETS, **norm("n", 3, signs=True)},
        opset=19,
    )
    kept = fold_checked(parsed, x=(2, 3, 6, 6))
    assert "BatchNormalization" in kinds_of(kept)
    copied = fold_checked(parsed, ("clone",), x=(2, 3, 6, 6))
    assert kinds_of(copied) == [kind, kind, "Sigmoid"]
    assert copied.ledger.decisions[0].price == ("clone",)


def test_an_activation_is_not_worth_a_copy() -> None:
    parsed = model(
        "(float[2,3,6,6] x) => (float[N,C,P,Q] v, float[R,S,T,U] y) "
        "{ v = Relu(x) b = BN(v, n) y = Sigmoid(b) }",
        norm("n", 3),
    )
    result = fold_checked(parsed, ("clone",), x=(2, 3, 6, 6))
    assert verdicts(result)["b"] not in ("backward", "forward")
