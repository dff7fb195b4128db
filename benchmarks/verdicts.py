"""What `verify` says of what other tools make of the motifs: false alarms, and faults of theirs.

    python -m benchmarks.verdicts --tools-python other-environment/bin/python --pairs 500

Who is right is told without verify: a rewrite is taken for correct if onnxruntime, optimisations
off, gives what it gives for the original, to a tolerance that no rounding of the motifs reaches.
The motifs and tools are drawn at random; a line is printed for each pair on which the two disagree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

import bnfold
from benchmarks.motifs import GROUPS, Motif
from benchmarks.worker import Worker
from bnfold.errors import DataError

TOOLS = (
    *("onnxsim", "onnxslim", "onnxoptimizer", "onnxscript"),
    *("onnxruntime, basic", "onnxruntime, extended"),
)
Array = npt.NDArray[np.generic]

CORRECT, WRONG, UNKNOWN = "correct", "wrong", "unknown"

_NARROW = {"float16": 3e-2, "bfloat16": 1e-1}
_TOLERANCE = 1e-4


def truth(motif: Motif, source: Path, target: Path) -> str:
    """Whether the tool's file computes what the motif does; unknown where one does not run."""
    for feed in motif.feeds():
        runs = []
        for path in (source, target):
            options = ort.SessionOptions()
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.log_severity_level = 4
            try:
                session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
                runs.append(session.run(None, feed))
            except Exception:  # noqa: BLE001  # the runtime's errors have no common base class
                return UNKNOWN if path == source else WRONG
        for ours, theirs in zip(*runs, strict=True):
            if ours.shape != theirs.shape or not _is_close(motif, ours, theirs):
                return WRONG
    return CORRECT


def _is_close(motif: Motif, ours: Array, theirs: Array) -> bool:
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    size = float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0)) or 1.0
    tolerance = _NARROW.get(motif.dtype, _TOLERANCE)
    return bool(np.allclose(a, b, rtol=0, atol=tolerance * size, equal_nan=True))


def main() -> int:
    """Prints the counts; 1 where verify alarms on a correct pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools-python", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    motifs = [motif for group in GROUPS.values() for motif in group]
    drawn = [(motif, tool) for motif in motifs for tool in TOOLS]
    order = np.random.default_rng(options.seed).permutation(len(drawn))
    chosen = [drawn[i] for i in order[: options.pairs]]
    counts: Counter[tuple[str, str]] = Counter()
    for tool in TOOLS:
        with Worker(tool, options.tools_python) as worker, tempfile.TemporaryDirectory() as name:
            for motif in (motif for motif, its in chosen if its == tool):
                source, target = Path(name, "in.onnx"), Path(name, "out.onnx")
                onnx.save(motif.model(), source)
                if worker.optimise(source, target) is not None:
                    counts["failed", ""] += 1
                    continue
                counts[_pair(motif, tool, source, target)] += 1
        told = ", ".join(f"{count} {' '.join(key)}" for key, count in sorted(counts.items()))
        print(f"up to {tool}: {told}", flush=True)
    return int(bool(counts[CORRECT, "different"]))


def _pair(motif: Motif, tool: str, source: Path, target: Path) -> tuple[str, str]:
    known = truth(motif, source, target)
    try:
        try:
            found = bnfold.verify(source, target)
        except DataError:  # sizes that belong together under different names
            found = bnfold.verify(source, target, data=motif.feeds())
        said, reason = str(found.verdict), found.reason
    except bnfold.BnfoldError as error:
        said, reason = "refused", str(error)
    if (known, said) in ((CORRECT, "different"), (WRONG, "equivalent"), (CORRECT, "refused")):
        print(f"{motif.name} by {tool}: {known}, {said}: {reason}", flush=True)
    return known, said


if __name__ == "__main__":
    sys.exit(main())
