"""Which models can stand in one table, and under which names."""

from __future__ import annotations

import onnx_ir
import pytest

from bnfold.bench.model_files import described, model_files
from bnfold.errors import ModelError, UsageError

SMALL = "g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }"
WEIGHTED = "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"


def test_models_go_by_their_file_names(model_file, tmp_path):
    found = model_files([model_file(SMALL, "a.onnx"), model_file(SMALL, "b.onnx")], tmp_path)
    assert [subject.name for subject in found] == ["a.onnx", "b.onnx"]


def test_equal_file_names_are_told_apart_by_their_folders(model_file, tmp_path):
    paths = [model_file(SMALL, "one/m.onnx"), model_file(SMALL, "two/m.onnx")]
    assert [subject.name for subject in model_files(paths, tmp_path)] == [str(p) for p in paths]


def test_the_same_file_twice_is_told_apart_by_a_number(model_file, tmp_path):
    path = model_file(SMALL)
    found = model_files([path, str(path)], tmp_path)
    assert [subject.name for subject in found] == [str(path), f"{path} (2)"]


def test_a_model_in_memory_goes_by_its_graphs_name(model_file, tmp_path):
    model = onnx_ir.load(model_file(SMALL))
    (found,) = model_files([model], tmp_path / "..")
    assert found.name == "g"
    assert found.path.exists()


def test_the_size_counts_external_data(model_file, tmp_path):
    path = tmp_path / "big.onnx"
    model = onnx_ir.load(model_file(WEIGHTED))
    onnx_ir.save(model, path, external_data="big.data", size_threshold_bytes=0)
    (found,) = model_files([path], tmp_path)
    assert found.size_bytes == path.stat().st_size + (tmp_path / "big.data").stat().st_size


def test_the_description_changes_with_the_bytes(model_file, tmp_path):
    found = model_files([model_file(WEIGHTED, "a.onnx"), model_file(SMALL, "b.onnx")][:1], tmp_path)
    before = described(found[0])
    model_file(WEIGHTED.replace("2}", "3}"), "a.onnx")
    after = described(found[0])
    assert (before.role, before.size_bytes) == ("baseline", after.size_bytes)
    assert before.sha256 != after.sha256


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (SMALL.replace("x", "z"), "b.onnx cannot be compared with a.onnx: it has no input 'x'"),
        (SMALL.replace("float[N,2] x", "double[N,2] x"), "input 'x' is float64, not float32"),
        (SMALL.replace(") =>", ", float[1] more) =>"), "it wants one more input, 'more'"),
    ],
)
def test_models_with_other_inputs_are_refused_by_name(model_file, tmp_path, candidate, words):
    paths = [model_file(SMALL, "a.onnx"), model_file(candidate, "b.onnx")]
    with pytest.raises(ModelError, match=words):
        model_files(paths, tmp_path)


def test_no_model_at_all_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="at least one model"):
        model_files([], tmp_path)


def test_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.onnx"):
        model_files([tmp_path / "nowhere.onnx"], tmp_path)
