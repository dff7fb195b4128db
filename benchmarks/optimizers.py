"""Other graph optimisers, and bnfold, as a process that answers one line for each model.

A line on stdin is JSON `[input path, output path]`; the answer is JSON `{"error": text}` or
`{"version": text}`. They may crash: whoever started this process sees its end and starts it again.
Runs under any Python that has the tool: `python benchmarks/optimizers.py onnxslim`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Optimise = Callable[[str, str], None]


def _onnxruntime(level: str) -> Optimise:
    def optimise(source: str, target: str) -> None:
        engine = _engine()
        engine.open_session(source, engine.Setting(level=level), name=source, save_as=target)

    return optimise


def _engine() -> Any:
    """bnfold's own way into onnxruntime, from its folder: this Python need not have bnfold."""
    folder = Path(__file__).parents[1] / "bnfold/runtime/engine"
    spec = importlib.util.spec_from_file_location("engine", folder / "__init__.py")
    assert spec is not None and spec.loader is not None
    sys.modules["engine"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["engine"])
    return sys.modules["engine"]


def _onnxsim(source: str, target: str) -> None:
    import onnx
    import onnxsim

    model, checked = onnxsim.simplify(onnx.load(source))
    if not checked:
        raise ValueError("its own check failed")
    onnx.save(model, target)


def _onnxslim(source: str, target: str) -> None:
    import onnx
    import onnxslim

    onnx.save(onnxslim.slim(onnx.load(source)), target)


def _onnxoptimizer(source: str, target: str) -> None:
    import onnx
    import onnxoptimizer

    model = onnx.load(source)
    passes = onnxoptimizer.get_fuse_and_elimination_passes()
    onnx.save(onnxoptimizer.optimize(model, passes, fixed_point=True), target)


def _onnxscript(source: str, target: str) -> None:
    import onnx
    from onnxscript import optimizer, rewriter

    model = optimizer.optimize(onnx.load(source))
    onnx.save(rewriter.rewrite(model), target)


def _bnfold(*allow: str) -> Optimise:
    def optimise(source: str, target: str) -> None:
        import bnfold

        bnfold.fold(source, allow=allow).save(target)  # type: ignore[operator]

    return optimise


TOOLS: dict[str, tuple[str, Optimise]] = {
    "onnxruntime, basic": ("onnxruntime", _onnxruntime("basic")),
    "onnxruntime, extended": ("onnxruntime", _onnxruntime("extended")),
    "onnxsim": ("onnxsim", _onnxsim),
    "onnxslim": ("onnxslim", _onnxslim),
    "onnxoptimizer": ("onnxoptimizer", _onnxoptimizer),
    "onnxscript": ("onnxscript", _onnxscript),
    "bnfold": ("bnfold", _bnfold()),
    "bnfold --allow all": ("bnfold", _bnfold("all")),
}
"""The package that each needs, and how it takes one file to another."""


def main(name: str) -> None:
    """Answers until stdin ends; what the tools print themselves goes to stderr."""
    package, optimise = TOOLS[name]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        importlib.import_module(package)
        greeting = {"version": importlib.metadata.version(package)}
    except ImportError as error:
        greeting = {"error": str(error)}
    print(json.dumps(greeting), file=answers, flush=True)
    for line in sys.stdin:
        source, target = json.loads(line)
        try:
            optimise(source, target)
            answer = {}
        except Exception as error:  # noqa: BLE001  # a tool may raise anything; that is the finding
            answer = {"error": f"{type(error).__name__}: {error}"[:400]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
