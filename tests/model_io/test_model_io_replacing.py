"""Whatever happens while saving: the new files are whole, or the old ones are as they were."""

import multiprocessing
import os
import re
import shutil
import stat
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from bnfold import model_io
from bnfold.errors import ModelError
from bnfold.model_io import locking

TEXT = """
<ir_version: 8, opset_import: ["": 17]>
g (float[3] x) => (float[3] y) <float[3] a = {0, 0, 0}> { y = Add (x, a) }
"""


def model_that_fails(error):
    model = ir.from_onnx_text(TEXT)

    def fail():
        raise error

    value = model.graph.initializers["a"]
    value.const_value = ir.LazyTensor(fail, ir.DataType.FLOAT, ir.Shape([3]), name="a")
    return model


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names(folder):
    """What is in the folder, with HASH in place of the hash of data."""
    return sorted(re.sub(r"\.[0-9a-f]{16}\.data", ".HASH.data", name) for name in contents(folder))


@pytest.fixture
def occupied(tmp_path, saved_external):
    """A folder with an older model and its data."""
    folder = tmp_path / "out"
    folder.mkdir()
    model_io.save(model_io.load(saved_external), folder / "m.onnx")
    assert names(folder) == ["m.onnx", "weights.bin.HASH.data"]
    return folder


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OSError(28, "No space left on device"), ModelError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (ModelError("a weight overflows"), ModelError),
        (MemoryError(), MemoryError),
    ],
)
def test_a_failure_while_writing_leaves_everything_as_it_was(occupied, error, seen, external):
    before = contents(occupied)
    with pytest.raises(seen):
        model_io.save(model_that_fails(error), occupied / "m.onnx", external_data=external)
    with pytest.raises(seen):
        model_io.save(model_that_fails(error), occupied / "new.onnx", external_data=external)
    assert contents(occupied) == before


@pytest.mark.parametrize("name", ["m.onnx", "new.onnx"])
@pytest.mark.parametrize("failing", [1, 2])
def test_a_failure_while_exchanging_brings_the_old_files_back(
    occupied, saved, monkeypatch, failing, name
):
    before = contents(occupied)
    replace, calls = Path.replace, []

    def fail_once(self, target):
        calls.append(self)
        if len(calls) == failing:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_once)
    with pytest.raises(ModelError, match="cannot be written: Input/output error"):
        model_io.save(model_io.load(saved), occupied / name, external_data=True)
    assert contents(occupied) == before


def test_a_full_disk_is_one_sentence(tmp_path, saved, monkeypatch):
    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match=r"m\.onnx: cannot be written: No space left on device"):
        model_io.save(model_io.load(saved), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_places_that_cannot_be_written(tmp_path, saved):
    model = model_io.load(saved)
    with pytest.raises(ModelError, match="none does not exist"):
        model_io.save(model, tmp_path / "none" / "m.onnx")
    with pytest.raises(ModelError, match="is a folder"):
        model_io.save(model, tmp_path)
    with pytest.raises(ModelError, match="is not a regular file"):
        model_io.save(model, "/dev/null")


def test_a_folder_without_permission(tmp_path, saved, monkeypatch):
    """Told by the system, not by the mode: root may write everywhere."""
    model = model_io.load(saved)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ModelError, match=r"m\.onnx: cannot be written: Permission denied"):
        model_io.save(model, tmp_path / "m.onnx")


def test_a_model_may_take_its_own_place(saved, large, same):
    model = model_io.load(saved)
    model.metadata_props["touched"] = "yes"
    model_io.save(model, saved)
    entry = large.metadata_props.add(key="touched", value="yes")
    assert same(onnx.load(saved), large)
    model.metadata_props["touched"] = entry.value = "again"
    model_io.save(model, saved)
    assert same(onnx.load(saved), large)


def test_a_model_with_external_data_may_take_its_own_place(saved_external, large, same):
    """Its tensors keep looking at the old data, which lives until they are gone."""
    target = saved_external.with_name("m.onnx")
    model_io.save(model_io.load(saved_external), target)
    model = model_io.load(target)
    model.graph.initializers["w"].const_value = ir.tensor(np.zeros(40_000, np.float32), name="w")
    model_io.save(model, target)
    model_io.save(model, target)
    large.graph.initializer[0].raw_data = bytes(160_000)
    large.graph.initializer[0].ClearField("doc_string")
    assert same(onnx.load(target), large)
    assert same(model_io.to_proto(model), large)


def test_a_symbolic_link_is_written_through(tmp_path, saved, large, same):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.onnx"
    link.symlink_to(tmp_path / "real" / "m.onnx")
    model_io.save(model_io.load(saved), link, external_data=True)
    assert link.is_symlink()
    assert names(tmp_path / "real") == ["m.onnx", "m.onnx.HASH.data"]
    assert same(onnx.load(tmp_path / "real" / "m.onnx"), large)


def test_a_file_keeps_its_mode(tmp_path, saved):
    target = tmp_path / "m.onnx"
    shutil.copy(saved, target)
    target.chmod(0o640)
    model_io.save(model_io.load(saved), target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path, saved):
    old = os.umask(0o027)
    try:
        model_io.save(model_io.load(saved), tmp_path / "m.onnx")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "m.onnx").stat().st_mode) == 0o640


def test_without_locks_it_works_too(occupied, saved, large, same, monkeypatch):
    monkeypatch.setattr(locking, "fcntl", None)
    model_io.save(model_io.load(saved), occupied / "m.onnx", external_data=True)
    # whether somebody else is about to use the older data, nobody can tell
    assert names(occupied) == ["m.onnx", "m.onnx.HASH.data", "weights.bin.HASH.data"]
    assert same(onnx.load(occupied / "m.onnx"), large)


def _write_often(path, fill):
    model = ir.from_onnx_text(TEXT.replace("[3]", "[3000]").replace("{0, 0, 0}", "{0}"))
    weight = np.full(3000, fill, np.float32)
    model.graph.initializers["a"].const_value = ir.tensor(weight, name="a")
    model.metadata_props["fill"] = str(fill)
    for _ in range(20):
        model_io.save(model, path, external_data=True)


def test_of_two_processes_each_leaves_a_whole_pair(tmp_path):
    path = tmp_path / "m.onnx"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(path, fill)) for fill in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert names(tmp_path) == ["m.onnx", "m.onnx.HASH.data"]
    model = model_io.load(path)
    weight = model.graph.initializers["a"].const_value.numpy()
    assert set(weight.tolist()) == {float(model.metadata_props["fill"])}


def test_what_passes_two_gigabytes_needs_external_data(tmp_path):
    model = ir.from_onnx_text(TEXT)
    huge = ir.LazyTensor(
        lambda: pytest.fail("computed"), ir.DataType.FLOAT, ir.Shape([1 << 30]), name="a"
    )
    model.graph.initializers["a"].const_value = huge
    with pytest.raises(ModelError, match="passes 2 GiB: save it with external data"):
        model_io.save(model, tmp_path / "m.onnx", external_data=False)
    with pytest.raises(ModelError, match="passes 2 GiB: save it to a file"):
        model_io.to_proto(model)
    assert not list(tmp_path.iterdir())


def test_a_lazy_tensor_of_the_wrong_size_is_refused(tmp_path):
    model = ir.from_onnx_text(TEXT)
    wrong = ir.LazyTensor(lambda: ir.tensor([1.0]), ir.DataType.FLOAT, ir.Shape([3]), name="a")
    model.graph.initializers["a"].const_value = wrong
    with pytest.raises(ModelError, match="tensor 'a' has 4 bytes where 12 were declared"):
        model_io.save(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
