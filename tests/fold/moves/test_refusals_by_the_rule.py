"""What cannot move is refused by the rule that knows why, not found out by the proof."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import Array, model, norm, weight


def agrees(built: onnx.ModelProto, x: Array, allow: str | tuple[str, ...] = ()) -> list[str]:
    """The refusals' codes of a fold without bugs that computes the same in onnxruntime."""
    result = bnfold.fold(built, allow=allow)
    assert not result.ledger.bugs
    old, new = run_runtime(built, {"x": x}), run_runtime(result.to_proto(), {"x": x})
    assert old is not None
    assert new is not None
    for a, b in zip(old, new, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * np.abs(a).max(initial=1e-9))
    return [refusal.code for d in result.ledger.kept for refusal in d.refusals]


@pytest.mark.parametrize("bounds", [(1.0, -1.0), (2.0, 2.0), (0.0, -0.5), (np.nan, 1.0)])
@pytest.mark.parametrize("allow", [(), "all"])
@pytest.mark.parametrize(
    "order", ["b = BN(x, p) c = Clip(b, l, h)", "b = Clip(x, l, h) c = BN(b, p)"]
)
def test_a_clip_that_makes_a_constant(
    bounds: tuple[float, float], allow: str | tuple[str, ...], order: str
) -> None:
    text = f"(float[1, 4, 3, 3] x) => (float[] y) {{ {order} y = Conv(c, w) }}"
    parts = {"w": weight(6, 4, 1, 1), **norm("p", 4)}
    parts |= {n: np.array(v, np.float32) for n, v in zip("lh", bounds, strict=True)}
    agrees(model(text, parts), weight(1, 4, 3, 3, seed=4), allow)


@pytest.mark.parametrize(
    ("text", "w", "c", "x"),
    [
        ("a = MatMul(w, x) y = Mul(a, c)", (3, 3, 4), (3, 1), (4,)),
        ("a = MatMul(w, x) y = Mul(a, c)", (3, 4), (3,), (4,)),
        ("a = MatMul(x, w) y = Mul(a, c)", (4, 3), (3,), (4,)),
        ("a = MatMul(x, w) y = Add(a, c)", (2, 4, 3), (2, 1), (4,)),
        ("r = Relu(x) a = Mul(r, c) y = MatMul(w, a)", (3, 4), (4,), (4,)),
        ("r = Relu(x) a = Mul(r, c) y = MatMul(a, w)", (4, 3), (4,), (4,)),
    ],
)
def test_a_product_with_a_vector(
    text: str, w: tuple[int, ...], c: tuple[int, ...], x: tuple[int, ...]
) -> None:
    head = f"(float{list(x)} x) => (float[] y)"
    constants = {"w": weight(*w), "c": weight(*c, seed=1)}
    agrees(model(f"{head} {{ {text} }}", constants), weight(*x, seed=2))


@pytest.mark.slow
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("size", ["W", "8", "9", "11", "12"])
def test_same_padding_with_a_kernel_smaller_than_the_stride(
    auto_pad: str, kernel: int, stride: int, size: str
) -> None:
    """onnxruntime crops there, where the reference does not: nothing may be made explicit."""
    attributes = f'<strides = [{stride}], auto_pad = "{auto_pad}">'
    text = f"""(float[1, 4, {size}] x) => (float[] y) {{ a = Conv{attributes}(x, w)
        b = Conv(a, v) c = Conv{attributes}(x, w) d = Conv{attributes}(x, k) e = Add(c, d)
        f = BN(e, p) g = Add(b, f) y = Relu(g) }}"""
    parts = {"w": weight(6, 4, kernel), "v": weight(6, 6, 1), "k": weight(6, 4, 1, seed=1)}
    built = model(text, {**parts, **norm("p", 6)})
    for extent in [int(size)] if size != "W" else [8, 9, 11, 12]:
        agrees(built, weight(1, 4, extent, seed=3))


@pytest.mark.parametrize("bias", ["", ", b"])
def test_a_dequantised_weight_keeps_its_output_type(bias: str) -> None:
    """Since opset 23 a float32 scale may make float16 numbers."""
    text = f"""(float16[1, 4, 3, 3] x) => (float16[1, 6, 3, 3] y) {{
        w = DequantizeLinear<axis = 0, output_dtype = 10>(q, s, k) a = Conv(x, w{bias})
        y = BN(a, p) }}"""
    random = np.random.default_rng(0)
    typed: dict[str, Array] = {n: a.astype(np.float16) for n, a in norm("p", 6).items()}
    typed["q"] = random.integers(-127, 127, (6, 4, 1, 1)).astype(np.int8)
    typed |= {"s": np.full(6, 0.01, np.float32), "k": np.zeros(6, np.int8)}
    typed["b"] = random.normal(size=6).astype(np.float16)
    built = model(text, typed, opset=23, ir_version=11)
    result = bnfold.fold(built)
    assert result.ledger.batch_norms_after == 0
    onnx.checker.check_model(result.to_proto(), full_check=True)
    x = random.normal(size=(1, 4, 3, 3)).astype(np.float16)
    old, new = run_runtime(built, {"x": x}), run_runtime(result.to_proto(), {"x": x})
    assert old is not None
    assert new is not None
    np.testing.assert_allclose(new[0], old[0], rtol=0, atol=0.01 * np.abs(old[0]).max())
