"""What a verdict rests on, in one sentence: sets, shapes, coverage, the yardstick, the weakest."""

from __future__ import annotations

from collections.abc import Sequence

from bnfold.runtime.signature import dims_text
from bnfold.verify.measure import K
from bnfold.verify.records import Coverage, FeedRow, OutputRow
from bnfold.verify.verdict import worst_of

_SHAPES = 4  # of one input, and inputs, that are listed
_INPUTS = 2
_ALL = "they run each branch, pass each bound, wake each Relu unit and draw each row of a table"


def evidence_of(
    feeds: Sequence[FeedRow], rows: Sequence[OutputRow], coverage: Coverage | None
) -> str:
    """The sentence; the rows are those that were judged, or not."""
    parts = [f"{len(feeds)} set{'s' if len(feeds) != 1 else ''} of inputs ({_shapes(feeds)})"]
    if coverage is None:
        parts.append("what they reach of the original is not known")
    else:
        parts.append(coverage.sentence() or _ALL)
    judged = [row for row in rows if row.is_judged and not row.is_exact]
    if judged:
        spread = max(row.error_original for row in judged)
        weakest = max(judged, key=worst_of)
        parts.append(f"the original and its neighbours spread by {spread:.1e} of an output's scale")
        parts.append(
            f"the weakest link is {weakest.name!r} at level {weakest.level!r}: "
            f"{worst_of(weakest):.2g} of {K:g}"
        )
    return "; ".join(parts)


def _shapes(feeds: Sequence[FeedRow]) -> str:
    names = list(feeds[0].shapes) if feeds else []
    texts = []
    for name in names[:_INPUTS]:
        shapes = list(dict.fromkeys(dims_text(feed.shapes[name]) for feed in feeds))
        more = f" and {len(shapes) - _SHAPES} more" if len(shapes) > _SHAPES else ""
        texts.append(f"{name} {' '.join(shapes[:_SHAPES])}{more}")
    rest = f", {len(names) - _INPUTS} more inputs" if len(names) > _INPUTS else ""
    return ", ".join(texts) + rest if texts else "none is wanted"
