"""A model as another optimiser leaves it, or why there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bnfold.errors import UsageError, did_you_mean
from bnfold.peers.tools import TOOLS
from bnfold.record import Row

PATIENCE_S = 300


@dataclass(frozen=True)
class Peer(Row):
    """Another optimiser, and what it made of the model.

    Attributes:
        name: as a user gives it.
        version: of its package; empty where it is not installed.
        sentence: why it has no timing; empty where it has.
    """

    name: str
    version: str
    sentence: str = ""


def known(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once.

    Raises:
        UsageError: one of them is no optimiser that is known here.
    """
    for name in names:
        if name not in TOOLS:
            near = did_you_mean(name, TOOLS)
            raise UsageError(
                f"against: unknown optimiser '{name}'; choose from {', '.join(TOOLS)}{near}"
            )
    return tuple(dict.fromkeys(names))


def optimised(name: str, source: Path, target: Path) -> Peer:
    """The optimiser's model is at `target`, or the sentence of the peer says why not.

    It works in a process of its own, which may crash, and has five minutes.
    """
    tool = TOOLS[name]
    command = [sys.executable, "-m", "bnfold.peers.tools", name, str(source), str(target)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=PATIENCE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Peer(name, _version(name), f"it was not done after {PATIENCE_S} seconds")
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return Peer(name, _version(name), f"its process ended with exit code {done.returncode}")
    answer = json.loads(lines[-1])
    said = answer.get("error", "")
    if not said and not tool.runs_models and not target.exists():
        said = "it wrote nothing"
    return Peer(name, answer.get("version", ""), said)


def _version(name: str) -> str:
    try:
        return metadata.version(TOOLS[name].package)
    except metadata.PackageNotFoundError:
        return ""
