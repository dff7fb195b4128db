"""JSON that programs can rely on: one envelope, whole files, the same bytes for the same run."""

from __future__ import annotations

import json
import os
import stat

import pytest

import bnfold
from bnfold.errors import UsageError
from bnfold.report.envelope import envelope, library_versions, to_json, write_text


def a_record(**result):
    return envelope("fold", settings={"allow": []}, inputs=[], outputs=[], result=result)


def test_the_envelope_names_schema_tool_and_libraries():
    record = a_record()
    assert record["schema_version"] == 1
    assert record["tool"] == {"name": "bnfold", "version": bnfold.__version__}
    assert {"python", "numpy", "onnx", "onnx-ir", "onnxruntime"} <= set(record["libraries"])
    assert set(record) == {
        "schema_version", "command", "tool", "libraries", "settings", "inputs", "outputs", "result",
    }  # fmt: skip


def test_versions_are_read_without_importing_the_libraries():
    assert all(isinstance(version, str) for version in library_versions().values())


def test_the_same_record_gives_the_same_bytes():
    assert to_json(a_record(a=1, b=[2.5])) == to_json(a_record(a=1, b=[2.5]))


def test_a_number_that_is_not_finite_is_a_word_that_float_reads():
    text = to_json({"nan": float("nan"), "deep": [{"inf": float("-inf")}], "one": 1.0})
    assert json.loads(text) == {"nan": "nan", "deep": [{"inf": "-inf"}], "one": 1.0}


def test_a_written_file_is_readable_like_any_other_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "report.json"
    write_text("text\n", path)
    plain = tmp_path / "plain"
    plain.write_text("text\n")
    assert path.read_bytes() == plain.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain", "report.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_text("new", path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_folder_is_no_target(tmp_path):
    with pytest.raises(UsageError, match="this is a folder"):
        write_text("text", tmp_path)


def test_a_named_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text("text", pipe)
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text("text", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"
