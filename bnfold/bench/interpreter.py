"""A Python to measure with: this one, or that of another environment with its own onnxruntime."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bnfold.errors import UsageError

OLDEST = (3, 10)

_PATIENCE_S = 120
_MARK = "bnfold-python"
# Any Python can read this, one of version 2 too.
_QUESTION = f"""
import sys
print("{_MARK} python %d.%d.%d" % tuple(sys.version_info[:3]))
for name in ("numpy", "onnxruntime"):
    try:
        print("{_MARK} %s %s" % (name, __import__(name).__version__))
    except Exception:
        print("{_MARK} %s - %s" % (name, " ".join(str(sys.exc_info()[1]).split())))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that can measure, and the versions that it has."""

    path: str
    python: str
    onnxruntime: str
    numpy: str


def this_python() -> Interpreter:
    """The Python that runs here."""
    import numpy

    from bnfold.runtime import engine

    return Interpreter(
        sys.executable, platform.python_version(), engine.version(), numpy.__version__
    )


def another_python(path: str) -> Interpreter:
    """The Python at the path, asked for what it has.

    Raises:
        UsageError: it is no Python, one too old, or one without onnxruntime or NumPy.
    """
    found = _asked(path)
    if "python" not in found:
        raise UsageError(f"{path}: this is no Python; name the interpreter, such as env/bin/python")
    version = tuple(map(int, found["python"].split(".")))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(
            f"{path}: this is Python {found['python']}; measuring needs {oldest} or newer"
        )
    for package in ("numpy", "onnxruntime"):
        said = found.get(package, "-")
        if said.startswith("-"):
            why = said.removeprefix("-").strip()
            is_missing = not why or f"No module named '{package}'" in why
            raise UsageError(
                f"{path}: it has no {package}; {path} -m pip install {package}"
                if is_missing
                else f"{path}: its {package} cannot be imported: {why}"
            )
    return Interpreter(path, found["python"], found["onnxruntime"], found["numpy"])


def _asked(path: str) -> dict[str, str]:
    """What it said, by key."""
    if not Path(path).is_file():
        raise UsageError(f"{path}: there is no such file; name a Python interpreter")
    try:
        done = subprocess.run(
            [path, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PATIENCE_S,
        )
    except OSError as error:
        raise UsageError(f"{path}: it cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{path}: it has not answered for {_PATIENCE_S} seconds") from error
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return {line[1]: line[2] for line in lines if len(line) == 3 and line[0] == _MARK}
