"""What goes in comes out."""

import hashlib

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from bnfold import model_io
from bnfold.errors import ModelError


def test_everything_in_a_model_is_kept(tmp_path, small, same):
    onnx.save(small, tmp_path / "a.onnx")
    model = model_io.load(tmp_path / "a.onnx")
    model_io.save(model, tmp_path / "b.onnx")
    assert same(onnx.load(tmp_path / "b.onnx"), small)
    assert same(model_io.to_proto(model), small)
    assert same(model_io.to_proto(model_io.load(small)), small)
    assert same(model_io.to_proto(model_io.load(model)), small)


def test_large_tensors_are_kept_wherever_they_are(tmp_path, saved, large, same):
    model = model_io.load(saved)
    model_io.save(model, tmp_path / "b.onnx")
    assert same(onnx.load(tmp_path / "b.onnx"), large)
    assert same(model_io.to_proto(model), large)
    onnx.checker.check_model(tmp_path / "b.onnx", full_check=True)


def test_large_tensors_in_functions_are_kept(tmp_path, same):
    model = onnx.parser.parse_model(
        """
        <ir_version: 10, opset_import: ["": 18, "own": 1]>
        g (float[40000] x, bool c) => (float[40000] y) { y = own.f (x, c) }
        <opset_import: ["": 18], domain: "own">
        f (a, c) => (b)
        {
          k = Constant <value = float[1] {0}> ()
          s = Add (a, k)
          b = If (c) <
            then_branch = yes () => (float[40000] p)
              { l = Constant <value = float[1] {0}> () p = Add (s, l) },
            else_branch = no () => (float[40000] q) { q = Neg (s) }
          >
        }
        """
    )
    weight = onnx.numpy_helper.from_array(np.arange(40_000, dtype=np.float32), "k")
    body = model.functions[0].node
    body[0].attribute[0].t.CopyFrom(weight)
    body[2].attribute[0].g.node[0].attribute[0].t.CopyFrom(weight)
    onnx.save(model, tmp_path / "a.onnx")
    loaded = model_io.load(tmp_path / "a.onnx")
    assert same(model_io.to_proto(loaded), model)
    model_io.save(loaded, tmp_path / "b.onnx")
    assert same(onnx.load(tmp_path / "b.onnx"), model)


def test_initializers_of_functions_would_vanish(small):
    model = model_io.load(small)
    function = next(iter(model.functions.values()))
    value = ir.Value(name="w", const_value=ir.tensor([1.0], name="w"))
    function.graph.register_initializer(value)
    with pytest.raises(ModelError, match=r"function 'twice' has initializers \['w'\]"):
        model_io.to_proto(model)


def test_external_data_is_read_and_written(tmp_path, saved_external, large, same):
    model = model_io.load(saved_external)
    assert same(model_io.to_proto(model), large)
    model_io.save(model, tmp_path / "b.onnx")
    (data,) = tmp_path.glob("weights.bin.*.data")
    assert data.stat().st_size >= 2 * 160_000
    assert same(onnx.load(tmp_path / "b.onnx"), large)
    onnx.checker.check_model(tmp_path / "b.onnx", full_check=True)
    assert same(model_io.to_proto(model_io.load(tmp_path / "b.onnx")), large)


def test_external_data_can_be_asked_for_or_declined(tmp_path, saved, saved_external, large, same):
    model_io.save(model_io.load(saved), tmp_path / "a.onnx", external_data=True)
    assert len(list(tmp_path.glob("a.onnx.*.data"))) == 1
    assert same(onnx.load(tmp_path / "a.onnx"), large)
    model_io.save(model_io.load(saved_external), tmp_path / "b.onnx", external_data=False)
    assert not list(tmp_path.glob("weights.bin.*"))
    assert same(onnx.load(tmp_path / "b.onnx"), large)


def test_external_tensors_begin_where_they_can_be_mapped(tmp_path, saved):
    model_io.save(model_io.load(saved), tmp_path / "a.onnx", external_data=True)
    proto = onnx.load(tmp_path / "a.onnx", load_external_data=False)
    entries = [{e.key: e.value for e in t.external_data} for t in proto.graph.initializer]
    assert [int(e["offset"]) % 4096 for e in entries] == [0, 0]
    (data,) = tmp_path.glob("a.onnx.*.data")
    assert {e["location"] for e in entries} == {data.name}


def test_external_data_is_called_by_its_content(tmp_path, saved):
    model_io.save(model_io.load(saved), tmp_path / "a.onnx", external_data=True)
    (data,) = tmp_path.glob("a.onnx.*.data")
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert data.name == f"a.onnx.{digest[:16]}.data"


def test_the_same_model_gives_the_same_bytes(tmp_path, saved, small):
    for name, source in (("a", saved), ("s", small)):
        for turn in (1, 2):
            model_io.save(model_io.load(source), tmp_path / f"{name}{turn}.onnx")
        files = [(tmp_path / f"{name}{turn}.onnx").read_bytes() for turn in (1, 2)]
        assert files[0] == files[1]


def test_saving_what_was_saved_changes_nothing(tmp_path, saved):
    model_io.save(model_io.load(saved), tmp_path / "a.onnx")
    model_io.save(model_io.load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@pytest.mark.parametrize(
    "dtype", ["FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT16", "INT64", "BOOL", "INT4", "UINT4"]
)
@pytest.mark.parametrize("external", [False, True])
def test_every_dtype_is_kept_bit_for_bit(tmp_path, dtype, external):
    dtype = ir.DataType[dtype]
    raw = np.random.default_rng(0).integers(0, 256, BIG_BYTES, np.uint8)
    raw = raw & 1 if dtype == ir.DataType.BOOL else raw
    size = BIG_BYTES * 8 // int(dtype.bitwidth)
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[1] x) => (float[1] y) { y = Neg (x) }'
    )
    tensor = model.graph.initializer.add(name="w", data_type=dtype.value, dims=[size])
    tensor.raw_data = raw.tobytes()
    onnx.save(model, tmp_path / "a.onnx")
    model_io.save(model_io.load(tmp_path / "a.onnx"), tmp_path / "b.onnx", external_data=external)
    back = model_io.to_proto(model_io.load(tmp_path / "b.onnx"))
    assert back.graph.initializer[0] == tensor


BIG_BYTES = 1 << 17


def test_the_callers_objects_are_not_shared(small):
    before = small.SerializeToString(deterministic=True)
    first = model_io.load(small)
    second = model_io.load(first)
    second.graph.name = "changed"
    next(iter(second.graph)).name = "changed"
    second.metadata_props["more"] = "yes"
    assert first.graph.name == "main"
    assert next(iter(first.graph)).name == "scale"
    assert "more" not in first.metadata_props
    assert small.SerializeToString(deterministic=True) == before


def test_a_model_that_onnx_ir_loaded_may_take_its_own_place(saved_external, large, same):
    """Its external tensors are mapped when it is taken over, before their file changes."""
    model = model_io.load(ir.load(saved_external))
    weights = saved_external.with_name("weights.bin")
    model_io.save(model, weights.with_name("weights.onnx"))
    (data,) = weights.parent.glob("weights.bin.*.data")
    data.replace(weights)
    assert same(model_io.to_proto(model), large)


def test_empty_tensors_may_be_external(tmp_path, large):
    large.graph.initializer.add(name="none", data_type=1, dims=[0, 3], raw_data=b"")
    onnx.save(large, tmp_path / "a.onnx")
    model_io.save(model_io.load(tmp_path / "a.onnx"), tmp_path / "b.onnx", external_data=True)
    proto = onnx.load(tmp_path / "b.onnx", load_external_data=False)
    empty = proto.graph.initializer[2]
    (data,) = tmp_path.glob("b.onnx.*.data")
    empty.data_location = onnx.TensorProto.EXTERNAL
    empty.external_data.add(key="location", value=data.name)
    empty.ClearField("raw_data")
    (tmp_path / "b.onnx").write_bytes(proto.SerializeToString())
    loaded = model_io.load(tmp_path / "b.onnx")
    assert loaded.graph.initializers["none"].const_value.numpy().shape == (0, 3)


def test_saving_does_not_change_the_model(tmp_path, saved):
    model = model_io.load(saved)
    tensors = [v.const_value for v in model.graph.initializers.values()]
    model_io.save(model, tmp_path / "b.onnx", external_data=True)
    assert [v.const_value for v in model.graph.initializers.values()] == tensors


def test_lazy_tensors_are_computed_once_each_while_saving(tmp_path):
    counts = {"a": 0, "b": 0}
    model = ir.from_onnx_text(
        '<ir_version: 8, opset_import: ["": 17]> g (float[3] x) => (float[3] y) '
        "<float[3] a = {0, 0, 0}, float[3] b = {0, 0, 0}> { t = Add (x, a) y = Mul (t, b) }"
    )

    def compute(name):
        counts[name] += 1
        return ir.tensor(np.array([1, 2, counts[name]], np.float32))

    for name in counts:
        model.graph.initializers[name].const_value = ir.LazyTensor(
            lambda name=name: compute(name), ir.DataType.FLOAT, ir.Shape([3]), name=name
        )
    model_io.save(model, tmp_path / "a.onnx")
    assert counts == {"a": 1, "b": 1}
    loaded = onnx.load(tmp_path / "a.onnx")
    assert onnx.numpy_helper.to_array(loaded.graph.initializer[0]).tolist() == [1, 2, 1]


def test_a_tensor_shared_by_two_initializers_has_both_names(tmp_path):
    model = ir.from_onnx_text(
        '<ir_version: 8, opset_import: ["": 17]> g (float[3] x) => (float[3] y) '
        "<float[3] a = {0, 0, 0}, float[3] b = {0, 0, 0}> { t = Add (x, a) y = Mul (t, b) }"
    )
    shared = ir.LazyTensor(
        lambda: ir.tensor(np.ones(3, np.float32)), ir.DataType.FLOAT, ir.Shape([3]), name="a"
    )
    for value in model.graph.initializers.values():
        value.const_value = shared
    model_io.save(model, tmp_path / "a.onnx")
    assert [t.name for t in onnx.load(tmp_path / "a.onnx").graph.initializer] == ["a", "b"]


def test_types_of_initializers_are_written_only_if_they_were_there(tmp_path, saved, large):
    model_io.save(model_io.load(saved), tmp_path / "a.onnx")
    assert not onnx.load(tmp_path / "a.onnx").graph.value_info
    info = onnx.helper.make_tensor_value_info("w", 1, [40_000])
    large.graph.value_info.append(info)
    assert model_io.to_proto(model_io.load(large)).graph.value_info[0] == info


def test_the_hash_of_one_file_is_the_files_own(tmp_path, saved):
    import hashlib

    assert model_io.sha256(saved) == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_the_hash_covers_external_data(saved_external):
    before = model_io.sha256(saved_external)
    weights = saved_external.with_name("weights.bin")
    data = bytearray(weights.read_bytes())
    data[1000] ^= 1
    weights.write_bytes(data)
    assert model_io.sha256(saved_external) != before


def test_unknown_domains_are_told():
    model = ir.from_onnx_text(
        """
        <ir_version: 9, opset_import: ["": 17, "own": 1, "far.away": 1, "com.microsoft": 1]>
        g (float[3] x) => (float[3] y)
        { a = own.f (x) b = com.microsoft.Gelu (a) y = far.away.G (b) }
        <opset_import: ["": 17], domain: "own"> f (a) => (b) { b = Neg (a) }
        """
    )
    assert model_io.unknown_domains(model) == ["far.away"]
