"""What goes in comes out."""

import onnx

from bnfold import model_io


def test_a_saved_model_is_the_loaded_one(tmp_path):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2, 3] x) => (float[2, 3] y) { y = Relu(x) }'
    )
    onnx.save(model, tmp_path / "a.onnx")
    model_io.save(model_io.load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert onnx.load(tmp_path / "b.onnx") == model
