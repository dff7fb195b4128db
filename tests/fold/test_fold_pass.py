"""Folding as a pass among others."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
from onnx import numpy_helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from bnfold.fold import FoldBatchNorm

TEXT = """
<ir_version: 9, opset_import: ["": 18]>
g (float[N,3,8,8] x) => (float[N,4,6,6] y) {
    a = Conv(x, w)
    unused = Sigmoid(a)
    y = BatchNormalization(a, s, b, m, v)
}
"""


def _model() -> ir.Model:
    proto = onnx.parser.parse_model(TEXT)
    generator = np.random.default_rng(0)
    shapes = {"w": (4, 3, 3, 3), "s": (4,), "b": (4,), "m": (4,), "v": (4,)}
    for name, shape in shapes.items():
        array = generator.uniform(0.5, 1.5, shape).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    return ir.from_proto(proto)


def test_composes_with_other_passes() -> None:
    """A pass before it takes away the reader that stood in its way."""
    model = _model()
    fold = FoldBatchNorm()
    result = ir.passes.Sequential(RemoveUnusedNodesPass(), fold)(model)
    assert result.modified
    assert [node.op_type for node in result.model.graph] == ["Conv"]
    assert fold.ledger.batch_norms_after == 0


def test_says_when_nothing_changed() -> None:
    fold = FoldBatchNorm(skip=["y"])
    result = fold(_model())
    assert not result.modified
    assert [d.refusals[0].code for d in fold.ledger.kept] == ["skipped"]


def test_the_second_run_changes_nothing() -> None:
    model = ir.passes.Sequential(RemoveUnusedNodesPass(), FoldBatchNorm())(_model()).model
    assert not FoldBatchNorm()(model).modified


INSIDE_A_FUNCTION = """
<ir_version: 9, opset_import: ["": 18, "local": 1]>
g (float[N,3,8,8] x) => (float[N,3,8,8] y) <float[3] s = {1, 2, 3}, float[3] b = {1, 2, 3}> {
    a = Tanh(x)
    y = local.block(a, s, b)
}
<opset_import: ["": 18], domain: "local">
block (x, s, b) => (y) {
    n = BatchNormalization(x, s, b, b, s)
    y = Tanh(n)
}
"""


def test_says_that_a_function_was_inlined_around_a_batch_norm_that_stays() -> None:
    model = ir.from_proto(onnx.parser.parse_model(INSIDE_A_FUNCTION))
    fold = FoldBatchNorm()
    result = fold(model)
    assert fold.ledger.batch_norms_after == 1
    assert [n.op_type for n in result.model.graph] == ["Tanh", "BatchNormalization", "Tanh"]
    assert result.modified
    assert not fold(model).modified
