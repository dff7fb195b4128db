"""The optimisers, and one of them at work: `python -m bnfold.peers.tools NAME SOURCE TARGET`.

It needs the tool and what that needs, and no more of bnfold than the engine. The last line on
stdout is JSON: `{"version": text}` once the tool is there, `{"error": text}` where it failed.
Weights that are too many for one file are written beside the model, as PATH.data.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

Optimise = Callable[[str, str], None]


@dataclass(frozen=True)
class Tool:
    """An optimiser.

    Attributes:
        package: that it is installed with; its module has the same name.
        optimise: takes the file at the first path to the one at the second.
        runs_models: it runs models by itself, and leaves files as they are.
    """

    package: str
    optimise: Optimise
    runs_models: bool = False


_MOST_BYTES = (1 << 31) - 1  # of one protobuf message
_GRAPH_BYTES = 1 << 26  # a file of more holds weights, which takes time to read


def _needs_two_files(source: str) -> bool:
    """Whether the data beside a graph is too much for one message."""
    import onnx
    from google.protobuf.message import DecodeError

    if Path(source).stat().st_size > _GRAPH_BYTES:
        return False
    try:
        tensors = onnx.load(source, load_external_data=False).graph.initializer
    except DecodeError:
        return False  # the tool says what is wrong with it
    lengths = (e.value for t in tensors for e in t.external_data if e.key == "length")
    return sum(map(int, lengths)) > _MOST_BYTES


def _save(model: onnx.ModelProto, source: str, target: str) -> None:
    import onnx

    is_apart = _needs_two_files(source)
    onnx.save(model, target, save_as_external_data=is_apart, location=_data_beside(target))


def _data_beside(target: str) -> str:
    return f"{Path(target).name}.data"


def onnxruntime(level: str) -> Optimise:
    """onnxruntime's offline mode at this level."""

    def optimise(source: str, target: str) -> None:
        from bnfold.runtime import engine

        beside = ("session.optimized_model_external_initializers_file_name", _data_beside(target))
        options = (beside,) if _needs_two_files(source) else ()
        setting = engine.Setting(level=level, session_options=options)
        engine.open_session(source, setting, name=source, save_as=target)

    return optimise


def onnxsim(source: str, target: str) -> None:
    """With its own check on."""
    import onnx
    import onnxsim

    model, is_checked = onnxsim.simplify(onnx.load(source))
    if not is_checked:
        raise ValueError("its own check failed")
    _save(model, source, target)


def onnxslim(source: str, target: str) -> None:
    """By its defaults."""
    import onnx
    import onnxslim

    _save(onnxslim.slim(onnx.load(source)), source, target)


def onnxoptimizer(source: str, target: str) -> None:
    """All its fusions and eliminations, until nothing changes."""
    import onnx
    import onnxoptimizer

    passes = onnxoptimizer.get_fuse_and_elimination_passes()
    model = onnxoptimizer.optimize(onnx.load(source), passes, fixed_point=True)
    _save(model, source, target)


def onnxscript(source: str, target: str) -> None:
    """Its optimiser, then its rewriter, on the representation that both work on."""
    import onnx_ir as ir
    from onnxscript import optimizer, rewriter

    model = rewriter.rewrite(optimizer.optimize(ir.load(source)))
    ir.save(model, target, external_data=_data_beside(target) if _needs_two_files(source) else None)


def openvino(source: str, target: str) -> None:
    """It compiles the model for this processor; there is no file to keep."""
    import openvino

    openvino.Core().compile_model(source, "CPU")


TOOLS: Mapping[str, Tool] = {
    "ort": Tool("onnxruntime", onnxruntime("extended")),
    "onnxsim": Tool("onnxsim", onnxsim),
    "onnxslim": Tool("onnxslim", onnxslim),
    "onnxoptimizer": Tool("onnxoptimizer", onnxoptimizer),
    "onnxscript": Tool("onnxscript", onnxscript),
    "openvino": Tool("openvino", openvino, runs_models=True),
}
"""By the name that a user gives it; onnxruntime by what it writes for any machine."""


def main(name: str, source: str, target: str) -> None:
    """One model; what the tool prints itself goes to stderr."""
    tool, answers = TOOLS[name], os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        importlib.import_module(tool.package)
    except ImportError as error:
        answers.write(json.dumps({"error": f"{tool.package} is not installed: {error}"}) + "\n")
        return
    answer = {"version": importlib.metadata.version(tool.package)}
    try:
        tool.optimise(source, target)
    except Exception as error:  # noqa: BLE001  # a tool may raise anything; that is the finding
        answer["error"] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
