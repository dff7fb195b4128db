"""A shift in front of an operator that subtracts it again is dropped; what it keeps stays."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, weight

CONSTANTS: dict[str, Array] = {
    "w": weight(4, 3, 1, 1),
    "c": weight(4, 1, 1, seed=5),
    "s": np.abs(weight(4, 1, 1, seed=6)) + 0.5,
    "e": weight(1, 1, 5, 1, seed=7),
    "g": weight(4, seed=8),
    "h": weight(4, seed=9),
    "row": weight(5, seed=10),
}
# between Relu and y: (operators from r to y, opset, whether the arithmetic goes)
IN_FRONT = {
    "instance-norm": ("a = Add(r, c) y = InstanceNormalization(a, g, h)", 18, True),
    "instance-norm-scaled": ("a = Mul(r, s) y = InstanceNormalization(a, g, h)", 18, False),
    "instance-norm-in-space": ("a = Add(r, e) y = InstanceNormalization(a, g, h)", 18, False),
    "layer-norm-other-axis": ("a = Add(r, c) y = LayerNormalization(a, row)", 18, True),
    "layer-norm-its-axis": ("a = Add(r, row) y = LayerNormalization(a, row)", 18, False),
    "softmax-in-space": ("a = Add(r, c) y = Softmax<axis = 3>(a)", 18, True),
    "softmax-channels": ("a = Add(r, c) y = Softmax<axis = 1>(a)", 18, False),
    "log-softmax": ("a = Sub(r, c) y = LogSoftmax<axis = -1>(a)", 18, True),
    "old-softmax-from-axis-2": ("a = Add(r, c) y = Softmax<axis = 2>(a)", 11, True),
    "old-softmax-from-axis-1": ("a = Add(r, c) y = Softmax<axis = 1>(a)", 11, False),
    "old-softmax-default": ("a = Add(r, c) y = Softmax(a)", 11, False),
}


@pytest.mark.parametrize("name", IN_FRONT)
def test_arithmetic_in_front_goes_only_where_it_is_forgotten(name: str) -> None:
    text, opset, goes = IN_FRONT[name]
    parsed = model(
        f"(float[2,3,5,5] x) => (float[2,4,5,5] y) {{ v = Conv(x, w) r = Sigmoid(v) {text} }}",
        CONSTANTS,
        opset=opset,
    )
    kinds = kinds_of(fold_checked(parsed, x=(2, 3, 5, 5)))
    assert ({"Add", "Sub", "Mul"} & set(kinds) == set()) == goes


@pytest.mark.parametrize(
    ("outputs", "read"),
    [
        ("y, m", ""),
        ("y, m, d", ""),
        ("y, , d", ""),
        ("y, m", "z = Tanh(m)"),
        ("y, z", ""),
        ("y, m, z", ""),
        ("y, , d", "z = Tanh(d)"),
    ],
)
def test_a_shift_stays_where_the_mean_is_handed_on(outputs: str, read: str) -> None:
    """Read or not: what keeps its name keeps its value."""
    made = "float[2,4,5,5] y" + (", float[] z" if "z" in outputs + read else "")
    text = f"""(float[2,3,5,5] x) => ({made}) {{ v = Conv(x, w) r = Sigmoid(v) a = Add(r, c)
        {outputs} = LayerNormalization(a, row) {read} }}"""
    assert "Add" in kinds_of(fold_checked(model(text, CONSTANTS), x=(2, 3, 5, 5)))


@pytest.mark.parametrize("place", ["k, h", "g, k"])
def test_what_arrives_at_its_scale_or_bias_is_no_shift_of_x(place: str) -> None:
    text = f"""(float[2,4,5,5] x, float[4] z) => (float[2,4,5,5] y) {{
        r = Tanh(z) k = Add(r, h) y = InstanceNormalization(x, {place}) }}"""
    result = fold_checked(model(text, CONSTANTS), x=(2, 4, 5, 5), z=(4,))
    assert "Add" in kinds_of(result)
