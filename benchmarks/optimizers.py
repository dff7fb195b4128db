"""Other graph optimisers, and bnfold, as a process that answers one line for each model.

A line on stdin is JSON `[input path, output path]`; the answer is JSON `{"error": text}` or
`{"version": text}`. They may crash: whoever started this process sees its end and starts it again.
Runs under any Python that has the tool, with this folder's parent on its path:
`python benchmarks/optimizers.py onnxslim`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys

from bnfold.peers.tools import TOOLS as PEERS
from bnfold.peers.tools import Optimise, onnxruntime


def _bnfold(*allow: str) -> Optimise:
    def optimise(source: str, target: str) -> None:
        import bnfold

        bnfold.fold(source, allow=allow).save(target)  # type: ignore[operator]

    return optimise


_PEERS = ("onnxsim", "onnxslim", "onnxoptimizer", "onnxscript")

TOOLS: dict[str, tuple[str, Optimise]] = {
    "onnxruntime, basic": ("onnxruntime", onnxruntime("basic")),
    "onnxruntime, extended": ("onnxruntime", onnxruntime("extended")),
    **{name: (PEERS[name].package, PEERS[name].optimise) for name in _PEERS},
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
