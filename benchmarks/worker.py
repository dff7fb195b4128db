"""A process that may crash or hang, asked one thing at a time."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

_SCRIPT = Path(__file__).with_name("optimizers.py")
_TIMEOUT_S = 60.0


class Worker:
    """One tool in a process of its own, started again whenever it died.

    Args:
        name: of the tool, as in `optimizers.TOOLS`.
        python: the interpreter that has it.
    """

    def __init__(self, name: str, python: str) -> None:
        self._command = [python, str(_SCRIPT), name]
        self._process: subprocess.Popen[bytes] | None = None
        self.version: str | None = None

    def __enter__(self) -> Worker:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def optimise(self, source: Path, target: Path) -> str | None:
        """Why the tool failed on this model; None where it wrote its result."""
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None and process.stdin is not None
        try:
            process.stdin.write(json.dumps([str(source), str(target)]).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self._stop()
            return "its process ended"
        answer = self._read()
        if answer is None:
            code = self._stop()
            return f"its process ended with {code}" if code else "no answer in time"
        error = answer.get("error")
        if error is None and not target.exists():
            return "it wrote nothing"
        return error

    def _start(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(_SCRIPT.parents[1])}
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        greeting = self._read() or {}
        self.version = greeting.get("version")

    def _read(self) -> dict[str, Any] | None:
        assert self._process is not None and self._process.stdout is not None
        stream = self._process.stdout
        ready, _, _ = select.select([stream], [], [], _TIMEOUT_S)
        line = stream.readline() if ready else b""
        return json.loads(line) if line else None

    def _stop(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.stdin is not None:
            process.stdin.close()
        try:
            code = process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = 0
        if process.stdout is not None:
            process.stdout.close()
        return code
