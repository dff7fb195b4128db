"""A constant that the graph computes is what the runtime computes, to the step that it lands on."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import Array, model, norm, weight

PLAIN = "(float[1, 4, 5, 5] x) => (float[1, 6, 5, 5] y) {{ {steps} {body} }}"
STEPS = {  # each is 0.1 or so off if it is computed in float64
    "floor": "g = Floor(q)",
    "ceil": "g = Ceil(q)",
    "round": "h = Add(q, half) g = Round(h)",
    "to an integer and back": "h = Cast<to = 6>(q) g = Cast<to = 1>(h)",
    "a comparison": "h = GreaterOrEqual(q, seven) i = Cast<to = 1>(h) g = Add(i, one)",
    "where": "h = Less(q, seven) g = Where(h, one, seven)",
    "mod": "h = Mod<fmod = 1>(q, one) g = Add(h, one)",
    "sign": "h = Sub(q, seven) i = Sign(h) g = Add(i, one)",
}


def agree_in_the_runtime(before: onnx.ModelProto, after: onnx.ModelProto, x: Array) -> None:
    """The two give the same outputs in onnxruntime, to float32."""
    old, new = run_runtime(before, {"x": x}), run_runtime(after, {"x": x})
    assert old is not None
    assert new is not None
    for a, b in zip(old, new, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * np.abs(a).max())


def constants() -> dict[str, Array]:
    parts: dict[str, Array] = {"w": weight(6, 4, 1, 1), **norm("p", 6)}
    scalars = {"tenth": 0.1, "seven": 7.0, "one": 1.0, "half": 0.5}
    parts |= {name: np.array(value, np.float32) for name, value in scalars.items()}
    return parts | {"start": np.full(6, 0.7, np.float32)}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("place", ["the scale", "the weight", "arithmetic"])
def test_a_constant_lands_on_the_step_of_the_run(name: str, place: str) -> None:
    """0.7 / 0.1 is 7 in float32 and 6.999... in float64."""
    bodies = {
        "the scale": "a = Conv(x, w) y = BatchNormalization(a, g, pb, pm, pv)",
        "the weight": """s = Reshape(g, six) v = Mul(w, s) a = Conv(x, v) y = BN(a, p)""",
        "arithmetic": "s = Reshape(g, three) a = Conv(x, w) b = Mul(a, s) y = BN(b, p)",
    }
    steps = "q = Div(start, tenth) " + STEPS[name]
    shapes = {"six": np.array([6, 1, 1, 1]), "three": np.array([6, 1, 1])}
    built = model(PLAIN.format(steps=steps, body=bodies[place]), constants() | shapes)
    result = bnfold.fold(built)
    assert result.ledger.batch_norms_after == 0
    agree_in_the_runtime(built, result.to_proto(), weight(1, 4, 5, 5, seed=3))


def test_a_slice_ends_where_the_run_ends_it() -> None:
    text = """(float[1, 4, 5, 5] x) => (float[1, 7, 5, 5] y) { q = Mul(ten, share) f = Floor(q)
        e = Cast<to = 7>(f) a = Conv(x, w) b = Slice(a, zero, e, axis) y = BN(b, p) }"""
    parts: dict[str, Array] = {"w": weight(10, 4, 1, 1), **norm("p", 7)}
    parts |= {"ten": np.array([10], np.float32), "share": np.array([0.7], np.float32)}
    parts |= {"zero": np.array([0]), "axis": np.array([1])}
    built = model(text, parts)
    result = bnfold.fold(built)
    assert result.ledger.batch_norms_after == 0
    agree_in_the_runtime(built, result.to_proto(), weight(1, 4, 5, 5, seed=3))


@pytest.mark.parametrize(
    "how", ["k = Identity(c)", "k = Cast<to = 7>(small)", "k = Concat<axis = 0>(first, second)"]
)
@pytest.mark.parametrize(
    ("body", "channels", "numbers"),
    [
        ("b = Reshape(a, k) y = BN(b, p)", 6, [1, 6, 25]),
        ("b = ReduceMean<keepdims = 0>(a, k) y = BN(b, p)", 6, [2, 3]),
        ("b = Unsqueeze(a, k) y = BN(b, p)", 6, [4, 5]),
        ("g = GlobalAveragePool(a) b = Squeeze(g, k) y = BN(b, p)", 6, [2, 3]),
        ("b, z = Split<axis = 1>(a, k) y = BN(b, p)", 2, [2, 4]),
    ],
)
def test_what_decides_a_shape_may_be_computed(
    how: str, body: str, channels: int, numbers: list[int]
) -> None:
    text = f"(float[1, 4, 5, 5] x) => (float[] y) {{ {how} a = Conv(x, w) {body} }}"
    parts: dict[str, Array] = {"w": weight(6, 4, 1, 1), **norm("p", channels)}
    parts |= {"c": np.array(numbers), "small": np.array(numbers, np.int32)}
    parts |= {"first": np.array(numbers[:1]), "second": np.array(numbers[1:])}
    built = model(text, parts)
    result = bnfold.fold(built)
    assert result.ledger.batch_norms_after == 0
    agree_in_the_runtime(built, result.to_proto(), weight(1, 4, 5, 5, seed=3))
