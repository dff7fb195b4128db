"""Each operator with a quantised weight: along which axis, in which group, with which bias."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

_RANDOM = np.random.default_rng(4)


def _levels(*shape: int) -> Array:
    return _RANDOM.integers(-9, 10, shape).astype(np.int8)


_CONSTANTS: dict[str, Array] = {
    "mat": _levels(8, 6), "tam": _levels(6, 8), "stack": _levels(2, 8, 6), "ker": _levels(6, 4, 3),
    "rek": _levels(4, 6, 3), "halves": _levels(4, 3, 3), "groups": _levels(6, 2, 3),
    "deep": _levels(4, 1, 3), "pairs": _levels(4, 2, 3),
    "c": np.array(0.02, np.float32),
    "six": np.linspace(0.01, 0.03, 6).astype(np.float32),
    "four": np.linspace(0.01, 0.03, 4).astype(np.float32),
    "blocks": np.linspace(0.01, 0.03, 12).astype(np.float32).reshape(2, 6),
    "h": weight(6, seed=8), "shift": weight(6, seed=9), "number": np.array([1.5], np.float32),
    "tiny": np.array(1e-12, np.float32), "k": weight(3, 6, 1),
    "xs": np.array(0.05, np.float32), "xz": np.array(128, np.uint8),
    "each": np.full(4, 0.05, np.float32), "zeros": np.full(4, 128, np.uint8),
    **norm("n", 6, signs=True), **norm("m", 4, signs=True), **norm("p", 6),
}  # fmt: skip
_CONSTANTS["one"] = np.array([0.5, 0.5, 2, 2], np.float32).reshape(4, 1)
_CONSTANTS["rows"] = np.abs(weight(6, 1)) + np.float32(0.1)
_CONSTANTS["same"] = np.full((4, 1), 1.5, np.float32)
_CONSTANTS["add"] = weight(4, 1, seed=7)


def _folds(inputs: str, text: str, opset: int = 21) -> bool:
    """Whether no affine is left; the judge holds what is computed."""
    parsed = model(
        f"(float{inputs} x) => (float y) {{ {text} }}", _CONSTANTS, opset=opset, ir_version=10
    )
    shape = tuple(2 if size == "N" else int(size) for size in inputs[1:-1].split(","))
    left = kinds_of(fold_checked(parsed, x=shape))
    return not {"BatchNormalization", "Mul", "Add"} & set(left)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("[N,8]", "w = DequantizeLinear<axis = 0>(tam, six) a = Gemm<transB = 1>(x, w)"),
        ("[N,8]", "w = DequantizeLinear(tam, c) a = Gemm<transB = 1>(x, w)"),
        ("[N,8]", "w = DequantizeLinear<axis = 1>(mat, six) a = Gemm(x, w)"),
        ("[N,8]", "w = DequantizeLinear(mat, c) a = Gemm<beta = 0.5>(x, w, h)"),
        ("[N,4,7]", "w = DequantizeLinear<axis = 0>(ker, six) a = Conv(x, w, h)"),
        ("[N,4,7]", "w = DequantizeLinear<axis = 1>(rek, six) a = ConvTranspose(x, w, h)"),
        ("[N,4,7]", "w = DequantizeLinear<axis = 0>(groups, six) a = Conv<group = 2>(x, w)"),
        ("[N,4,7]", "r = Mul(x, tiny) w = DequantizeLinear(ker, c) a = Conv(r, w, h)"),
    ],
)
def test_a_batch_norm_behind_goes_into_the_scales_of_the_outputs(inputs: str, text: str) -> None:
    assert _folds(inputs, f"{text} b = BN(a, n) y = Sigmoid(b)")


_TURNED = "t = Transpose<perm = [0, 2, 1]>(a) b = BN(t, n)"


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("[N,4,7]", "w = DequantizeLinear(halves, c) a = ConvTranspose<group = 2>(x, w) "
         "b = BN(a, n)"),
        ("[N,4,7]", "w = DequantizeLinear(halves, c) a = ConvTranspose<group = 2>(x, w, h) "
         "b = Mul(a, number)"),
        ("[N,4,7]", "w = DequantizeLinear<axis = 1>(ker, four) a = Conv(x, w) b = BN(a, n)"),
        ("[6,8]", "w = DequantizeLinear(mat, c) a = MatMul(x, w) b = Mul(a, rows)"),
        ("[N,5,8]", f"w = DequantizeLinear(mat, c) a = MatMul(x, w) {_TURNED}"),
        ("[5,8]", f"w = DequantizeLinear(stack, c) a = MatMul(x, w) {_TURNED}"),
        ("[8]", "w = DequantizeLinear(stack, c) a = MatMul(x, w) b = BN(a, n)"),
        ("[5,8]", "w = DequantizeLinear(stack, c) a = MatMul(x, w) "
         "t = Transpose<perm = [0, 2, 1]>(a) b = Add(t, rows)"),
        ("[8]", "w = DequantizeLinear(stack, c) a = MatMul(x, w) "
         "t = Transpose<perm = [1, 0]>(a) b = Add(t, rows)"),
    ],
)  # fmt: skip
def test_what_is_no_scale_of_outputs_or_has_no_bias_is_left(inputs: str, text: str) -> None:
    assert not _folds(inputs, f"{text} y = Sigmoid(b)")


@pytest.mark.parametrize(
    ("inputs", "product"),
    [("[N,4,7]", "w = DequantizeLinear(ker, c) a = Conv(x, w)"),
     ("[N,8]", "w = DequantizeLinear(mat, c) a = MatMul(x, w)"),
     ("[N,8]", "w = DequantizeLinear<axis = 1>(nibbles, six) a = MatMul(x, w)")],
)  # fmt: skip
@pytest.mark.parametrize("gone", ["ng", "nb"])
def test_a_channel_may_have_no_scale_or_no_shift(inputs: str, product: str, gone: str) -> None:
    """Its levels become the zero point; its neighbours' shifts stay."""
    values = norm("n", 6, signs=True)
    values[gone][1] = 0
    values["nm"][1] = 0
    text = f"{product} b = BN(a, n) y = Sigmoid(b)"
    nibbles = {"nibbles": np.tile(np.arange(-8, 8), 3).reshape(8, 6).astype(ml_dtypes.int4)}
    parsed = model(
        f"(float{inputs} x) => (float y) {{ {text} }}", _CONSTANTS | values | nibbles, opset=21,
        ir_version=10,
    )  # fmt: skip
    shape = (2, 4, 7) if inputs == "[N,4,7]" else (2, 8)
    assert "BatchNormalization" not in kinds_of(fold_checked(parsed, x=shape))


_FRONT = "t = Sigmoid(x) {} w = DequantizeLinear({}, c) a = Conv<{}>(b, w) y = Sigmoid(a)"


@pytest.mark.parametrize(
    ("front", "levels", "attributes", "goes"),
    [
        ("b = BN(t, m)", "deep", "group = 4", True),
        ("b = BN(t, m)", "deep", "group = 4, pads = [1, 1]", False),
        ("b = Mul(t, one)", "deep", "group = 4, pads = [1, 1]", True),
        ("b = Mul(t, one)", "pairs", "group = 2", True),
        ("b = BN(t, m)", "pairs", "group = 2", False),
        ("b = Mul(t, one)", "ker", "group = 1", False),
        ("b = Mul(t, same)", "ker", "group = 1", True),
        ("b = Add(t, add)", "ker", "group = 1", True),
    ],
)
def test_a_batch_norm_in_front_goes_where_each_output_reads_one_scale(
    front: str, levels: str, attributes: str, goes: bool
) -> None:
    assert _folds("[N,4,7]", _FRONT.format(front, levels, attributes)) == goes


_IN = "u = QuantizeLinear(x, xs, xz) d = DequantizeLinear(u, xs, xz)"
_EACH = (
    "u = QuantizeLinear<axis = 1>(x, each, zeros) d = DequantizeLinear<axis = 1>(u, each, zeros)"
)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("[N,8]", f"{_IN} w = DequantizeLinear<axis = 0, block_size = 4>(mat, blocks) "
         "a = Gemm(d, w, h)"),
        ("[N,4,7]", f"{_EACH} w = DequantizeLinear(ker, c) a = Conv(d, w, h)"),
        ("[N,4,7]", f"{_IN} w = DequantizeLinear(ker, c) a = Conv(d, w)"),
    ],
)  # fmt: skip
def test_a_bias_that_has_no_grid_is_a_float(inputs: str, text: str) -> None:
    assert _folds(inputs, f"{text} b = BN(a, n) y = Sigmoid(b)")


@pytest.mark.parametrize(
    ("affine", "bias", "goes_to"),
    [
        ("Mul(a, two)", "b = DequantizeLinear(whole, unit)", TensorProto.INT32),
        ("Mul(a, twos)", "b = DequantizeLinear(whole, unit)", TensorProto.INT32),
        ("Mul(a, two)", "b = Identity(real)", TensorProto.FLOAT),
        ("Add(a, offs)", "b = DequantizeLinear(whole, unit)", TensorProto.FLOAT),
    ],
)
def test_a_bias_on_the_grid_is_of_the_type_that_it_was(
    affine: str, bias: str, goes_to: int
) -> None:
    """One step for all channels, or one for each where their scales differ; a float stays one."""
    whole = np.array([10, -20, 30, 4, 5, 6], np.int32)
    constants = _CONSTANTS | {
        "c": np.array(0.25, np.float32), "xs": np.array(0.5, np.float32),
        "unit": np.array(0.125, np.float32), "whole": whole,
        "real": whole.astype(np.float32) / 8, "two": np.array([2], np.float32),
        "offs": np.array([2, 1, 0.3, 4, 1, -1], np.float32).reshape(6, 1),
        "twos": np.array([2, 1, -2, 4, 1, 0.5], np.float32).reshape(6, 1),
    }  # fmt: skip
    text = f"{_IN} w = DequantizeLinear(ker, c) {bias} a = Conv(d, w, b) e = {affine}"
    parsed = model(
        f"(float[N,4,7] x) => (float y) {{ {text} y = Sigmoid(e) }}", constants, opset=21
    )
    result = fold_checked(parsed, x=(2, 4, 7))
    assert not {"Mul", "Add"} & set(kinds_of(result))
    stored = {t.name: t for t in result.to_proto().graph.initializer}
    (folded,) = (node for node in result.to_proto().graph.node if node.op_type == "Conv")
    makers = {out: node for node in result.to_proto().graph.node for out in node.output}
    read = folded.input[2]
    source = makers[read].input[0] if read in makers else read
    assert stored[source].data_type == goes_to


def test_a_bias_is_refused_where_it_leaves_int32_in_one_channel() -> None:
    """A runtime would make it an integer by itself."""
    far = norm("n", 6) | {"nb": np.array([1, 1, 1, 1e9, 1, 1], np.float32)}
    text = f"{_IN} w = DequantizeLinear(ker, c) a = Conv(d, w) b = BN(a, n) y = Sigmoid(b)"
    parsed = model(f"(float[N,4,7] x) => (float y) {{ {text} }}", _CONSTANTS | far, opset=21)
    (found,) = verdicts(fold_checked(parsed, x=(2, 4, 7))).values()
    assert "bias-range" in found.split()


@pytest.mark.parametrize("fed", ["float s", "float[6] s", "int8 z"])
def test_a_scale_or_zero_point_that_is_fed_is_no_constant(fed: str) -> None:
    parameters = "c, z" if fed.endswith("z") else "s"
    text = f"w = DequantizeLinear<axis = 0>(ker, {parameters}) a = Conv(x, w) b = BN(a, n)"
    parsed = model(
        f"(float[N,4,7] x, {fed}) => (float y) {{ {text} y = Sigmoid(b) }}", _CONSTANTS, opset=21
    )
    result = check_fold(parsed, [])
    assert kinds_of(result).count("BatchNormalization") == 1


@pytest.mark.parametrize(
    ("inputs", "text", "kind", "left"),
    [
        # an activation whose scale is not known, beside a bias
        ("uint8[N,4,7] x, float s", "d = DequantizeLinear(x, s) w = DequantizeLinear(ker, c) "
         "a = Conv(d, w, h) b = BN(a, n) y = Sigmoid(b)", "BatchNormalization", 0),
        # an affine that arrives at the bias
        ("float[N,4,7] x, float[6] z", "t = Sigmoid(z) b = Mul(t, h) w = DequantizeLinear(ker, c) "
         "a = Conv(x, w, b) y = Sigmoid(a)", "Mul", 1),
    ],
)  # fmt: skip
def test_what_else_a_quantised_conv_reads_may_be_fed(
    inputs: str, text: str, kind: str, left: int
) -> None:
    parsed = model(f"({inputs}) => (float y) {{ {text} }}", _CONSTANTS, opset=21)
    assert kinds_of(check_fold(parsed, [])).count(kind) == left


_RUN = "d = DequantizeLinear<axis = 1>(x, {}) {} y = Sigmoid(e)"
_FACTORS: dict[str, Array] = {
    "c": np.array(0.05, np.float32), "z": np.array(100, np.uint8),
    "each": np.array([0.05, 0.02, 0.1, 0.03], np.float32), "zs": np.array([9, 3, 9, 2], np.uint8),
    "s": np.array([0.5, 2, 3, 0.1], np.float32).reshape(4, 1),
    "mixed": np.array([0.5, -2, 3, 0.1], np.float32).reshape(4, 1),
    "shut": np.array([0.5, 0, 3, 0.1], np.float32).reshape(4, 1),
    "one": np.array([2], np.float32), "most": np.array(6, np.float32),
}  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "text", "opset", "goes"),
    [
        ("c", "e = Mul(d, s)", 21, True),
        ("each, zs", "e = Mul(d, one)", 21, True),
        ("c, z", "e = Mul(d, mixed)", 21, False),
        ("c, z", "e = Mul(d, shut)", 21, False),
        ("c, z", "e = Mul(d, s)", 13, True),
        ("c, z", "m = Mul(d, s) e = Clip(m, , most)", 13, True),
        ("c, z", "m = Mul(d, one) q = QuantizeLinear(m, c, z) e = DequantizeLinear(q, c, z)", 13,
         True),
        ("c, z", "m = Mul(d, s) q = QuantizeLinear(m, c, z) e = DequantizeLinear(q, c, z)", 13,
         False),
    ],
)  # fmt: skip
def test_a_scale_behind_what_is_dequantised_at_run_time(
    parameters: str, text: str, opset: int, goes: bool
) -> None:
    body = _RUN.format(parameters, text)
    parsed = model(f"(uint8[2,4,5] x) => (float y) {{ {body} }}", _FACTORS, opset=opset)
    assert ("Mul" not in kinds_of(fold_checked(parsed, x=(2, 4, 5)))) == goes


def test_what_is_dequantised_in_blocks_at_run_time_keeps_the_scale_behind_it() -> None:
    steps = {"c": np.full((2, 2, 5), 0.05, np.float32), "z": np.full((2, 2, 5), 9, np.uint8)}
    text = "d = DequantizeLinear<axis = 1, block_size = 2>(x, c, z) e = Mul(d, one) y = Sigmoid(e)"
    parsed = model(
        f"(uint8[2,4,5] x) => (float y) {{ {text} }}", _FACTORS | steps, opset=21, ir_version=10
    )
    assert "Mul" in kinds_of(fold_checked(parsed, x=(2, 4, 5)))


@pytest.mark.parametrize("fed", ["float c", "uint8 z"])
def test_what_dequantises_at_run_time_by_what_is_fed_keeps_its_scale(fed: str) -> None:
    constants = {k: v for k, v in _FACTORS.items() if k != fed.split()[1]}
    body = _RUN.format("c, z", "e = Mul(d, s)").replace("<axis = 1>", "")
    parsed = model(f"(uint8[2,4,5] x, {fed}) => (float y) {{ {body} }}", constants, opset=21)
    onnx.checker.check_model(parsed)
    assert "Mul" in kinds_of(check_fold(parsed, []))


@pytest.mark.parametrize(("factor", "opset", "goes"), [
    ("number", 12, True), ("column", 12, False), ("column", 13, True),
])  # fmt: skip
def test_scales_for_each_channel_came_with_opset_13(factor: str, opset: int, goes: bool) -> None:
    constants = _CONSTANTS | {"column": np.abs(weight(6, 1)) + np.float32(0.1)}
    text = f"w = DequantizeLinear(ker, c) a = Conv(x, w) e = Mul(a, {factor}) y = Sigmoid(e)"
    parsed = model(f"(float[N,4,7] x) => (float y) {{ {text} }}", constants, opset=opset)
    assert ("Mul" not in kinds_of(fold_checked(parsed, x=(2, 4, 7)))) == goes
