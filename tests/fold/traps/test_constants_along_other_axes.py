"""Constants that look per-channel and are not, or do not look it and are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import (
    Array,
    fold_checked,
    list_initializers,
    model,
    norm,
    verdicts,
    weight,
)


def _conv_then(op: str, constant: Array, *, first: bool = False, size: int = 4) -> onnx.ModelProto:
    operands = "c, a" if first else "a, c"
    return model(
        f"""(float[N, 4, {size}, {size}] x) => (float[N, 4, {size}, {size}] y) {{
            a = Conv(x, w)
            y = {op}({operands})
        }}""",
        {"w": weight(4, 4, 1, 1), "c": constant},
    )


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
@pytest.mark.parametrize(
    "shape", [(4,), (1, 4), (4, 1), (1, 1, 4, 1), (1, 1, 1, 4), (4, 4), (4, 4, 4), (1, 1, 4, 4)]
)
def test_constant_in_space_stays_even_where_sizes_coincide(op: str, shape: tuple[int, ...]) -> None:
    """C = H = W = 4: only ranks tell them apart."""
    constant = np.abs(weight(*shape)) + np.float32(0.5)
    result = fold_checked(_conv_then(op, constant), x=(2, 4, 4, 4))
    assert kinds_of(result) == ["Conv", op]


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (4, 1, 1), (1, 4, 1, 1), (1, 1, 1, 1)])
def test_constant_along_the_channels_folds(op: str, shape: tuple[int, ...]) -> None:
    constant = np.abs(weight(*shape)) + np.float32(0.5)
    result = fold_checked(_conv_then(op, constant), x=(2, 4, 4, 4))
    assert kinds_of(result) == ["Conv"]


@pytest.mark.parametrize(
    ("op", "kinds"),
    [("Mul", ["Conv"]), ("Add", ["Conv"]), ("Sub", ["Conv"]), ("Div", ["Conv", "Div"])],
)
def test_constant_first(op: str, kinds: list[str]) -> None:
    """c - x is an affine, c / x is none."""
    constant = np.abs(weight(4, 1, 1)) + np.float32(0.5)
    result = fold_checked(_conv_then(op, constant, first=True), x=(2, 4, 4, 4))
    assert kinds_of(result) == kinds


def test_constant_that_enlarges_the_value_stays() -> None:
    """A Conv of one channel times [4, 1, 1] has four channels."""
    built = model(
        """(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) {
            a = Conv(x, w)
            y = Mul(a, c)
        }""",
        {"w": weight(1, 4, 1, 1), "c": weight(4, 1, 1)},
    )
    assert kinds_of(fold_checked(built, x=(2, 4, 3, 3))) == ["Conv", "Mul"]


def test_constant_that_adds_an_axis_stays() -> None:
    built = model(
        """(float[N, 4, 3, 3] x) => (float[1, N, 4, 3, 3] y) {
            a = Conv(x, w)
            y = Mul(a, c)
        }""",
        {"w": weight(4, 4, 1, 1), "c": weight(1, 1, 4, 1, 1)},
    )
    assert kinds_of(fold_checked(built, x=(2, 4, 3, 3))) == ["Conv", "Mul"]


def test_vector_beside_a_matrix_is_per_channel() -> None:
    built = model(
        "(float[N, 3] x) => (float[N, 4] y) { a = MatMul(x, w) b = Mul(a, c) y = Add(b, d) }",
        {"w": weight(3, 4), "c": weight(4), "d": weight(4)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) in (["Gemm"], ["MatMul", "Add"])


def test_vector_along_the_batch_of_a_matrix_stays() -> None:
    built = model(
        "(float[4, 4] x) => (float[4, 4] y) { a = Gemm(x, w) y = Mul(a, c) }",
        {"w": weight(4, 4), "c": weight(4, 1)},
    )
    assert kinds_of(fold_checked(built, x=(4, 4))) == ["Gemm", "Mul"]


def test_vector_along_the_length_of_a_sequence_stays_beside_a_batch_norm_along_the_channels() -> (
    None
):
    """x @ W has its channels last; BatchNormalization normalises axis 1."""
    built = model(
        "(float[N, 4, 3] x) => (float[N, 4, 4] y) { a = MatMul(x, w) [bn] y = BN(a, p) }",
        {"w": weight(3, 4), **norm("p", 4)},
    )
    assert verdicts(fold_checked(built, x=(2, 4, 3))) == {"bn": "not-per-channel graph-output"}


def test_unknown_rank_stays() -> None:
    """[4, 1, 1] would be the channels of an image, and the batch of a sequence."""
    built = model(
        "(float x) => (float y) { r = Relu(x) b = Mul(r, c) y = Sigmoid(b) }",
        {"c": weight(4, 1, 1)},
    )
    del built.graph.input[0].type.tensor_type.shape.dim[:]
    built.graph.input[0].type.tensor_type.ClearField("shape")
    built.graph.output[0].type.tensor_type.ClearField("shape")
    assert kinds_of(fold_checked(built, x=(2, 4, 3, 3))) == ["Relu", "Mul", "Sigmoid"]


def test_rank_that_only_the_conv_tells_folds() -> None:
    built = model(
        "(float x) => (float y) { a = Conv(x, w) [bn] b = BN(a, p) y = Sigmoid(b) }",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
    )
    built.graph.input[0].type.tensor_type.ClearField("shape")
    built.graph.output[0].type.tensor_type.ClearField("shape")
    assert verdicts(fold_checked(built, x=(2, 3, 3, 3))) == {"bn": "backward"}


def test_constant_that_the_caller_may_override_stays() -> None:
    built = _conv_then("Mul", weight(4, 1, 1))
    built.graph.input.append(onnx.helper.make_tensor_value_info("c", 1, [4, 1, 1]))
    assert kinds_of(fold_checked(built, x=(2, 4, 4, 4))) == ["Conv", "Mul"]


@pytest.mark.parametrize("name", ["w", "b"])
def test_weight_or_bias_that_the_caller_may_override_stays(name: str) -> None:
    built = model(
        "(float[N, 3, 3, 3] x) => (float[N, 4, 3, 3] y) { a = Conv(x, w, b) [bn] y = BN(a, p) }",
        {"w": weight(4, 3, 1, 1), "b": weight(4), **norm("p", 4)},
    )
    shape = {"w": [4, 3, 1, 1], "b": [4]}[name]
    built.graph.input.append(onnx.helper.make_tensor_value_info(name, 1, shape))
    result = fold_checked(built, x=(2, 3, 3, 3))
    assert kinds_of(result) == ["Conv", "BatchNormalization"]


def test_listed_initializers_are_constants_in_old_models() -> None:
    """Up to IR version 3 every initializer had to be listed as an input."""
    built = model(
        "(float[N, 3, 3, 3] x) => (float[N, 4, 3, 3] y) { a = Conv(x, w) [bn] y = BN(a, p) }",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
        opset=8,
        ir_version=3,
    )
    assert verdicts(fold_checked(list_initializers(built), x=(2, 3, 3, 3))) == {"bn": "backward"}


@pytest.mark.parametrize("opset", [6])
def test_broadcast_by_attribute_is_not_right_aligned(opset: int) -> None:
    """Before opset 7, `broadcast = 1, axis = 1` lays [4] along the channels, W being 4 too."""
    built = model(
        """(float[2, 4, 4, 4] x) => (float[2, 4, 4, 4] y) {
            a = Conv(x, w)
            y = Mul<broadcast = 1, axis = 1>(a, c)
        }""",
        {"w": weight(4, 4, 1, 1), "c": weight(4)},
        opset=opset,
    )
    fold_checked(built, x=(2, 4, 4, 4))
