"""Beyond a Cast an affine rounds in another type: at a price, and never out of float16's range."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from bnfold.errors import InternalError
from bnfold.fold.numbers import exact as exacts
from bnfold.fold.proof.certificate import Certificate
from tests.fold.property.oracle import kinds_of, run_runtime
from tests.fold.property.text_models import model, norm, verdicts, weight

TEXT = (
    "(float[N,3,5,5] x) => (float y) {{ h = Cast<to = 10>(x) a = Conv(h, w) "
    "c = Cast<to = 1>(a) b = BN(c, n) {then} }}"
)
BACK = "d = Cast<to = 10>(b) r = Relu(d) y = Cast<to = 1>(r)"


def mixed(then: str, *, large: float = 1.0) -> onnx.ModelProto:
    values = norm("n", 4, signs=True)
    values["ng"] = (values["ng"] * np.float32(large)).astype(np.float32)
    w = (weight(4, 3, 1, 1) / 4).astype(np.float16)
    return model(TEXT.format(then=then), {"w": w, **values})


def apart(parsed: onnx.ModelProto, allow: tuple[str, ...]) -> tuple[float, bnfold.fold.FoldResult]:
    result = bnfold.fold(parsed, allow=allow, strict=True)
    x = weight(2, 3, 5, 5, seed=9)
    old, new = run_runtime(parsed, {"x": x}), run_runtime(result.to_proto(), {"x": x})
    assert old is not None
    assert new is not None
    return float(np.max(np.abs(old[0] - new[0])) / np.max(np.abs(old[0]))), result


def test_a_batch_norm_of_mixed_precision_stays_until_its_rounding_may_move() -> None:
    parsed = mixed(BACK)
    (found,) = verdicts(bnfold.fold(parsed)).values()
    assert "cast" in found.split()
    (kept,) = bnfold.fold(parsed).ledger.kept
    assert kept.would_fold_with == ("cast",)


def test_it_goes_into_the_convolution_on_the_other_side() -> None:
    distance, result = apart(mixed(BACK), ("cast",))
    assert "BatchNormalization" not in kinds_of(result)
    assert distance < 2.0**-6
    (decision,) = result.ledger.folded
    assert "cast" in decision.price


def test_a_scale_that_float16_could_not_hold_does_not_move_into_it() -> None:
    plain, cast_back = mixed("y = Sigmoid(b)", large=300), mixed(BACK, large=300)
    wide = mixed("d = Cast<to = 11>(b) y = Cast<to = 1>(d)", large=300)
    assert "BatchNormalization" in kinds_of(apart(plain, ("cast",))[1])
    assert "BatchNormalization" in kinds_of(apart(wide, ("cast",))[1])
    assert "BatchNormalization" not in kinds_of(apart(cast_back, ("cast",))[1])


def test_forward_through_a_cast_to_float16_into_the_next_convolution() -> None:
    text = (
        "(float[N,3,5,5] x) => (float y) { r = Relu(x) b = BN(r, n) h = Cast<to = 10>(b) "
        "a = Conv(h, w) y = Cast<to = 1>(a) }"
    )
    values = norm("n", 3)
    values |= {"ng": values["ng"] + 2, "nb": np.zeros(3, np.float32), "nm": np.zeros(3, np.float32)}
    parsed = model(text, {"w": (weight(4, 3, 1, 1) / 4).astype(np.float16), **values})
    distance, result = apart(parsed, ("cast",))
    assert "BatchNormalization" not in kinds_of(result)
    assert distance < 2.0**-7


def test_a_cast_to_integers_takes_nothing_at_any_price() -> None:
    text = (
        "(float[N,3,5,5] x) => (float y) { a = Conv(x, w) i = Cast<to = 6>(a) c = Cast<to = 1>(i) "
        "b = BN(c, n) y = Sigmoid(b) }"
    )
    parsed = model(text, {"w": weight(4, 3, 1, 1), **norm("n", 4)})
    assert "BatchNormalization" in kinds_of(bnfold.fold(parsed, allow="all"))


INTEGERS = {
    "through integers": (
        "float[2,4,3,3] x",
        "a = Conv(x, v) i = Cast<to = 7>(a) f = Cast<to = 1>(i)",
    ),
    "from integers": ("int64[2,4,3,3] x", "i = Mul(x, k) f = Cast<to = 1>(i)"),
}


@pytest.mark.parametrize("case", INTEGERS.values(), ids=INTEGERS.keys())
def test_no_price_moves_a_batch_norm_among_integers(case: tuple[str, str]) -> None:
    inputs, nodes = case
    text = f"({inputs}) => (float y) {{ {nodes} y = BN(f, n) }}"
    values = {"v": 9 * weight(4, 4, 1, 1), "k": np.array([3]), **norm("n", 4)}
    result = bnfold.fold(model(text, values), allow="cast", check=False)
    assert result.ledger.batch_norms_after == 1
    assert not result.ledger.bugs


HALVES = {"float16": 10, "bfloat16": 16}


def rounded_between(half: int, *, factor: float = 1.0) -> onnx.ModelProto:
    """All in float32 but for one tensor; `factor` multiplies one column of the weights."""
    w = weight(8, 8)
    w[:, 0] *= np.float32(factor)
    text = (
        f"(float[N,3,8] x) => (float y) {{ a = MatMul(x, w) b = Cast<to = {half}>(a) "
        "c = Cast<to = 1>(b) y = Mul(c, s) }"
    )
    return model(text, {"w": w, "s": weight(8) / 4})


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_a_fold_that_rounds_on_the_other_side_is_handed_out_and_equivalent(half: int) -> None:
    """It differs by what half precision loses, thousands of times what float32 does."""
    parsed = rounded_between(half)
    result = bnfold.fold(parsed, allow="cast")
    (decision,) = result.ledger.folded
    assert decision.price == ("cast",)
    assert result.ledger.opinion is not None
    assert 1e-5 < result.ledger.opinion.error < 2.0**-6
    assert bnfold.verify(parsed, result.to_proto()).is_equivalent


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("factor", [1.0005, 1.02])
def test_a_weight_that_is_off_by_less_than_half_precision_loses_is_found(
    half: int, factor: float
) -> None:
    folded = bnfold.fold(rounded_between(half, factor=factor), allow="cast").to_proto()
    assert bnfold.verify(rounded_between(half), folded).verdict == "different"


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_a_wrong_fold_past_a_cast_is_not_handed_out(
    half: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a part in two hundred, which bfloat16 could lose: float64 tells."""
    monkeypatch.setattr(Certificate, "compared", lambda *_args: 0.0)
    right = exacts.rounded_to
    monkeypatch.setattr(exacts, "rounded_to", lambda v, d: right(np.asarray(v) * 1.005, d))
    with pytest.raises(InternalError, match="rounding explains"):
        bnfold.fold(rounded_between(half), allow="cast")
