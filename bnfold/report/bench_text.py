"""A measurement in words: the verdict before any ratio, and what the machine was.

A *setting* is a provider and a level of onnxruntime's optimisations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Chart, Column, Line, Style, Table, blank
from bnfold.report.words import byte_size, counted

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult, Comparison, Interval, Profile

VERDICT_STYLES: dict[str, Style] = {
    "faster": "good",
    "slower": "bad",
    "no difference": "",
    "inconclusive": "warn",
}
LONGEST_PROFILE = 8


def bench_blocks(result: BenchResult, *, every_row: bool = False) -> list[Block]:
    """Verdicts, then figures per model, then the environment; operator times if asked for."""
    blocks: list[Block] = []
    for comparison in result.headline:
        style = VERDICT_STYLES[comparison.verdict]
        pair = f"{comparison.candidate} against {comparison.baseline}"
        blocks.append(Line(f"{pair}: {comparison.sentence}", style or "title"))
    if result.comparisons:
        blocks += [blank(), _comparisons(result.comparisons)]
        if every_row:
            blocks += [Chart(comparison) for comparison in result.comparisons]
        reasons = dict.fromkeys(c.reason for c in result.comparisons if c.reason)
        blocks += [Line(reason, indent=2) for reason in reasons]
    if result.isolated:
        blocks += [blank(), _isolated(result)]
    if every_row:
        blocks += [block for profile in result.profiles for block in _profile(profile)]
        blocks += [blank(), _models(result), _inputs(result)]
    blocks += [blank(), *(Line(f"note: {note}", "dim") for note in result.notes)]
    return [*blocks, Line(environment_line(result), "dim")]


def environment_line(result: BenchResult) -> str:
    """Machine, versions and settings, on one line."""
    facts, asked = result.environment, result.settings
    versions = facts["versions"]
    words = [
        str(facts["cpu"]),
        counted(facts["cores_usable"], "core"),
        f"onnxruntime {versions['onnxruntime']}",
        f"Python {facts['python']}",
        counted(asked.threads, "thread"),
        f"batch {asked.batch}",
        counted(asked.pairs, "pair"),
        f"seed {asked.seed}",
    ]
    if facts.get("gpu"):
        words.insert(1, str(facts["gpu"]))
    return f"measured on {', '.join(words)}"


def _comparisons(comparisons: Iterable[Comparison]) -> Table:
    columns = (
        Column("verdict"), Column("model"), Column("setting"), Column("ratio", right=True),
        Column("interval", right=True), Column("baseline twice", right=True),
    )  # fmt: skip
    rows = [
        (
            Line(c.verdict, VERDICT_STYLES[c.verdict]),
            c.candidate,
            f"{c.provider}, {c.level}",
            f"{c.ratio.estimate:.3f}",
            _interval(c.ratio),
            _interval(c.null),
        )
        for c in comparisons
    ]
    return Table(columns, rows, caption="Comparisons in pairs")


def _interval(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _isolated(result: BenchResult) -> Table:
    columns = (
        Column("model"), Column("setting"), Column("median ms", right=True),
        Column("p90 ms", right=True), Column("session ms", right=True),
        Column("peak MiB", right=True), Column("file", right=True),
    )  # fmt: skip
    sizes = {model.name: byte_size(model.size_bytes) for model in result.models}
    rows = [
        (
            row.model,
            f"{row.provider}, {row.level}",
            f"{row.median_ms:.3f}",
            f"{row.p90_ms:.3f}",
            f"{row.session_ms:.1f}",
            f"{row.peak_rss_mib:.0f}",
            sizes.get(row.model, ""),
        )
        for row in result.isolated
    ]
    return Table(columns, rows, caption="Each model alone, in a fresh process")


def _models(result: BenchResult) -> Table:
    columns = (Column("model"), Column("role"), Column("size", right=True), Column("SHA-256"))
    rows = [(m.name, m.role, byte_size(m.size_bytes), m.sha256) for m in result.models]
    return Table(columns, rows, caption="Models")


def _inputs(result: BenchResult) -> Line:
    listed = [f"{row.name} {row.dtype} {list(row.shape)} ({row.source})" for row in result.inputs]
    return Line(f"inputs: {', '.join(listed)}")


def _profile(profile: Profile) -> list[Block]:
    columns = (
        Column("operator"), Column("nodes", right=True), Column("mean ms", right=True),
        Column("share", right=True),
    )  # fmt: skip
    rows = [
        (row.op, str(row.nodes), f"{row.mean_ms:.3f}", f"{row.share:.0%}")
        for row in profile.operators[:LONGEST_PROFILE]
    ]
    title = f"where {profile.model} spends its time ({profile.provider}, {profile.level})"
    return [blank(), Line(title), Table(columns, rows, caption=f"Operators of {profile.model}")]
