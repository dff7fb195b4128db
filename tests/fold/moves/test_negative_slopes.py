"""Rectifiers with a slope on both sides take a negative scale by changing sides."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

SCALE_ONLY = {"nb": np.zeros(4, np.float32), "nm": np.zeros(4, np.float32)}
HEAD = "(float[2,3,5,5] x) => (float[2,4,5,5] y) "
BEHIND = "{{ a = Conv(x, w) m = {} b = BN(m, n) y = Sigmoid(b) }}"
BEFORE = "{{ a = Conv(x, w) t = Tanh(a) b = BN(t, n) m = {} z = Conv(m, v) y = Sigmoid(z) }}"


def verdict(text: str, rectifier: str, *, all_negative: bool, slope: float = 0.25) -> str:
    values = norm("n", 4, signs=True) | SCALE_ONLY
    if all_negative:
        values["ng"] = -np.abs(values["ng"])
    slopes = np.full((4, 1, 1), slope, np.float32)
    constants = {"w": weight(4, 3, 1, 1), "v": weight(4, 4, 1, 1), "slopes": slopes, **values}
    parsed = model(HEAD + text.format(rectifier), constants)
    return verdicts(fold_checked(parsed, x=(2, 3, 5, 5)))["b"]


@pytest.mark.parametrize(("text", "way"), [(BEHIND, "backward"), (BEFORE, "forward")])
def test_slopes_per_channel_turn_where_the_scale_is_negative(text: str, way: str) -> None:
    assert (
        verdict(
            text, "PRelu({}, slopes)".format("a" if text == BEHIND else "b"), all_negative=False
        )
        == way
    )


@pytest.mark.parametrize("alpha", [0.25, 0.01, 0.3])
@pytest.mark.parametrize(("text", "way"), [(BEHIND, "backward"), (BEFORE, "forward")])
def test_one_slope_turns_where_all_scales_are_negative(text: str, way: str, alpha: float) -> None:
    """1 / 0.25 is a LeakyRelu's attribute; 1 / 0.01 is no float32, and a PRelu's slope."""
    rectifier = f"LeakyRelu<alpha = {alpha}>({'a' if text == BEHIND else 'b'})"
    assert verdict(text, rectifier, all_negative=True) == way
    assert "negative-scale" in verdict(text, rectifier, all_negative=False)


@pytest.mark.parametrize("slope", [0.0, 1e-5, -0.25])
def test_a_slope_that_is_not_well_above_zero_does_not_turn(slope: float) -> None:
    found = verdict(BEHIND, "PRelu(a, slopes)", all_negative=True, slope=slope)
    assert "negative-scale" in found


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (4, 1, 1)])
def test_slopes_may_have_as_many_axes_as_what_they_apply_to(shape: tuple[int, ...]) -> None:
    constants = {
        "w": weight(4, 3, 1, 1),
        "slopes": np.full(shape, 0.25, np.float32),
        **norm("n", 4, signs=True),
        **SCALE_ONLY,
    }
    parsed = model(HEAD + BEHIND.format("PRelu(a, slopes)"), constants)
    assert verdicts(fold_checked(parsed, x=(2, 3, 5, 5)))["b"] == "backward"


def test_a_magnitude_forgets_the_sign_in_front_of_it_only() -> None:
    assert verdict(BEFORE, "Abs(b)", all_negative=False) == "forward"
    assert "negative-scale" in verdict(BEHIND, "Abs(a)", all_negative=False)


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("rectifier", ["Abs({})", "LeakyRelu({})", "PRelu({}, slopes)"])
@pytest.mark.parametrize(("text", "name"), [(BEHIND, "a"), (BEFORE, "b")])
def test_a_shift_does_not_pass_whatever_the_scale(
    text: str, name: str, rectifier: str, signs: bool
) -> None:
    slopes = np.full((4, 1, 1), 0.25, np.float32)
    constants = {"w": weight(4, 3, 1, 1), "v": weight(4, 4, 1, 1), "slopes": slopes}
    parsed = model(
        HEAD + text.format(rectifier.format(name)), constants | norm("n", 4, signs=signs)
    )
    codes = verdicts(fold_checked(parsed, x=(2, 3, 5, 5)))["b"]
    assert codes not in ("backward", "forward")


def test_a_slope_that_carries_an_affine_is_told() -> None:
    text = """(float[2,3,5,5] x, float[2,4,5,5] u) => (float[2,4,5,5] y) {
        a = Conv(x, w) e = Exp(u) b = BN(e, n) y = PRelu(a, b) }"""
    constants = {"w": weight(4, 3, 1, 1), **norm("n", 4)}
    found = verdicts(fold_checked(model(text, constants), x=(2, 3, 5, 5), u=(2, 4, 5, 5)))
    assert "dynamic-operand" in next(iter(found.values()))
