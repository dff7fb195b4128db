"""Writers of one folder do not get into each other's way."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import onnx.parser
import pytest

from bnfold import model_io


def test_a_writer_that_is_done_while_another_looks_for_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look whether somebody holds the folder and the look into it, it is gone."""
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    model = model_io.load(onnx.parser.parse_model(text))
    begun = tmp_path / ".other.onnx.0123456789ab.bnfold"
    begun.mkdir()

    scandir = os.scandir

    def gone(path: os.PathLike[str] | str | int) -> object:
        if not isinstance(path, int) and Path(path) == begun and begun.exists():
            begun.rmdir()
            raise FileNotFoundError(begun)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    model_io.save(model, tmp_path / "net.onnx")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
