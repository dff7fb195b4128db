"""Weights that lie beside a model lie there as they did: which, in what files, and how aligned."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

import bnfold
from bnfold import model_io

SIZES = {"large": (64, 64, 1, 1), "other": (64, 64, 1, 1), "small": (64,)}
TEXT = """
<ir_version: 8, opset_import: ["": 17]> g (float[1,64,3,3] x) => (float[1,64,H,W] y)
{ a = Conv (x, large) n = BatchNormalization (a, small, small, small, small)
  r = Relu (n) y = Conv (r, other) }
"""
HASH = r"\.[0-9a-f]{16}\.data"


def write(folder: Path, locations: dict[str, str], alignment: int = 1) -> Path:
    """A model in the folder, of which these tensors lie in these files; a gap in front of each."""
    folder.mkdir()
    proto = onnx.parser.parse_model(TEXT)
    draw = np.random.default_rng(0)
    for name, shape in SIZES.items():
        array = draw.uniform(0.5, 1.5, shape).astype(np.float32)
        tensor = onnx.numpy_helper.from_array(array, name)
        if name in locations:
            path = folder / locations[name]
            with path.open("ab") as file:
                file.write(bytes(alignment - file.tell() % alignment))
                begin = file.tell()
                file.write(array.tobytes())
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (
                ("location", locations[name]), ("offset", begin), ("length", array.nbytes)
            ):  # fmt: skip
                tensor.external_data.add(key=key, value=str(value))
        proto.graph.initializer.append(tensor)
    (folder / "in.onnx").write_bytes(proto.SerializeToString())
    return folder / "in.onnx"


def run(path: Path, feed: dict[str, np.ndarray]) -> np.ndarray:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, feed)
    return found


def folded(source: Path, target: Path) -> dict[str, tuple[str, int]]:
    """The fold is at the target, and right; file and offset of each tensor beside it."""
    result = bnfold.fold(source)
    assert result.ledger.batch_norms_after == 0
    result.save(target)
    feed = {"x": np.random.default_rng(1).standard_normal((1, 64, 3, 3)).astype(np.float32)}
    old, new = run(source, feed), run(target, feed)
    np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-5 * float(np.abs(old).max()))
    found = {}
    for tensor in onnx.load(target, load_external_data=False).graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries:
            found[tensor.name] = re.sub(HASH, "", entries["location"]), int(entries["offset"])
    return found


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        ({"large": "w.bin", "other": "w.bin"}, {"w.bin"}),
        ({"large": "in.onnx.data", "other": "in.onnx.data"}, {"out.onnx"}),
        ({"large": "in.data", "other": "in.data"}, {"out.onnx"}),
        ({"large": "large.weight", "other": "other.weight"}, {"large.weight", "other.weight"}),
        ({"large": "one", "other": "two", "small": "two"}, {"one", "two"}),
    ],
)
def test_files_stay_as_many_and_are_called_as_they_were(tmp_path, locations, expected):
    target = tmp_path / "out" / "out.onnx"
    target.parent.mkdir()
    beside = folded(write(tmp_path / "in", locations), target)
    assert {name for name, _ in beside.values()} == expected
    assert {"large_folded", "other"} <= set(beside)
    again = model_io.load(target)  # a hash is not put behind another one
    model_io.save(again, tmp_path / "again.onnx")
    names = {re.sub(HASH, "", path.name) for path in tmp_path.glob("*.data")}
    assert names == {name.replace("out.onnx", "again.onnx") for name in expected}


@pytest.mark.parametrize("alignment", [64, 4096, 65536])
def test_tensors_begin_where_as_many_bits_are_zero_as_did(tmp_path, alignment):
    locations = {"large": "w.bin", "other": "w.bin"}
    beside = folded(write(tmp_path / "in", locations, alignment), tmp_path / "out.onnx")
    offsets = [offset for _, offset in beside.values()]
    assert max(offsets) > 0
    assert [offset % alignment for offset in offsets] == [0] * len(offsets)
    assert (tmp_path / "out.onnx").stat().st_size < 4096


@pytest.mark.parametrize(("extra", "has_small"), [({}, False), ({"small": "w.bin"}, True)])
def test_what_was_small_enough_for_the_model_still_is(tmp_path, extra, has_small):
    """The threshold is the least size that lay beside the model: the new bias is as small."""
    locations = {"large": "w.bin", "other": "w.bin", **extra}
    beside = folded(write(tmp_path / "in", locations), tmp_path / "out.onnx")
    assert (len(beside) > 2) == has_small


def test_data_of_the_model_that_was_there_goes_whatever_it_is_called(tmp_path):
    for name in ("one", "two"):
        source = write(tmp_path / name, {"large": f"{name}.bin", "other": f"{name}.bin"})
        folded(source, tmp_path / "out.onnx")
    (data,) = tmp_path.glob("*.data")
    assert re.fullmatch(rf"two\.bin{HASH}", data.name)
