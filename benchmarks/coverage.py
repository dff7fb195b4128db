"""Side by side: what each tool leaves of every motif, and whether it stays right.

    python -m benchmarks.coverage                    # remakes the table in README.md
    python -m benchmarks.coverage --no-readme --tool bnfold --only crepe
    python -m benchmarks.coverage --tools-python other-environment/bin/python

The other tools are installed by pip into an environment of their own, outside the repository.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks.insert_table import insert
from benchmarks.judge import difference, work_of_model, work_of_operators
from benchmarks.motifs import GROUPS, Motif
from benchmarks.optimizers import TOOLS
from benchmarks.packages import environment
from benchmarks.worker import Worker

_ROOT = Path(__file__).resolve().parents[1]
_DETAILS = Path(__file__).with_name("coverage.md")
_TOOLS = Path(__file__).with_name("tools.txt")

BEST, LEFT, WRONG, FAILED = "best", "left over", "wrong", "failed"


@dataclass(frozen=True)
class Outcome:
    """What one tool made of one motif: one of the four words, and a reason for two of them."""

    word: str
    reason: str = ""


@dataclass(frozen=True)
class Column:
    """One tool over all motifs; `outcomes` is None where the tool is not installed."""

    tool: str
    version: str
    outcomes: dict[str, Outcome] | None


def judge(motif: Motif, source: Path, target: Path, worker: Worker) -> Outcome:
    """Runs the tool on the motif's file and says what came of it."""
    error = worker.optimise(source, target)
    if error is not None:
        return Outcome(FAILED, error)
    wrong = difference(source, target, motif.feeds())
    if wrong is not None:
        return Outcome(WRONG, wrong)
    left = work_of_model(onnx.load(target))
    best = [work_of_operators(best.split()) for best in motif.best.split("|")]
    return Outcome(BEST if any(left.fits(work) for work in best) else LEFT)


def measure(tool: str, python: str, motifs: Sequence[Motif]) -> Column:
    """One tool over all motifs."""
    with Worker(tool, python) as worker, tempfile.TemporaryDirectory() as name:
        if worker.version is None:
            return Column(tool, "not installed", None)
        outcomes = {}
        for motif in motifs:
            source = Path(name, "in.onnx")
            onnx.save(motif.model(), source)
            target = Path(name, f"{motif.name}.onnx")
            outcomes[motif.name] = judge(motif, source, target, worker)
        return Column(tool, worker.version, outcomes)


def summary(columns: Sequence[Column], motifs: Sequence[Motif]) -> str:
    """The table of the README: one row for each tool."""
    traps = {motif.name for motif in GROUPS["traps"]}
    free = [m.name for m in motifs if not m.price and m.name not in traps]
    priced = [m.name for m in motifs if m.price]
    kept = [m.name for m in motifs if m.name in traps]
    lines = [
        f"| tool | best, of {len(free)} | best at a price, of {len(priced)} "
        f"| traps left right, of {len(kept)} | left over | wrong | failed |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for column in columns:
        found = column.outcomes
        if found is None:
            lines.append(f"| {column.tool} | not installed | | | | | |")
            continue
        best = [sum(found[name].word == BEST for name in names) for names in (free, priced, kept)]
        counts = Counter(outcome.word for outcome in found.values())
        cells = [*best, *(counts[word] for word in (LEFT, WRONG, FAILED))]
        title = f"{column.tool} ({column.version})"
        lines.append(f"| {title} | " + " | ".join(str(cell) for cell in cells) + " |")
    lines += [
        "",
        "*Best*: the tool's result is right, and no more work is left in it than in the best exact "
        "rewrite; *left over*: it is right, and more is. What each tool makes of each graph is in "
        "[benchmarks/coverage.md](benchmarks/coverage.md).",
    ]
    return "\n".join(lines)


def details(columns: Sequence[Column], motifs: Sequence[Motif]) -> str:
    """Every motif with every tool's outcome, and the reasons below."""
    present = [c for c in columns if c.outcomes is not None]
    lines = [
        "# Every motif and what each tool makes of it",
        "",
        "Written by `python -m benchmarks.coverage`; the graphs are in `benchmarks/motifs/`.",
        "",
        "| motif | best rewrite | " + " | ".join(c.tool for c in present) + " |",
        "| --- | --- |" + " --- |" * len(present),
    ]
    for motif in motifs:
        best = motif.best + (f" (at the price of {motif.price})" if motif.price else "")
        words = [c.outcomes[motif.name].word for c in present if c.outcomes is not None]
        lines.append(f"| {motif.name} | {best} | " + " | ".join(words) + " |")
    lines += ["", "## Wrong and failed", ""]
    for column in present:
        for name, outcome in (column.outcomes or {}).items():
            if outcome.reason:
                reason = " ".join(outcome.reason.split())[:240]
                lines.append(f"- {column.tool}, {name}: {outcome.word}: {reason}")
    return "\n".join(lines) + "\n"


def _selected(only: Sequence[str]) -> Iterator[Motif]:
    for group, motifs in GROUPS.items():
        for motif in motifs:
            if not only or group in only or any(part in motif.name for part in only):
                yield motif


def main() -> int:
    """Measures, writes the tables, and answers 1 where bnfold itself was ever wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tools-python", metavar="PYTHON", help="one that has the other tools")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="only this one")
    parser.add_argument("--only", action="append", default=[], help="a group, or part of a name")
    parser.add_argument("--no-readme", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    motifs = list(_selected(options.only))
    columns = []
    tools = options.tool or list(TOOLS)
    python = options.tools_python or sys.executable
    if not options.tools_python and not all(tool.startswith("bnfold") for tool in tools):
        found = environment(_TOOLS, Path(tempfile.gettempdir(), "bnfold-tools"))
        python = python if found is None else str(found)
    for tool in tools:
        own = tool.startswith("bnfold")
        print(f"{tool} ...", file=sys.stderr, flush=True)
        columns.append(measure(tool, sys.executable if own else python, motifs))
    table = summary(columns, motifs)
    if options.no_readme:
        print(details(columns, motifs))
    else:
        _DETAILS.write_text(details(columns, motifs), encoding="utf-8")
        insert(_ROOT / "README.md", "coverage", table)
    print(table)
    ours = [c for c in columns if c.tool.startswith("bnfold") and c.outcomes is not None]
    bad = [o for c in ours for o in (c.outcomes or {}).values() if o.word in (WRONG, FAILED)]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
