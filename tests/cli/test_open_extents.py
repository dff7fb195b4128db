"""Extents that a model leaves open, however its exporter wrote that."""

import onnx
import onnx.parser


def test_an_extent_written_as_minus_one_is_open(place):
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["": 18]> g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }'
    )
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = -1
    onnx.save(model, place / "open.onnx")
    assert place.call("bench", "open.onnx", "--pairs", "5", "--processes", "1").exit_code in (0, 3)
    assert place.call("verify", "open.onnx", "open.onnx").exit_code == 0
