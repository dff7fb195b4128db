"""The session in the README, run again: `python -m benchmarks.session`.

What stands there is what the commands printed, line by line; the last one measures, so leave the
machine alone.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.insert_table import insert

ROOT = Path(__file__).resolve().parents[1]

COMMANDS = (
    "bnfold export models.digits_cnn_post:build -o net.onnx",
    "bnfold fold net.onnx -o folded.onnx",
    "bnfold verify net.onnx folded.onnx",
    "bnfold bench net.onnx folded.onnx --level all",
)


def transcript(folder: Path) -> str:
    """The commands and their output, as a Markdown block."""
    lines = []
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        lines += [f"$ {command}", *done.stdout.splitlines(), ""]
    return "\n".join(f"    {line}".rstrip() for line in lines).rstrip()


def main() -> None:
    """Puts the session into README.md."""
    with tempfile.TemporaryDirectory() as folder:
        insert(ROOT / "README.md", "session", transcript(Path(folder)))


if __name__ == "__main__":
    main()
