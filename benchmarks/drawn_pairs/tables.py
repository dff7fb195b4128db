"""What was found, and its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.verdicts import CORRECT, FAILED


@dataclass(frozen=True)
class FaultRow:
    """A graph and one with a fault.

    Attributes:
        is_apart: whether the runtime tells them apart.
        verdict: of `verify`.
    """

    seed: int
    kind: str
    is_apart: bool
    verdict: str
    reason: str

    @property
    def is_contrary(self) -> bool:
        """Whether verify misses what the runtime tells apart."""
        return self.is_apart and self.verdict != "different"


@dataclass(frozen=True)
class RewriteRow:
    """A graph and what a tool makes of it; `truth` is that of `benchmarks.verdicts`."""

    seed: int
    tool: str
    truth: str
    verdict: str
    reason: str

    @property
    def is_contrary(self) -> bool:
        """Whether verify does not believe what the runtime takes for correct."""
        return self.truth == CORRECT and self.verdict != "equivalent"


def fault_table(rows: Sequence[FaultRow]) -> str:
    """By kind: how many were drawn, are apart in the runtime, and are different for verify."""
    head = (
        "drawn",
        "apart in the runtime",
        "of these different",
        "not apart",
        "of these different",
    )
    kinds = dict.fromkeys(row.kind for row in rows)
    parts = {kind: [row for row in rows if row.kind == kind] for kind in sorted(kinds)}
    lines = [_line("fault", head), _line("---", ["---:"] * len(head))]
    lines += [_line(kind, _fault_cells(part)) for kind, part in parts.items()]
    return "\n".join([*lines, _line("all", _fault_cells(rows))])


def _fault_cells(rows: Sequence[FaultRow]) -> list[object]:
    found = Counter((row.is_apart, row.verdict == "different") for row in rows)
    apart, alike = (found[side, True] + found[side, False] for side in (True, False))
    return [len(rows), apart, found[True, True], alike, found[False, True]]


def rewrite_table(rows: Sequence[RewriteRow]) -> str:
    """By tool: how many rewrites are correct for the runtime, and equivalent for verify."""
    head = ("written", "correct in the runtime", "of these equivalent")
    tools = dict.fromkeys(row.tool for row in rows)
    lines = [_line("rewritten by", head), _line("---", ["---:"] * len(head))]
    for tool in tools:
        lines.append(_line(tool, _rewrite_cells([row for row in rows if row.tool == tool])))
    return "\n".join([*lines, _line("all", _rewrite_cells(rows))])


def _rewrite_cells(rows: Sequence[RewriteRow]) -> list[object]:
    written = [row for row in rows if row.truth != FAILED]
    correct = [row for row in written if row.truth == CORRECT]
    return [len(written), len(correct), sum(not row.is_contrary for row in correct)]


def _line(name: str, cells: Sequence[object]) -> str:
    return f"| {name} | {' | '.join(map(str, cells))} |"
