"""Casts, constants and what happens to dtypes."""

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest

from bnfold.errors import ModelError
from bnfold.float64 import UnsupportedOperatorError, run_node, run_op

THIRD = np.float64(1) / 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16, np.float64])
def test_every_float_is_taken_as_float64(dtype):
    x = np.array([THIRD], dtype)
    (y,) = run_op("Add", [x, x], {}, opset=14)
    assert y.dtype == np.float64
    assert y.item() == 2 * float(x[0])


def test_a_cast_between_floats_does_not_round_unless_asked():
    cast = {"to": onnx.TensorProto.FLOAT16}
    (kept,) = run_op("Cast", [np.array(THIRD)], cast, opset=13)
    (rounded,) = run_op("Cast", [np.array(THIRD)], cast, opset=13, round_casts=True)
    assert kept.item() == THIRD
    assert rounded.item() == float(np.float16(THIRD))
    assert rounded.dtype == np.float64


def test_a_cast_to_integers_truncates(agrees, draw):
    for dtype in (np.int64, np.int32, np.uint8, np.bool_):
        to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        x = np.abs(draw(40)) * 9 if dtype is np.uint8 else draw(40) * 9
        agrees("Cast", [x], {"to": to})
    agrees("Cast", [np.array([True, False])], {"to": onnx.TensorProto.FLOAT})
    agrees("Cast", [np.array([300, -7])], {"to": onnx.TensorProto.INT32})


def test_cast_like_follows_the_stored_dtype_or_what_the_node_says():
    x = np.array(2.7)
    assert run_op("CastLike", [x, np.array(0, np.int8)], {}, opset=15)[0].dtype == np.int8
    assert run_op("CastLike", [x, np.zeros(1, np.float16)], {}, opset=15)[0].item() == 2.7
    half = [x, np.zeros(1, np.float16)]
    assert run_op("CastLike", half, {}, opset=15, round_casts=True)[0].item() == np.float16(2.7)
    (y,) = run_op(
        "CastLike", [x, np.zeros(1)], {}, opset=15, round_casts=True, output_dtype=np.dtype("f2")
    )
    assert y.item() == np.float16(2.7)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"value": np.array([1, 2], np.int32)}, np.array([1, 2], np.int32)),
        ({"value": onnx.helper.make_tensor("t", 10, [1], [1.5])}, np.array([1.5])),
        ({"value": ir.tensor([0.5])}, np.array([0.5])),
        ({"value_float": 0.5}, np.array(0.5)),
        ({"value_floats": [0.5, 1.5]}, np.array([0.5, 1.5])),
        ({"value_int": 3}, np.array(3)),
        ({"value_ints": [3, 4]}, np.array([3, 4])),
    ],
)
def test_constants(attributes, expected):
    (y,) = run_op("Constant", [], attributes, opset=13)
    assert y.dtype == expected.dtype
    assert y.shape == expected.shape
    assert y.tolist() == expected.tolist()


def test_fill_takes_the_dtype_of_its_value(agrees):
    value = onnx.helper.make_tensor("v", onnx.TensorProto.INT32, [1], [7])
    agrees("ConstantOfShape", [np.array([2, 3])], {"value": value})
    (y,) = run_op("ConstantOfShape", [np.array([2])], {"value": ir.tensor([0.5])}, opset=9)
    assert y.tolist() == [0.5, 0.5]


def test_dropout_drops_nothing(agrees, draw):
    x = draw(3, 4)
    agrees("Dropout", [x])
    agrees("Dropout", [x, np.array(0.5, np.float32)], n_outputs=2)
    agrees("Dropout", [x], {"ratio": 0.3}, opset=10)


@pytest.mark.parametrize(("opset", "inputs"), [(6, []), (13, [np.array(0.5), np.array(True)])])
def test_dropout_while_training_is_refused(opset, inputs):
    with pytest.raises(
        UnsupportedOperatorError, match="Dropout: training mode draws random numbers"
    ):
        run_op("Dropout", [np.ones(3), *inputs], {}, opset=opset)


def test_random_operators_are_refused():
    with pytest.raises(UnsupportedOperatorError, match="RandomNormal draws random numbers"):
        run_op("RandomNormal", [], {"shape": [2]}, opset=13)


@pytest.mark.parametrize(("op", "domain"), [("NoSuchOp", ""), ("Thing", "my.domain")])
def test_unknown_operators_are_named(op, domain):
    with pytest.raises(UnsupportedOperatorError, match=op):
        run_op(op, [np.ones(3)], {}, opset=1 if domain else 18, domain=domain)
    assert issubclass(UnsupportedOperatorError, ModelError)


def test_a_missing_input_is_named():
    with pytest.raises(ModelError, match="Add: input 1 is missing"):
        run_op("Add", [np.ones(3)], {}, opset=14)


def test_a_node_runs_with_its_attributes_or_others():
    node = ir.node("LeakyRelu", [ir.val("x")], {"alpha": 0.5})
    x = np.array([-2.0])
    assert run_node(node, [x], opset=16)[0].item() == -1
    assert run_node(node, [x], opset=16, attributes={"alpha": 0.25})[0].item() == -0.5


def test_trailing_outputs_that_are_left_out_do_not_count():
    """An old batch norm with one real output is in inference mode."""
    node = onnx.helper.make_node("BatchNormalization", list("xsbmv"), ["y", "", ""])
    one = np.ones(1)
    (y, *_) = run_node(ir.from_proto(node), [np.full((2, 1), 4.0), one, one, one, one], opset=9)
    np.testing.assert_allclose(y, np.full((2, 1), 4.0), rtol=1e-4)


def test_cast_like_in_a_node_takes_the_declared_dtype():
    node = ir.node("CastLike", [ir.val("x"), ir.val("like")])
    node.outputs[0].dtype = ir.DataType.FLOAT16
    (y,) = run_node(node, [np.array(THIRD), np.ones(1)], opset=15, round_casts=True)
    assert y.item() == float(np.float16(THIRD))
