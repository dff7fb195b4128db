"""The size of a model before and after, against what onnx's own shapes and a pencil give."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from tests.fold.property.cost import count_macs
from tests.fold.test_motifs import FREE

SOME = [m if i % 4 == 0 else pytest.param(m, marks=pytest.mark.slow) for i, m in enumerate(FREE)]
CONV = """
<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1]>
g (float[N, 4, H, 5] x) => (float[N, 6, P, 3] y)
<float[6, 2, 3, 3] w, float[6] s = {1, 2, 3, 4, 5, 6}, float[6] b, float[6] m, float[6] v>
{ c = Conv <group = 2> (x, w)  z = BatchNormalization (c, s, b, m, v)  y = my.ops.Foo (z) }
"""


def parsed(text: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    for name, shape in (("w", (6, 2, 3, 3)), ("b", 6), ("m", 6), ("v", 6)):
        array = (rng.random(shape) + 0.5).astype(np.float32)
        kept = [t for t in model.graph.initializer if t.name != name]
        del model.graph.initializer[:]
        model.graph.initializer.extend([*kept, onnx.numpy_helper.from_array(array, name)])
    return model


def test_a_size_is_what_a_pencil_gives():
    before = bnfold.inspect(parsed(CONV.replace("H,", "5,").replace("P,", "3,"))).before
    assert before.nodes == 3
    assert before.operators == {"BatchNormalization": 1, "Conv": 1, "my.ops.Foo": 1}
    assert before.parameters == 6 * 2 * 3 * 3 + 4 * 6
    assert before.parameter_bytes == 4 * before.parameters
    assert before.multiplications == 6 * 3 * 3 * (2 * 3 * 3) + 6 * 3 * 3


def test_work_is_not_told_where_a_size_is_open():
    assert bnfold.inspect(parsed(CONV)).before.multiplications is None


def inferred(proto: onnx.ModelProto) -> dict[str, np.ndarray] | None:
    """Arrays of the shapes that onnx infers, an open batch as 1; None where one is not known."""
    graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    shapes = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = [
            d.dim_value or (1 if i == 0 else 0)
            for i, d in enumerate(value.type.tensor_type.shape.dim)
        ]
        shapes[value.name] = np.broadcast_to(np.float32(0), dims)
    made = {name for node in graph.node for name in node.output if name}
    is_known = made <= shapes.keys() and all(shapes[name].size for name in made)
    return shapes if is_known else None


@pytest.mark.parametrize("motif", SOME, ids=lambda motif: motif.name)
def test_a_size_is_that_of_the_file_and_of_the_shapes_that_onnx_infers(motif):
    result = bnfold.fold(motif.model())
    proto, after = result.to_proto(), result.ledger.after
    has_bodies = any(a.HasField("g") for node in proto.graph.node for a in node.attribute)
    if proto.functions or has_bodies:
        pytest.skip("counted with what is inside")
    assert after.nodes == len(proto.graph.node)
    assert after.operators.get("Conv", 0) == sum(n.op_type == "Conv" for n in proto.graph.node)
    assert after.parameters == sum(math.prod(t.dims) for t in proto.graph.initializer)
    shapes = inferred(proto)
    if shapes is None or after.multiplications is None:
        pytest.skip("sizes are open")
    scaled = [n for n in proto.graph.node if n.op_type in ("Mul", "Div", "BatchNormalization")]
    each = sum(shapes[node.output[0]].size for node in scaled)
    assert after.multiplications == count_macs(proto, shapes) + each
