"""How often the interval of `bnfold bench` holds the truth: `python -m benchmarks.interval`.

Two small networks are timed again and again, each time as a user would. Of two sessions of one
model the truth is 1; of the original and the folded model it is taken to be the median over all
repetitions. A 95 % interval should hold it in 95 of 100. Beside it stands what an interval from
pairs alone would have held: the same pairs, resampled as if they were of one process.
Each repetition is kept in `--folder`, so that a run that was stopped goes on. A hundred of both
networks take about 40 minutes, `--quick` (six, of few pairs; it writes nothing) two.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

import bnfold
from benchmarks.blocks import NETWORKS, SHAPE
from benchmarks.deployed import Tabular
from benchmarks.insert_table import insert
from benchmarks.kept import kept
from bnfold.bench.rows import Comparison, Interval
from bnfold.bench.statistics import ratio_interval

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "measuring.md"
_SHAPES = {"tabular": (2, 30), "as CREPE": SHAPE}


def repetitions(name: str, runs: int, kept_in: Path, timing: Mapping[str, Any]) -> list[Comparison]:
    """The comparison of the network and its fold, measured so often."""
    torch.manual_seed(0)
    module = Tabular() if name == "tabular" else NETWORKS[name]()
    with tempfile.TemporaryDirectory() as folder:
        original, folded = Path(folder, "original.onnx"), Path(folder, "folded.onnx")
        bnfold.export(module.eval(), torch.randn(_SHAPES[name]), original)
        bnfold.fold(original).save(folded)
        found = []
        for seed in range(runs):
            print(f"{name}: {seed + 1} of {runs}", file=sys.stderr, flush=True)
            once = kept(
                kept_in, f"interval: {name}", [seed, dict(timing)],
                lambda seed=seed: bnfold.bench(  # type: ignore[misc]
                    [original, folded], levels="all", seed=seed, **timing
                ),
            )  # fmt: skip
            found += once.comparisons
        return found


def held(intervals: Sequence[Interval], truth: float) -> str:
    """In how many the truth lies, and how wide they are."""
    count = sum(one.low <= truth <= one.high for one in intervals)
    width = median(one.high / one.low for one in intervals) - 1
    return f"{count} of {len(intervals)}, width {width:.1%}"


def lines_of(name: str, rows: Sequence[Comparison]) -> list[str]:
    """The two rows of the network in the table."""
    lines = []
    for what, truth, ours, quads in (
        ("itself", 1.0, [r.null for r in rows], [r.null_quads for r in rows]),
        ("folded", median(r.ratio.estimate for r in rows), [r.ratio for r in rows],
         [r.quads for r in rows]),
    ):  # fmt: skip
        pairs = [ratio_interval(each, seed=i) for i, each in enumerate(quads)]
        lines.append(
            f"| {name}, {what} | {truth:.3f} | {held(ours, truth)} | {held(pairs, truth)} |"
        )
    return lines


def main() -> None:
    """Measures and puts the table into docs/measuring.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="for what was measured")
    parser.add_argument("--quick", action="store_true", help="six of few pairs; write nothing")
    parser.add_argument("--print", action="store_true", help="write nothing")
    options = parser.parse_args()
    lines = [
        "| network, against | truth | the interval held it | from pairs alone |",
        "| --- | --: | --- | --- |",
    ]
    for name in _SHAPES:
        runs = min(options.runs, 6) if options.quick else options.runs
        timing = {"pairs": 24, "processes": 6} if options.quick else {}
        lines += lines_of(name, repetitions(name, runs, options.folder, timing))
    text = "\n".join(lines)
    print(text)
    if not (options.print or options.quick):
        insert(_PAGE, "interval", text)


if __name__ == "__main__":
    main()
