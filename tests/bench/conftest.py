"""Models as ONNX text, saved where a test wants them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from bnfold.bench.handed import write_archive
from bnfold.bench.place import MeasuringPlace, stored
from bnfold.runtime.engine import Setting

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


@pytest.fixture
def model_file(tmp_path: Path) -> Callable[..., Path]:
    """model_file(text, name): a file that holds the model the text describes."""

    def write(text: str, name: str = "model.onnx") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(onnx.parser.parse_model(HEAD + text), path)
        return path

    return write


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., MeasuringPlace]:
    """place(feeds, setting, python=...): where a model is measured, in fresh processes."""

    def make(
        feeds: Mapping[str, np.ndarray], setting: Setting, python: str = sys.executable
    ) -> MeasuringPlace:
        folder = tmp_path_factory.mktemp("place")
        fed = stored(feeds, folder / "feeds.npz", batch=1)
        return MeasuringPlace(python, write_archive(folder), "", setting, fed)

    return make
