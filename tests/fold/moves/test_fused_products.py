"""A FusedMatMul whose operands are no two matrices is left alone, and told why."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from bnfold.fold import fold
from tests.fold.moves.test_fused import BN, HEADER
from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import norm, weight

CONSTANTS = {"w": weight(3, 4), "v": weight(3), "W": weight(2, 3, 4), "c": weight(3, seed=1)}
CONSTANTS |= {"d": weight(4, seed=1), "o": weight(1, seed=1), **norm("i", 3)}


def built(shape: tuple[int, ...], body: str) -> onnx.ModelProto:
    body = body.replace("FusedMatMul", "com.microsoft.FusedMatMul")
    parsed = onnx.parser.parse_model(f"{HEADER} (float{list(shape)} x) => (float[] y) {{ {body} }}")
    for name, array in CONSTANTS.items():
        parsed.graph.initializer.append(numpy_helper.from_array(array, name))
    return parsed


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ((5, 3), "a = FusedMatMul(x, v) y = Mul(a, o)"),
        ((3,), "a = FusedMatMul(x, w) y = Mul(a, d)"),
        ((5, 3), "r = Relu(x) a = Mul(r, c) y = FusedMatMul(a, v)"),
        ((2, 5, 3), "r = Relu(x) a = Add(r, c) b = FusedMatMul(a, W) y = Add(b, d)"),
    ],
)
def test_what_is_no_product_of_two_matrices_keeps_its_neighbour(
    shape: tuple[int, ...], body: str
) -> None:
    parsed = built(shape, body)
    result = check_fold(parsed, [{"x": weight(*shape, seed=5)}])
    assert kinds_of(result) == [node.op_type for node in parsed.graph.node]


def test_axes_of_the_batch_that_are_exchanged_are_the_reason() -> None:
    body = f"""r = Relu(x) a = {BN.format("r", "i")} t = Transpose<perm = [0, 2, 1]>(a)
        y = FusedMatMul<transBatchA = 1>(t, w)"""
    (kept,) = fold(built((2, 3, 5), body)).ledger.kept
    assert any("axes of the batch" in refusal.sentence for refusal in kept.refusals)
