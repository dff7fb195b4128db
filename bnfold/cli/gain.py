"""Whether a fold is worth something to the runtime that is installed here."""

from __future__ import annotations

import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bnfold.report.blocks import Line
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.fold.api import FoldResult

LARGEST_BYTES = 64_000_000
"""Beyond it, two more sessions take a third of the fold's time, and three times its weights."""


def gain_lines(source: Path, result: FoldResult, written: Path | None) -> list[Line]:
    """One line where onnxruntime makes the same operators of the model before and after.

    What it runs is then what it would have run anyway. Nothing is said where it does not take the
    model, or where its optimised graph cannot be saved. `written` is where the folded model is.
    """
    from bnfold import model_io
    from bnfold.errors import ModelError
    from bnfold.runtime import engine
    from bnfold.runtime.empty_ends import without_empty_ends
    from bnfold.typed.room import require_room

    opinion = result.ledger.opinion
    gone = sum(decision.is_folded for decision in result.ledger.batch_norms)
    size_bytes = sum(file.stat().st_size for file in model_io.files_of(source))
    if not gone or size_bytes > LARGEST_BYTES:
        return []
    if without_empty_ends(str(source)) != str(source):
        return []  # onnxruntime would end the process on it as it stands
    with tempfile.TemporaryDirectory(prefix="bnfold-") as name:
        folded = written or Path(name, "folded.onnx")
        try:
            if not (opinion and opinion.runtime):  # else both have just run here
                require_room(result.model, "the folded model")
            if written is None:
                result.save(folded)
            optimized = [Path(name, "before.onnx"), Path(name, "after.onnx")]
            with ThreadPoolExecutor(2) as both:  # onnxruntime does not hold Python's lock
                before, after = both.map(_operators, [source, folded], optimized)
        except (engine.EngineError, ModelError):
            return []
    if before != after:
        return []
    what = "this batch norm" if gone == 1 else f"these {counted(gone, 'batch norm')}"
    return [
        Line(
            f"onnxruntime {engine.version()} folds {what} itself, so nothing is faster there: "
            "a smaller file and other runtimes gain"
        )
    ]


def _operators(model: Path, target: Path) -> Counter[tuple[str, str]]:
    """How many nodes of which operator onnxruntime would run, at its default level."""
    from bnfold.model_io.loading import read_skeleton
    from bnfold.model_io.mapped import Maps
    from bnfold.runtime import engine

    engine.open_session(str(model), engine.Setting(), name=model.name, save_as=str(target))
    nodes = read_skeleton(target, Maps()).graph.node
    return Counter((node.domain, node.op_type) for node in nodes)
