"""Local functions give way to what they hold; inputs and outputs of the model keep their names."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from bnfold.fold.sources.inlining import inline_all


@pytest.mark.parametrize("given", [["a", "b"], ["b", "b"], ["a", "a"]])
def test_what_a_function_hands_on_keeps_the_name_of_the_output(given):
    """Its output is its input, or one value is two outputs."""
    versions = [helper.make_opsetid("", 17)]
    relu = helper.make_node("Relu", ["a"], ["b"])
    function = helper.make_function("local", "F", ["a"], given, [relu], versions)
    call = helper.make_node("F", ["x"], ["y", "z"], domain="local")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3]) for n in "xyz"]
    graph = helper.make_graph([call], "g", ends[:1], ends[1:])
    imports = [*versions, helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, opset_imports=imports, functions=[function], ir_version=8)
    opened = ir.from_proto(model)
    inline_all(opened)
    assert not opened.functions
    assert [value.name for value in opened.graph.outputs] == ["y", "z"]
    x = np.array([[-1, 0, 2]], np.float32)
    found = ReferenceEvaluator(ir.to_proto(opened)).run(None, {"x": x})
    expected = [x if name == "a" else np.maximum(x, 0) for name in given]
    assert all(map(np.array_equal, found, expected))
