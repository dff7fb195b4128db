"""A measurement in words: the verdict before any ratio, and what the machine was.

A *setting* is a provider and a level of onnxruntime's optimisations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Chart, Column, Line, Style, Table, blank
from bnfold.report.words import byte_size, counted

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.bench.rows import Comparison, Interval, Profile, Where

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
        pair = f"{comparison.candidate} against {comparison.baseline}{_apart(result, comparison)}"
        blocks.append(Line(f"{pair}: {comparison.sentence}", style or "title"))
    if result.comparisons:
        blocks += [blank(), _comparisons(result)]
        if every_row:
            blocks += [Chart(comparison) for comparison in result.comparisons]
        reasons = dict.fromkeys(c.reason for c in result.comparisons if c.reason)
        blocks += [Line(reason, indent=2) for reason in reasons]
    blocks += [Line(line, indent=2) for line in _taxes(result)]
    if result.since:
        blocks += [blank(), _since(result)]
    if result.int8:
        blocks += [blank(), _int8(result)]
    if any(peer.sentence for peer in result.peers):
        blocks += [blank(), _peers(result)]
    if result.failed:
        blocks += [blank(), _failed(result)]
    if result.isolated:
        blocks += [blank(), _isolated(result)]
    if every_row:
        blocks += [block for profile in result.profiles for block in _profile(profile)]
        blocks += [blank(), _models(result)]
    blocks += [blank(), *_inputs(result)]
    blocks += [*(Line(f"note: {note}", "dim") for note in result.notes)]
    blocks.append(Line(environment_line(result), "dim"))
    return blocks[1:] if blocks[0] == blank() else blocks


def environment_line(result: BenchResult) -> str:
    """Machine, versions and settings, on one line."""
    facts, asked = result.environment, result.settings
    versions = facts["versions"]
    runtimes = result.runtimes or (None,)
    words = [
        str(facts["cpu"]),
        counted(facts["cores_usable"], "core"),
        *(
            f"onnxruntime {versions['onnxruntime'] if one is None else one.onnxruntime} "
            f"(Python {facts['python'] if one is None else one.python})"
            for one in runtimes
        ),
        *(counted(threads, "thread") for threads in asked.threads),
        *dict.fromkeys(f"batch {row.batch}" for row in result.isolated),
        f"{asked.duration_s:g} s of pairs" if asked.pairs is None else counted(asked.pairs, "pair"),
        *_spread_over(result),
        f"seed {asked.seed}",
    ]
    if facts.get("gpu"):
        words.insert(1, str(facts["gpu"]))
    return f"measured on {', '.join(words)}"


def _spread_over(result: BenchResult) -> Iterable[str]:
    counts = {len(row.processes) for row in result.comparisons}
    if counts:
        yield "1 process" if max(counts) <= 1 else f"{max(counts)} processes"


def _apart(result: BenchResult, row: Comparison) -> str:
    """Where a headline is from, if there are several."""
    several = _several(result)
    return f" ({several(row)})" if several(row) and len(result.headline) > 1 else ""


def _several(result: BenchResult) -> Callable[[Where], str]:
    """What tells a row from others beyond provider and level: of that, what there is more of."""
    asked = result.settings
    batches = {row.batch for row in result.isolated} | {row.batch for row in result.failed}

    def words(row: Where) -> str:
        found = [row.runtime] if row.runtime else []
        found += [f"batch {row.batch}"] if len(batches) > 1 else []
        found += [counted(row.threads, "thread")] if len(asked.threads) > 1 else []
        return ", ".join(found)

    return words


def setting(result: BenchResult, row: Where) -> str:
    """Where a row was measured, as far as the measurement has several such places."""
    more = _several(result)(row)
    return ", ".join([row.provider, row.level, *([more] if more else [])])


def _int8(result: BenchResult) -> Table:
    with_labels = any(row.top1 is not None for row in result.int8)
    columns = [
        Column("in int8"), Column("signal to noise", right=True), Column("output"),
        Column("same class", right=True), *[Column("right class", right=True)] * with_labels,
        Column("rows", right=True),
    ]  # fmt: skip
    rows = [
        [
            row.model,
            f"{row.snr_db:.1f} dB",
            row.output,
            _percent(row.top1_agreement),
            *[f"{_percent(row.top1)} (float: {_percent(row.top1_float)})"] * with_labels,
            str(row.rows),
        ]
        for row in result.int8
    ]
    return Table(columns, rows, caption="Accuracy in int8, beside the float baseline")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _taxes(result: BenchResult) -> Iterable[str]:
    """Of each model that was named, how much of what the batch norms cost is gone, by setting."""
    named = {model.name for model in result.models if model.role == "candidate"}
    for tax in result.taxes:
        if tax.candidate in named:
            yield f"{tax.candidate} ({setting(result, tax)}): {tax.sentence}"


def _since(result: BenchResult) -> Table:
    columns = (
        Column("since the baseline"), Column("model"), Column("setting"), Column("what"),
        Column("then", right=True), Column("now", right=True), Column("change", right=True),
    )  # fmt: skip
    rows = [
        (
            Line(row.verdict, VERDICT_STYLES[row.verdict]),
            row.model,
            setting(result, row),
            "ms alone" if row.what == "alone" else "ratio",
            f"{row.then.estimate:.3f}",
            f"{row.now.estimate:.3f}",
            f"{row.change.estimate:.3f} ({_interval(row.change)})",
        )
        for row in result.since
    ]
    return Table(columns, rows, caption="Beside the earlier measurement")


def _peers(result: BenchResult) -> Table:
    rows = [
        (Line(f"{peer.name} {peer.version}".strip(), "warn"), peer.sentence)
        for peer in result.peers
        if peer.sentence
    ]
    columns = (Column("optimiser"), Column("why it is not timed"))
    return Table(columns, rows, caption="Other optimisers that are not timed")


def _failed(result: BenchResult) -> Table:
    columns = (Column("does not run"), Column("setting"), Column("why"))
    rows = [(Line(f.model, "bad"), setting(result, f), f.sentence) for f in result.failed]
    return Table(columns, rows, caption="Models that a runtime does not load or run")


def _comparisons(result: BenchResult) -> Table:
    columns = (
        Column("verdict"), Column("model"), Column("setting"), Column("ratio", right=True),
        Column("interval", right=True), Column("baseline twice", right=True),
    )  # fmt: skip
    rows = [
        (
            Line(c.verdict, VERDICT_STYLES[c.verdict]),
            c.candidate,
            setting(result, c),
            f"{c.ratio.estimate:.3f}",
            _interval(c.ratio),
            _interval(c.null),
        )
        for c in result.comparisons
    ]
    return Table(columns, rows, caption="Comparisons in pairs")


def _interval(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _isolated(result: BenchResult) -> Table:
    with_p99 = any(row.p99_ms is not None for row in result.isolated)
    with_streams = bool(result.settings.streams)
    with_device = any(row.device_mib is not None for row in result.isolated)
    columns = [
        Column("model"), Column("setting"), Column("median ms", right=True),
        Column("p90 ms", right=True), *[Column("p99 ms", right=True)] * with_p99,
        Column("runs", right=True), *[Column("runs/s", right=True)] * with_streams,
        Column("session ms", right=True), Column("peak MiB", right=True),
        *[Column("device MiB", right=True)] * with_device, Column("file", right=True),
    ]  # fmt: skip
    sizes = {model.name: byte_size(model.size_bytes) for model in result.models}
    rows = [
        [
            row.model,
            setting(result, row),
            f"{row.median_ms:.3f}",
            f"{row.p90_ms:.3f}",
            *[_number(row.p99_ms, 3)] * with_p99,
            f"{row.runs} in {len(row.medians_ms)}",
            *[_number(row.runs_per_s, 0)] * with_streams,
            f"{row.session_ms:.1f}",
            _number(row.peak_rss_mib, 0),
            *[_number(row.device_mib, 0)] * with_device,
            sizes.get(row.model, ""),
        ]
        for row in result.isolated
    ]
    return Table(columns, rows, caption="Each model alone, in fresh processes")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _models(result: BenchResult) -> Table:
    columns = (Column("model"), Column("role"), Column("size", right=True), Column("SHA-256"))
    rows = [(m.name, m.role, byte_size(m.size_bytes), m.sha256) for m in result.models]
    return Table(columns, rows, caption="Models")


def _inputs(result: BenchResult) -> Iterable[Line]:
    """The shapes that were timed, a line for each batch."""
    for batch in dict.fromkeys(row.batch for row in result.inputs):
        listed = [
            f"{row.name} {row.dtype} {list(row.shape)} ({row.source})"
            for row in result.inputs
            if row.batch == batch
        ]
        yield Line(f"inputs: {', '.join(listed)}", "dim")


def _profile(profile: Profile) -> list[Block]:
    columns = (
        Column("operator"), Column("nodes", right=True), Column("mean ms", right=True),
        Column("share", right=True),
    )  # fmt: skip
    rows = [
        (row.op, str(row.nodes), f"{row.mean_ms:.3f}", f"{row.share:.0%}")
        for row in profile.operators[:LONGEST_PROFILE]
    ]
    where = [profile.provider, profile.level, *filter(None, [profile.runtime])]
    title = f"where {profile.model} spends its time ({', '.join(where)})"
    return [blank(), Line(title), Table(columns, rows, caption=f"Operators of {profile.model}")]
