"""A measurement as CSV: a row for each comparison, each model alone, and whatever failed."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.bench.rows import Tax

COLUMNS = (
    "kind", "model", "baseline", "runtime", "provider", "level", "threads", "batch", "verdict",
    "ratio", "low", "high", "median_ms", "p90_ms", "p99_ms", "runs_per_s", "session_ms",
    "peak_rss_mib", "device_mib", "cost", "gone", "gone_low", "gone_high",
    "then", "now", "change", "change_low", "change_high", "sentence",
)  # fmt: skip


def csv_text(result: BenchResult) -> str:
    """The rows under `COLUMNS`; what does not apply to a row is empty."""
    file = io.StringIO()
    table = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for pair in result.comparisons:
        more = {"kind": "pairs", "model": pair.candidate, "ratio": pair.ratio.estimate}
        table.writerow({**vars(pair), **more, "low": pair.ratio.low, "high": pair.ratio.high})
    for row in result.isolated:
        table.writerow({"kind": "alone", **vars(row)})
    for tax in result.taxes:
        table.writerow({**vars(tax), "kind": "floor", "model": tax.candidate, **_shares(tax)})
    for since in result.since:
        figures = {"then": since.then.estimate, "now": since.now.estimate}
        change = {"change": since.change.estimate, "change_low": since.change.low}
        more = {"kind": f"since, {since.what}", "change_high": since.change.high}
        table.writerow({**vars(since), **figures, **change, **more})
    for peer in result.peers:
        if peer.sentence:
            table.writerow({"kind": "peer", "model": peer.name, "sentence": peer.sentence})
    for failed in result.failed:
        table.writerow({"kind": "failed", **vars(failed)})
    return file.getvalue()


def _shares(tax: Tax) -> dict[str, float | str]:
    gone = tax.gone
    if gone is None:
        return {"cost": tax.cost.estimate, "gone": ""}
    shares = {"gone": gone.estimate, "gone_low": gone.low, "gone_high": gone.high}
    return {"cost": tax.cost.estimate, **shares}
