"""Pad: what it puts around numbers has to become what the affine makes of it."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import Array, model, norm, verdicts, weight

SHIFTED, SCALED = norm("n", 4, signs=True), norm("n", 4, signs=True)
SCALED |= {"nb": np.zeros(4, np.float32), "nm": np.zeros(4, np.float32)}
ALIKE = {
    "ng": np.full(4, 2, np.float32),
    "nb": np.full(4, 1, np.float32),
    "nm": np.zeros(4, np.float32),
    "nv": np.ones(4, np.float32),
}
KEEPS_ENDS = {  # the first and the last channel stay what they are
    "ng": np.array([1, 2, -3, 1], np.float32),
    "nb": np.array([0, 1, 2, 0], np.float32),
    "nm": np.zeros(4, np.float32),
    "nv": np.ones(4, np.float32),
}
TURNED = ALIKE | {"ng": np.full(4, -2, np.float32)}
FLAT = SCALED | {"ng": np.array([1, 0, 2, 3], np.float32)}
CONSTANTS: dict[str, Array] = {
    "space": np.array([0, 0, 1, 0, 0, 0, 0, 2]),
    "first": np.array([0, 1, 0, 0, 0, 0, 0, 0]),
    "ends": np.array([0, 1, 0, 0, 0, 1, 0, 0]),
    "last": np.array([0, 0, 0, 0, 0, 1, 0, 0]),
    "behind": np.array([0, 1, 0, 0, 0, 0, 0, 2]),
    "mixed": np.array([0, 1, 1, 0, 0, 1, 0, 0]),
    "cut": np.array([0, -1, 0, 0, 0, 1, 0, 0]),
    "crop": np.array([0, 0, -1, 0, 0, 0, 0, -1]),
    "none": np.zeros(8, np.int64),
    "two": np.array([1, 2]),
    "columns": np.array([-1]),
    "zero": np.array(0, np.float32),
    "half": np.array(0.5, np.float32),
    "low": np.array(-np.inf, np.float32),
}


def _holds(body: str, constants: dict[str, Array], opset: int) -> list[str]:
    """The verdict on the only batch norm; onnxruntime computes as before, with any padding."""
    parsed = model(
        f"(float[2, 3, 4, 5] x, float v, int64[8] p) => (float y) {{ {body} }}",
        CONSTANTS | constants,
        opset=opset,
    )
    result = bnfold.fold(parsed)
    assert not result.ledger.bugs
    feeds = {
        "x": np.random.default_rng(2).normal(size=(2, 3, 4, 5)).astype(np.float32),
        "v": np.array(1.5, np.float32),
        "p": CONSTANTS["space"],
    }
    old, new = run_runtime(parsed, feeds), run_runtime(result.to_proto(), feeds)
    assert old is not None and new is not None
    np.testing.assert_allclose(new[0], old[0], rtol=1e-5, atol=1e-5)
    (verdict,) = verdicts(result).values()
    return verdict.split()


FORWARD = [
    ("Pad(b, space)", SCALED, "forward"),
    ("Pad(b, space, zero)", SCALED, "forward"),
    ("Pad(b, space)", SHIFTED, "padding-value"),
    ("Pad(b, space)", ALIKE, "forward"),
    ("Pad(b, space, half)", ALIKE, "forward"),
    ("Pad(b, space, half)", SCALED, "padding-value"),
    ("Pad(b, space, half)", FLAT, "padding-value"),
    ("Pad(b, space, low)", ALIKE, "forward"),
    ("Pad(b, space, low)", SCALED, "padding-value"),
    ("Pad(b, space, low)", TURNED, "padding-value"),
    ("Pad(b, space, v)", ALIKE, "dynamic-pads"),
    ("Pad(b, p)", SCALED, "dynamic-pads"),
    ("Pad(b, none, v)", SHIFTED, "forward"),
    ("Pad(b, two, , columns)", SCALED, "forward"),
    ('Pad<mode = "edge">(b, space)', SHIFTED, "forward"),
    ("Pad(b, crop)", SHIFTED, "forward"),
    ("Pad(b, first)", SHIFTED, "forward"),
    ("Pad(b, ends, half)", SHIFTED, "forward"),
    ("Pad(b, last, half)", SHIFTED, "forward"),
    ('Pad<mode = "edge">(b, last)', SHIFTED, "not-per-channel"),
    ("Pad(b, behind)", SCALED, "not-per-channel"),
    ("Pad(b, mixed)", SCALED, "not-per-channel"),
    ("Pad(b, cut)", SHIFTED, "negative-pads"),
    ('Pad<mode = "edge">(b, first)', SHIFTED, "not-per-channel"),
]


@pytest.mark.parametrize(("pad", "values", "verdict"), FORWARD)
def test_forward(pad: str, values: dict[str, Array], verdict: str) -> None:
    channels = {"first": 5, "last": 5, "behind": 5, "ends": 6, "mixed": 6}
    cin = next((n for name, n in channels.items() if name in pad), 4)
    body = f"a = Conv(x, w) t = Tanh(a) b = BN(t, n) m = {pad} y = Conv(m, k)"
    constants = {"w": weight(4, 3, 1, 1), "k": weight(2, cin, 1, 1), **values}
    assert verdict in _holds(body, constants, 18)


BACKWARD = [
    ("Pad(a, space)", SCALED, "backward"),
    ("Pad(a, space)", SHIFTED, "padding-value"),
    ("Pad(a, space)", ALIKE, "backward"),
    ("Pad(a, space, half)", ALIKE, "backward"),
    ("Pad(a, space, low)", ALIKE, "backward"),
    ("Pad(a, space, low)", SCALED, "padding-value"),
    ("Pad(a, space, low)", TURNED, "padding-value"),
    ("Pad(a, space, v)", ALIKE, "dynamic-pads"),
    ("Pad(a, p)", SCALED, "dynamic-pads"),
    ("Pad(a, none, v)", SHIFTED, "backward"),
    ("Pad(a, two, , columns)", SCALED, "backward"),
    ('Pad<mode = "reflect">(a, space)', SHIFTED, "backward"),
    ("Pad(a, crop)", SHIFTED, "backward"),
    ("Pad(a, ends)", KEEPS_ENDS, "backward"),
    ("Pad(a, ends, half)", KEEPS_ENDS, "backward"),
    ("Pad(a, ends)", SHIFTED, "padding-value"),
    ("Pad(a, last)", KEEPS_ENDS, "backward"),
    ('Pad<mode = "edge">(a, first)', KEEPS_ENDS, "not-per-channel"),
    ('Pad<mode = "edge">(a, last)', KEEPS_ENDS, "not-per-channel"),
    ("Pad(a, behind)", KEEPS_ENDS, "not-per-channel"),
    ("Pad(a, mixed)", KEEPS_ENDS, "not-per-channel"),
    ("Pad(a, cut)", SHIFTED, "negative-pads"),
    ('Pad<mode = "edge">(a, ends)', KEEPS_ENDS, "not-per-channel"),
]


@pytest.mark.parametrize(("pad", "values", "verdict"), BACKWARD)
def test_backward(pad: str, values: dict[str, Array], verdict: str) -> None:
    added = {"first": 1, "last": 1, "behind": 1, "ends": 2, "mixed": 2}
    channels = 4 - next((n for name, n in added.items() if name in pad), 0)
    body = f"a = Conv(x, w) m = {pad} b = BN(m, n) y = Sigmoid(b)"
    assert verdict in _holds(body, {"w": weight(channels, 3, 1, 1), **values}, 18)


@pytest.mark.parametrize(("shift", "verdict"), [(1.0, "backward"), (0.1, "padding-value")])
def test_an_attribute_of_32_bits_holds_what_it_holds(shift: float, verdict: str) -> None:
    """0.5 becomes 2 * 0.5 + shift, of which 1.1 is no float32."""
    values = ALIKE | {"nb": np.full(4, shift, np.float32)}
    body = "a = Conv(x, w) m = Pad<pads = [0, 0, 1, 0, 0, 0, 0, 2], value = 0.5>(a)"
    body += " b = BN<epsilon = 0.0>(m, n) y = Sigmoid(b)"
    assert verdict in _holds(body, {"w": weight(4, 3, 1, 1), **values}, 10)
