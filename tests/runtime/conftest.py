"""Models as ONNX text, saved where a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


@pytest.fixture
def model_file(tmp_path: Path) -> Callable[[str], Path]:
    """model_file(text): a file that holds the model the text describes."""

    def write(text: str) -> Path:
        path = tmp_path / "model.onnx"
        onnx.save(onnx.parser.parse_model(HEAD + text), path)
        return path

    return write
