"""The measuring script as one file, and a process of some Python that runs it.

The file is an archive of `bnfold.bench.child` and of what it imports, which needs NumPy and
onnxruntime and no bnfold: the pairs that another runtime is measured with are those of this one.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bnfold import errors
from bnfold.bench.bench_steps import read_step
from bnfold.runtime.sessions import our_error

ENTRY = "bnfold.bench.child"

Step = Callable[[int, int], None]

_EMPTY = ("bnfold", "bnfold.bench", "bnfold.runtime")
"""Packages of which the archive has the name alone: they speak for the whole of bnfold."""


class DiedError(errors.ModelError):
    """The process that measured a model was killed, by the system or by a crash."""


def write_archive(folder: Path) -> Path:
    """The archive, in the folder; `python ARCHIVE` reads a job from stdin."""
    target = folder / "bnfold-bench.pyz"
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("__main__.py", f"from {ENTRY} import main\n\nmain()\n")
        for name, source in packed().items():
            archive.writestr(name, source)
    return target


def packed() -> dict[str, str]:
    """The text of each file of the archive, by its place in it."""
    found: dict[str, str] = {}
    pending = [ENTRY]
    seen = set(pending)
    while pending:
        module = pending.pop()
        path = _path_of(module)
        text = "" if module in _EMPTY else path.read_text(encoding="utf-8")
        is_package = path.name == "__init__.py"
        place = module.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        found[place] = text
        parents = [module.rpartition(".")[0]] if "." in module else []
        for name in (*parents, *_imported(text, module, is_package)):
            if name not in seen:
                seen.add(name)
                pending.append(name)
    return found


def ask(python: str, archive: Path, job: Mapping[str, Any], *, on_step: Step) -> dict[str, Any]:
    """The report of a process of this Python on the job.

    Raises:
        ModelError: a model does not load or run there; `DiedError`: the process was killed.
        ProviderUnavailableError: the provider does not run there.
        InternalError: the process failed otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        report, noise = Path(folder) / "report.json", Path(folder) / "stderr"
        with noise.open("wb") as stderr:
            code = _run([python, str(archive)], {**job, "report": str(report)}, stderr, on_step)
        if not report.exists():
            said = noise.read_text(errors="replace").strip()
            raise _died(", ".join(model["name"] for model in job["models"]), code, said)
        found: dict[str, Any] = json.loads(report.read_text())
    if "error" in found:
        raise our_error(found["error"], found["message"])
    return found


def _run(command: list[str], job: Mapping[str, Any], stderr: Any, on_step: Step) -> int:
    """The exit code; the process ends with this call, whatever comes."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=stderr, text=True, errors="replace"
    ) as process:
        try:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps(job))
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has died already, and its exit code tells
            for line in process.stdout:
                step = read_step(line)
                if step is not None:
                    on_step(*step)
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _died(names: str, code: int, said: str) -> errors.BnfoldError:
    if code < 0:
        return DiedError(
            f"{names}: the process that measured it was killed by signal {-code}; "
            "it ran out of memory, or this onnxruntime crashes on the model"
        )
    return errors.InternalError(f"{names}: the measuring process failed:\n{said}")


def _path_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin)


def _imported(text: str, module: str, is_package: bool) -> Iterator[str]:
    """The modules of bnfold that a file imports when it is loaded; not those for type checkers."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("bnfold"))
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                levels = node.level - 1 if is_package else node.level
                parts = module.split(".")
                base = ".".join(parts[: len(parts) - levels])
                home = f"{base}.{home}" if home else base
            if home.startswith("bnfold"):
                yield home
                inner = (f"{home}.{name.name}" for name in node.names)
                yield from (name for name in inner if _is_module(name))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False  # its parent is no package
