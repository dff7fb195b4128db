"""Bad input: one sentence, never a traceback from below."""

import numpy as np
import onnx
import pytest

from bnfold import model_io, wire
from bnfold.errors import ModelError

HEAD = '<ir_version: 8, opset_import: ["": 17]>'


def parsed(text):
    return onnx.parser.parse_model(text)


@pytest.fixture
def plain():
    return parsed(f"{HEAD} g (float[3] x) => (float[3] y) {{ a = Neg (x) y = Exp (a) }}")


def test_missing_empty_and_foreign_files(tmp_path):
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("# this is a README, not a model\n" * 20)
    (tmp_path / "zip.onnx").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    (tmp_path / "pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    for name, why in (
        ("none.onnx", "no such file"),
        ("", "is a folder"),
        ("empty.onnx", "is empty"),
        ("text.onnx", "not an ONNX model"),
        ("zip.onnx", "not an ONNX model"),
        ("pointer.onnx", "is a Git LFS pointer"),
    ):
        with pytest.raises(ModelError, match=why) as caught:
            model_io.load(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_anywhere_is_refused(saved, small, tmp_path):
    """Except between two fields after the graph: what is left there is a whole message."""
    cut = tmp_path / "cut.onnx"
    for whole in (saved.read_bytes(), small.SerializeToString()):
        whole_fields = {field.end for field in wire.fields(whole, 0, len(whole))}
        step = max(len(whole) // 150, 1)
        for length in sorted(set(range(1, len(whole), step)) - whole_fields):
            cut.write_bytes(whole[:length])
            with pytest.raises(ModelError):
                model_io.load(cut)


def test_damaged_bytes_give_a_model_or_a_sentence(small, tmp_path):
    whole = small.SerializeToString()
    draw = np.random.default_rng(7)
    damaged = tmp_path / "damaged.onnx"
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.integers(1, 4)):
            data[draw.integers(len(data))] = draw.integers(256)
        damaged.write_bytes(data)
        try:
            model_io.to_proto(model_io.load(damaged))
        except ModelError:
            refused += 1
    assert refused > 25


def test_random_bytes_are_refused(tmp_path):
    draw = np.random.default_rng(3)
    for _ in range(300):
        (tmp_path / "random.onnx").write_bytes(draw.bytes(int(draw.integers(1, 400))))
        with pytest.raises(ModelError):
            model_io.load(tmp_path / "random.onnx")


def test_no_graph_and_no_nodes(plain):
    with pytest.raises(ModelError, match="the model: has no graph"):
        model_io.load(onnx.ModelProto(ir_version=8))
    del plain.graph.node[:]
    with pytest.raises(ModelError, match="has no nodes"):
        model_io.load(plain)


def test_training_info_would_be_lost(plain):
    plain.training_info.add()
    with pytest.raises(ModelError, match="training_info would be lost"):
        model_io.load(plain)


def test_sparse_initializers_would_be_lost_wherever_they_are(plain, large):
    plain.graph.sparse_initializer.add()
    with pytest.raises(ModelError, match="sparse_initializer would be lost"):
        model_io.load(plain)
    large.graph.node[3].attribute[1].g.sparse_initializer.add()
    with pytest.raises(ModelError, match="graph 'no': sparse_initializer would be lost"):
        model_io.load(large)


def test_sparse_attributes_would_be_lost(plain):
    node = plain.graph.node.add(op_type="Constant", output=["s"])
    node.attribute.add(name="sparse_value", type=11).sparse_tensor.dims.append(2)
    with pytest.raises(ModelError, match="sparse tensors would be lost"):
        model_io.load(plain)


def test_a_domain_that_is_not_imported():
    model = parsed(f"{HEAD} g (float[3] x) => (float[3] y) {{ [odd] y = far.Thing (x) }}")
    with pytest.raises(ModelError, match="Thing 'odd': the operator domain 'far' is not imported"):
        model_io.load(model)


def test_a_model_without_an_opset(plain):
    del plain.opset_import[:]
    with pytest.raises(ModelError, match=r"the operator domain 'ai\.onnx' is not imported"):
        model_io.load(plain)


def test_a_domain_that_is_imported_passes():
    model = parsed(
        '<ir_version: 8, opset_import: ["": 17, "far": 1]>'
        "g (float[3] x) => (float[3] y) { y = far.Thing (x) }"
    )
    assert len(model_io.load(model).graph) == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{ y = Neg (x) y = Exp (x) }", "writes 'y', a name that is already taken"),
        ("{ x = Neg (x) y = Exp (x) }", "writes 'x', a name that is already taken"),
        ("{ y = Exp (a) a = Neg (x) }", "reads 'a', which is computed only later"),
        ("{ y = Exp (nothing) }", "reads 'nothing', which is computed by no node"),
        ("{ a = Exp (x) }", "the output 'y' is computed by no node"),
        ("<float[1] a = {1}, float[1] a = {2}> { y = Exp (a) }", "two initializers are called 'a'"),
    ],
)
def test_names_that_do_not_work_out(body, why):
    with pytest.raises(ModelError, match=why):
        model_io.load(parsed(f"{HEAD} g (float[3] x) => (float[3] y) {body}"))


def test_names_are_looked_up_in_subgraphs_too(large):
    large.graph.node[3].attribute[0].g.node[0].input[0] = "nothing"
    with pytest.raises(ModelError, match="graph 'yes': Add '' reads 'nothing'"):
        model_io.load(large)


def test_maps_would_be_lost(plain):
    value = plain.graph.output.add(name="a")
    value.type.sequence_type.elem_type.map_type.key_type = 7
    with pytest.raises(ModelError, match="the type of 'a' is a map_type"):
        model_io.load(plain)


def test_tensors_that_do_not_have_the_data_they_need(plain):
    tensor = plain.graph.initializer.add(name="w", data_type=1, dims=[3])
    tensor.raw_data = b"12345678"
    with pytest.raises(ModelError, match=r"tensor 'w' of shape \[3\] holds 8 items, not 12"):
        model_io.load(plain)
    tensor.ClearField("raw_data")
    tensor.float_data.extend([1, 2])
    with pytest.raises(ModelError, match="holds 2 items, not 3"):
        model_io.load(plain)
    tensor.data_type = 99
    with pytest.raises(ModelError, match="unknown data type 99"):
        model_io.load(plain)
    tensor.data_type = 0
    with pytest.raises(ModelError, match="has no data type"):
        model_io.load(plain)


def test_a_large_tensor_that_is_too_long_for_its_shape(saved, large, tmp_path):
    large.graph.initializer[0].dims[0] = 39_999
    onnx.save(large, tmp_path / "a.onnx")
    with pytest.raises(
        ModelError, match="initializer 'w' has 160000 bytes; its shape needs 159996"
    ):
        model_io.load(tmp_path / "a.onnx")


def test_external_data_that_is_missing_or_short(saved_external):
    weights = saved_external.with_name("weights.bin")
    data = weights.read_bytes()
    weights.write_bytes(data[:1000])
    with pytest.raises(ModelError, match="of a file that has 1000"):
        model_io.load(saved_external)
    weights.write_bytes(b"")
    with pytest.raises(ModelError, match=r"'weights\.bin', is empty"):
        model_io.load(saved_external)
    weights.unlink()
    with pytest.raises(ModelError, match=r"'weights\.bin', cannot be read: No such file"):
        model_io.load(saved_external)
    with pytest.raises(ModelError, match=r"weights\.bin"):
        model_io.sha256(saved_external)


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/passwd", "a/../../b", "", "C:\\w", "\\w", "..\\w"]
)
def test_external_data_outside_the_models_folder(saved_external, location):
    proto = onnx.load(saved_external, load_external_data=False)
    for entry in proto.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    saved_external.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="leaves the model's folder"):
        model_io.load(saved_external)


def test_external_data_of_a_model_in_memory_has_no_folder(saved_external):
    proto = onnx.load(saved_external, load_external_data=False)
    with pytest.raises(ModelError, match="give the model's path"):
        model_io.load(proto)
