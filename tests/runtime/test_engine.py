"""The engine is the one place that opens onnxruntime, and another Python can be handed it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from onnxruntime.capi import onnxruntime_pybind11_state as state

import bnfold
from bnfold.runtime import engine, sessions

ROOT = Path(bnfold.__file__).parent
ENGINE = Path(engine.__file__).parent


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def is_error(kind: object) -> bool:
    """Whether it is an error of the engine that is raised, and not their base."""
    is_own = isinstance(kind, type) and issubclass(kind, engine.EngineError)
    return is_own and kind is not engine.EngineError


def test_no_other_file_of_the_package_imports_onnxruntime():
    users = {path.parent for path in ROOT.rglob("*.py") if "onnxruntime" in imported(path)}
    assert users == {ENGINE}


def test_the_engine_needs_onnxruntime_and_numpy_alone():
    allowed = {*sys.stdlib_module_names, "numpy", "onnxruntime"}
    assert {part for path in ENGINE.glob("*.py") for part in imported(path)} <= allowed


def test_a_python_without_bnfold_can_run_the_engine_from_its_folder(tmp_path, model_file):
    path = model_file("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    code = f"""
import importlib.util, sys
sys.modules["bnfold"] = None
spec = importlib.util.spec_from_file_location("engine", {engine.__file__!r})
engine = importlib.util.module_from_spec(spec)
sys.modules["engine"] = engine
spec.loader.exec_module(engine)
import numpy as np
session = engine.open_session({str(path)!r}, engine.Setting(), name="m")
print(engine.run(session, {{"x": np.array([-1, 2], np.float32)}}, ["y"], name="m")[0].tolist())
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[0.0, 2.0]"


def test_every_error_of_the_engine_has_its_exit_code():
    kinds = [kind.__name__ for kind in vars(engine).values() if is_error(kind)]
    codes = {kind: sessions.our_error(kind, "").exit_code for kind in kinds}
    assert codes == {
        "UnknownSettingError": 2,
        "UnavailableError": 4,
        "EngineRefusedError": 2,
        "UnsupportedError": 2,
        "FailedError": 2,
        "EngineOverdueError": 3,
    }


def test_every_exception_class_of_onnxruntime_is_told():
    """Its classes have no base of their own: each is caught, whatever the version has."""
    known = engine.runtime_errors()
    for name in ("EPFail", "ModelLoadCanceled", "ModelRequiresCompilation", "NotFound"):
        kind = getattr(state, name, RuntimeError)
        assert kind in known, name
    assert sum(kind.__module__.endswith("pybind11_state") for kind in known) >= 10
