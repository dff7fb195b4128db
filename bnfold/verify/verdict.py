"""From rows to a verdict, and to the sentence that a release manager needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnfold.verify.measure import K
from bnfold.verify.records import OutputRow, Verdict
from bnfold.verify.scores import INSIDE

LEVEL_WORDS = {
    "none": "with the runtime's optimisations off",
    "basic": "with the runtime's basic optimisations on",
    "extended": "with the runtime's extended optimisations on",
    "all": "with the runtime's optimisations on",
}


@dataclass(frozen=True)
class Words:
    """What a sentence calls the error of what is judged, and that which it is measured by."""

    error: str
    unit: str


MODELS = Words("the other model's error", "the original's own rounding error")
EXPORT = Words("the graph's error", "the module's own rounding error")


def verdict_of(rows: Sequence[OutputRow], feeds: int, words: Words = MODELS) -> tuple[Verdict, str]:
    """The verdict over all outputs and levels, and its reason."""
    bad = [row for row in rows if not row.is_within]
    if not bad:
        return "equivalent", _equivalent(rows, feeds, words)
    first = [row for row in bad if row.level == bad[0].level]
    worst = max(first, key=lambda row: (bool(row.non_finite), worst_of(row)))
    sentence = f"{_difference(worst, words.unit)}, {LEVEL_WORDS[worst.level]}"
    if {row.level for row in bad} == {"all"} and any(row.level == "none" for row in rows):
        sentence += " only: without them it agrees, so look at the runtime, not at the fold"
    return "different", sentence


def _equivalent(rows: Sequence[OutputRow], feeds: int, words: Words) -> str:
    floats = [row for row in rows if row.is_judged and not row.is_exact]
    on = f"on {feeds} set{'s' if feeds != 1 else ''} of inputs"
    open_ties = sum(row.mismatches for row in rows)
    tail = f"; {open_ties} decisions differ, no more than ties explain" if open_ties else ""
    if not floats:
        return f"every output is the same {on}" + tail
    coarse = next((row for row in floats if row.remark), None)
    tail += f"; output {coarse.name!r} {coarse.remark}" if coarse is not None else ""
    tail += "".join(
        f"; {row.faint_channels} channel{'s' * (row.faint_channels != 1)} of output {row.name!r} "
        "too faint beside the others to tell a fault of 6 %"
        for row in faint_rows(floats)
    )
    worst = max(worst_of(row) for row in floats)
    return f"{words.error} is at most {worst:.2g} times {words.unit} {on} ({K:g} are allowed){tail}"


def faint_rows(rows: Sequence[OutputRow]) -> list[OutputRow]:
    """Those of outputs with faint channels, one each; of what hides nothing that is compared."""
    hiding = [row.name for row in rows if row.name.startswith(INSIDE)]
    found: dict[str, OutputRow] = {}
    for row in rows:
        is_plain = not row.name.startswith(INSIDE)
        if row.faint_channels and is_plain and not any(repr(row.name) in name for name in hiding):
            found.setdefault(row.name, row)
    return list(found.values())


def _difference(row: OutputRow, unit: str) -> str:
    what = row.name if row.name.startswith(INSIDE) else f"output {row.name!r}"
    if row.non_finite:
        return f"{what} has NaN or Inf, or its sign, in {row.non_finite} places in one model only"
    if row.is_exact:
        return f"{what} differs in {row.mismatches} of {row.elements} elements"
    times = f"times {unit} ({K:g} are allowed)"
    if row.ratio > K or row.channel_ratio is None:
        return f"{what} is off by {row.ratio:.3g} {times}"
    return (
        f"{what} is off by {row.channel_ratio:.3g} {times} "
        f"at index {row.worst_channel} of axis {row.channel_axis}"
    )


def worst_of(row: OutputRow) -> float:
    """The larger one of the ratios of an output and of its worst channel."""
    return max(row.ratio, row.channel_ratio or 0.0)
