"""What a file holds, told by its content: what we may replace, and what is somebody's own."""

from __future__ import annotations

import json
from pathlib import Path

from bnfold.errors import ModelError

_BEGINNING_BYTES = 4096


def is_model(path: Path) -> bool:
    """Whether the file is an ONNX model."""
    from bnfold.model_io.loading import read_skeleton
    from bnfold.model_io.mapped import Maps

    try:
        proto = read_skeleton(path, Maps())
    except ModelError:
        return False
    return proto.ir_version > 0 and proto.HasField("graph")


def is_record(path: Path) -> bool:
    """Whether the file is JSON that bnfold has written."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    tool = record.get("tool") if isinstance(record, dict) else None
    return isinstance(tool, dict) and tool.get("name") == "bnfold"


def is_journal(path: Path) -> bool:
    """Whether the file is a sweep's, a record to a line."""
    first = _beginning(path).partition(b"\n")[0]
    return b'"command": "sweep"' in first and b'{"name": "bnfold"}' in first


def is_page(path: Path) -> bool:
    """Whether the file is a page that bnfold has written."""
    return b'<meta name="generator" content="bnfold' in _beginning(path)


def is_junit(path: Path) -> bool:
    """Whether the file is a JUnit report that bnfold has written."""
    return b'<testsuite name="bnfold ' in _beginning(path)


def is_markdown(path: Path) -> bool:
    """Whether the file is Markdown that bnfold has written."""
    return _beginning(path).startswith(b"<!-- bnfold -->")


def is_plot(path: Path) -> bool:
    """Whether the file is a plot that bnfold has written."""
    from bnfold.report.plot import MARK

    beginning = _beginning(path)
    is_drawing = beginning.startswith((b"<svg ", b"\x89PNG"))
    return is_drawing and MARK.encode() in beginning


def is_table(path: Path) -> bool:
    """Whether the file is a CSV table that bnfold has written."""
    return _beginning(path).startswith(b"kind,model,baseline,runtime,provider,level,")


def what_is_there(path: Path) -> str:
    """The file in words, for a refusal to replace it."""
    names = {
        "an ONNX model": is_model,
        "a record of bnfold": is_record,
        "the record of a sweep": is_journal,
        "a page of bnfold": is_page,
        "a JUnit report of bnfold": is_junit,
        "a Markdown report of bnfold": is_markdown,
        "a plot of bnfold": is_plot,
        "a CSV table of bnfold": is_table,
    }
    return next((name for name, holds in names.items() if holds(path)), "a file of another kind")


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_BEGINNING_BYTES)
    except OSError:
        return b""
