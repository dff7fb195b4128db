"""Operators that treat every channel alike: what a batch norm may pass, and what stops it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.moves.carry.samplers import summed
from bnfold.fold.numbers.affine import identity
from bnfold.fold.plan import Refusal
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

GRID = np.random.default_rng(3).uniform(-1.5, 1.5, (2, 4, 3, 2)).astype(np.float32)
CONSTANTS: dict[str, Array] = {
    "grid": GRID,
    "keep": np.array([True, False, True, True, False]),
    "all": np.array([True, True, False, True]),
    "lengths": np.array([2, 5]),
    "three": np.array(3),
    "one": np.array(1),
    "axes": np.array([2, 3]),
    "channels": np.array([1]),
    "columns": np.abs(weight(4, seed=6)),
    "indices": np.random.default_rng(4).integers(0, 5, (2, 4, 5, 3)),
    "fewer": np.random.default_rng(4).integers(0, 5, (2, 3, 5, 5)),
    "places": np.arange(2 * 4 * 25).reshape(2, 4, 5, 5) % 100,
}
# between Conv and BatchNormalization: (operators from a to m, whether the shift is 0, verdict)
BEHIND = {
    "grid-sample-border": ('m = GridSample<padding_mode = "border">(a, grid)', False, "backward"),
    "grid-sample-reflection": (
        'm = GridSample<padding_mode = "reflection", mode = "bicubic">(a, grid)',
        False,
        "backward",
    ),
    "grid-sample-zeros": ("m = GridSample(a, grid)", True, "backward"),
    "grid-sample-zeros-shift": ("m = GridSample(a, grid)", False, "fills-with-zeros"),
    "compress-space": ("m = Compress<axis = 3>(a, keep)", False, "backward"),
    "reverse-sequence": (
        "t = Transpose<perm = [2, 0, 1, 3]>(a) r = ReverseSequence(t, lengths) "
        "m = Transpose<perm = [1, 2, 0, 3]>(r)",
        False,
        "backward",
    ),
    "gather-elements-space": ("m = GatherElements<axis = 3>(a, indices)", False, "backward"),
    "gather-elements-fewer": ("m = GatherElements<axis = 2>(a, fewer)", False, "not-per-channel"),
    "cumsum-scale": ("m = CumSum(a, three)", True, "backward"),
    "cumsum-shift": ("m = CumSum(a, three)", False, "shift-summed"),
    "cumsum-fed": ("s = Size(x) t = Mod(s, three) m = CumSum(a, t)", True, "backward"),
    "cumsum-at-run-time": (
        "t = ReduceMax<keepdims = 0>(x) u = Cast<to = 7>(t) v = Mod(u, one) m = CumSum(a, v)",
        True,
        "dynamic-axes",
    ),
    "lp-pool-in-space": (
        "n = LpPool<kernel_shape = [2, 2]>(a) m = Mul(n, columns)",
        True,
        "backward",
    ),
    "cumsum-channels": ("m = CumSum(a, one)", True, "not-per-channel"),
    "reduce-l2": ("m = ReduceL2(a, axes)", True, "backward"),
    "reduce-l1-shift": ("m = ReduceL1(a, axes)", False, "shift-before-norm"),
    "lp-pool-padded": (
        "m = LpPool<kernel_shape = [2, 2], pads = [1, 1, 0, 0]>(a)",
        True,
        "backward",
    ),
    "global-lp-pool": ("m = GlobalLpPool<p = 1>(a)", True, "backward"),
    "einsum-transpose": ('m = Einsum<equation = "bchw->bcwh">(a)', False, "backward"),
    "einsum-diagonal": ('m = Einsum<equation = "bchh->bch">(a)', False, "einsum"),
}


def behind(name: str) -> tuple[object, str]:
    text, no_shift, verdict = BEHIND[name]
    channels = 3 if "fewer" in name else 4
    values = norm("n", channels)
    if no_shift:
        values |= {"nb": np.zeros(channels, np.float32), "nm": np.zeros(channels, np.float32)}
    parsed = model(
        "(float[2,3,5,5] x) => (float[] y) { a = Conv(x, w) "
        f"{text} b = BN(m, n) y = Sigmoid(b) }}".replace("float[] y", "float y"),
        {"w": weight(4, 3, 1, 1), **values, **CONSTANTS},
        opset=20,
        ir_version=9,
    )
    return parsed, verdict


@pytest.mark.parametrize("name", BEHIND)
def test_what_a_batch_norm_behind_it_becomes(name: str) -> None:
    parsed, verdict = behind(name)
    result = fold_checked(parsed, x=(2, 3, 5, 5))  # type: ignore[arg-type]
    (found,) = verdicts(result).values()
    assert verdict in found.split()
    assert ("BatchNormalization" in kinds_of(result)) == (verdict != "backward")


def test_a_negative_scale_does_not_pass_a_norm_backward_and_does_forward() -> None:
    signs = norm("n", 4, signs=True) | {
        "nb": np.zeros(4, np.float32),
        "nm": np.zeros(4, np.float32),
    }
    text = "(float[2,3,5,5] x) => (float y) {{ a = Conv(x, w) {} y = Sigmoid(z) }}"
    constants = {"w": weight(4, 3, 1, 1), "v": weight(2, 4, 1, 1), **signs, **CONSTANTS}
    after = model(text.format("m = ReduceL2(a, axes) z = BN(m, n)"), constants)
    assert "negative-scale" in next(iter(verdicts(fold_checked(after, x=(2, 3, 5, 5))).values()))
    before = model(
        text.format("t = Tanh(a) b = BN(t, n) m = ReduceL2(b, axes) z = Conv(m, v)"), constants
    )
    assert verdicts(fold_checked(before, x=(2, 3, 5, 5))) == {"b": "forward"}


@pytest.mark.parametrize("negative", [True, False])
def test_a_maximum_of_negative_scales_is_a_minimum(negative: bool) -> None:
    values = norm("n", 4)
    values["ng"] = -values["ng"] if negative else norm("n", 4, signs=True)["ng"]
    parsed = model(
        "(float[2,3,5,5] x) => (float y) "
        "{ a = Conv(x, w) m = ReduceMax(a, axes) b = BN(m, n) y = Sigmoid(b) }",
        {"w": weight(4, 3, 1, 1), **values, **CONSTANTS},
    )
    result = fold_checked(parsed, x=(2, 3, 5, 5))
    assert ("ReduceMin" in kinds_of(result)) == negative
    assert ("BatchNormalization" in kinds_of(result)) != negative


@pytest.mark.parametrize(
    ("op", "inputs"),
    [("LpPool<kernel_shape = [2, 2]>", "a"), ("ReduceL2<keepdims = 1>", "a, channels")],
)
def test_what_varies_in_space_passes_a_norm_of_channels_alone(op: str, inputs: str) -> None:
    width = 4 if "Pool" in op else 5
    text = f"(float[2,3,5,5] x) => (float y) {{ a = Conv(x, w) m = {op}({inputs}) y = Mul(m, c) }}"
    constants = {"w": weight(4, 3, 1, 1), "c": np.abs(weight(width)), **CONSTANTS}
    assert "Mul" in kinds_of(fold_checked(model(text, constants), x=(2, 3, 5, 5)))
    text = f"""(float[2,3,5,5] x) => (float y) {{
        t = Tanh(x) a = Mul(t, c) m = {op}({inputs}) y = MatMul(m, v) }}"""
    constants |= {"c": np.abs(weight(5)), "v": weight(width, 2)}
    assert ("Mul" in kinds_of(fold_checked(model(text, constants), x=(2, 3, 5, 5)))) == (width == 4)


@pytest.mark.parametrize("axis", [None, np.array([0, 1])])
def test_an_axis_that_is_none(axis: Array | None) -> None:
    node = ir.node("CumSum", [ir.Value(name="x"), ir.Value(name="axis")])
    facts: Any = SimpleNamespace(constant=lambda _: axis)
    found = summed(node, {0: identity(3)}, facts)
    assert isinstance(found, Refusal)
    assert found.code == "dynamic-axes"
