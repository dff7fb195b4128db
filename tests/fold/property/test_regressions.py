"""Every failure that random graphs ever found, as a small named graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
from onnx import numpy_helper

import bnfold
from tests.fold.property.oracle import check_fold, kinds_of

Array = npt.NDArray[np.generic]
BN = "BatchNormalization"


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _weight(*shape: int, seed: int = 0) -> Array:
    return _random(seed).normal(size=shape).astype(np.float32)


def _norm(prefix: str, channels: int, seed: int = 1) -> dict[str, Array]:
    """gamma, beta, mean and variance under `<prefix>g`, `b`, `m`, `v`."""
    random = _random(seed)
    values = {
        "g": random.uniform(0.5, 1.5, channels),
        "b": random.normal(size=channels),
        "m": random.normal(size=channels),
        "v": random.uniform(0.5, 2, channels),
    }
    return {prefix + name: value.astype(np.float32) for name, value in values.items()}


def _model(
    text: str, constants: dict[str, Array], *, opset: int = 18, ir_version: int = 8
) -> onnx.ModelProto:
    header = f'<ir_version: {ir_version}, opset_import: ["": {opset}]> g '
    model = onnx.parser.parse_model(header + text)
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model


def _fold_checked(model: onnx.ModelProto, **shapes: tuple[int, ...]) -> bnfold.fold.FoldResult:
    random = _random(7)
    feeds = {name: random.normal(size=shape) for name, shape in shapes.items()}
    return check_fold(model, [feeds])


def test_output_keeps_its_name_where_a_bias_behind_a_concat_goes_too() -> None:
    """Two affines go, the last one's name stays on the tensor that carries its value."""
    model = _model(
        f"""(float[N, 3] x, float[N, 2] z) => (float[N, 6] y) {{
            m = MatMul(x, w)
            a = Add(m, bias)
            g = Gemm(z, w2)
            c = Concat<axis = 1>(a, g)
            y = {BN}(c, pg, pb, pm, pv)
        }}""",
        {"w": _weight(3, 4), "bias": _weight(4), "w2": _weight(2, 2), **_norm("p", 6)},
    )
    result = _fold_checked(model, x=(2, 3), z=(2, 2))
    assert kinds_of(result) == ["Gemm", "Gemm", "Concat"]


def test_folds_into_a_weight_that_is_computed_and_has_no_stated_type() -> None:
    """Exporters leave Transpose(weight) in front of MatMul, without a value_info."""
    model = _model(
        f"""(float[N, 3] x) => (float[N, 4] y) {{
            wt = Transpose(w)
            m = MatMul(x, wt)
            y = {BN}(m, pg, pb, pm, pv)
        }}""",
        {"w": _weight(4, 3), **_norm("p", 4)},
    )
    assert kinds_of(_fold_checked(model, x=(2, 3))) == ["Gemm"]


def test_addition_of_a_computed_constant_without_a_stated_type_does_not_crash() -> None:
    model = _model(
        f"""(float[N, 3] x) => (float[N, 3] y) {{
            r = Sigmoid(x)
            bi = Identity(bias)
            a = Add(r, bi)
            q = {BN}(a, pg, pb, pm, pv)
            y = Sigmoid(q)
        }}""",
        {"bias": _weight(3), **_norm("p", 3)},
    )
    assert kinds_of(_fold_checked(model, x=(2, 3))) == ["Sigmoid", BN, "Sigmoid"]


def test_affine_that_amounts_to_nothing_leaves_the_input_its_name() -> None:
    model = _model(
        """(float[N, 3] x) => (float[N, 3] y) {
            s = Sub(x, zero)
            y = Sigmoid(s)
        }""",
        {"zero": np.zeros((), np.float32)},
    )
    assert kinds_of(_fold_checked(model, x=(2, 3))) == ["Sigmoid"]


def test_affine_that_amounts_to_nothing_stays_between_an_input_and_an_output() -> None:
    """Something must bear the output's name."""
    model = _model(
        """(float[N, 3] x) => (float[N, 3] y) {
            y = Sub(x, zero)
        }""",
        {"zero": np.zeros((), np.float32)},
    )
    assert kinds_of(_fold_checked(model, x=(2, 3))) == ["Sub"]


def test_output_that_equals_an_inner_tensor_keeps_its_name() -> None:
    model = _model(
        """(float[N, 3] x) => (float[N, 3] y, float[N, 3] z) {
            s = Sigmoid(x)
            y = Mul(s, one)
            z = Neg(s)
        }""",
        {"one": np.ones((), np.float32)},
    )
    assert kinds_of(_fold_checked(model, x=(2, 3))) == ["Sigmoid", "Neg"]


def test_scale_that_passes_a_batched_product_has_the_rank_of_the_value() -> None:
    model = _model(
        f"""(float[2, 3, 4, 5] x) => (float[P, Q, R] y) {{
            r = Sigmoid(x)
            b = {BN}(r, pg, pb, pm, pv)
            c = Mul(b, two)
            m = MatMul(c, w)
            v = Reshape(m, shape)
            y = Relu(v)
        }}""",
        {
            "w": _weight(5, 2),
            "two": np.array(2, np.float32),
            "shape": np.array([2, 3, 8]),
            **_norm("p", 3),
        },
    )
    assert kinds_of(_fold_checked(model, x=(2, 3, 4, 5))).count("BatchNormalization") == 1
