"""A near miss is looked at again: the other model may only round more coarsely than the original.

A product in another order, Exp(LogSoftmax(x)) for Softmax, or a kernel of another runtime is the
same function with an error of its own, which is no multiple of the original's. In float64, where
neither rounds, that shows. With a and b the runs, and A and B those in float64,

    |B - A| <= K * max(e_a, floor)      they are one function, as exactly as the original tells, and
    |b - B| is rounding                 as `trust` judges it of the original, by copies around b

is as good as |b - A| <= K * max(e_a, floor). Where A or B is not to be had, copies of the other
model are the yardstick beside those of the original:

    |b - a| <= K * max(s_a, s_b)        s: the spread of copies, see `jitter`

Neither where the other model has a type with fewer digits than the original has: what a Cast to it
loses is no rounding of the function, though float64 does not see it.

Either only up to `COARSE` times the original's error: what rounds more coarsely is no good copy. Of
two runtimes one may have coarser kernels, whatever the graph: there `least` is the bound, what
roundings explain in any network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bnfold.float64 import EvaluationError, UnsupportedOperatorError
from bnfold.runtime.signature import is_exact_dtype
from bnfold.verify.case import OutputCase
from bnfold.verify.measure import K, ulp_of
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.noise import TURNS
from bnfold.verify.records import OutputRow
from bnfold.verify.seen_operators import coarsest_ulp
from bnfold.verify.shapes import Run, is_lost, of_shapes
from bnfold.verify.subject import OnnxSubject, Subject
from bnfold.verify.verdict import worst_of
from bnfold.verify.yardstick import Yardstick

COARSE = 8.0 * K
"""The other model's error may be this many times the original's if it is rounding all the same."""


def is_near(cases: Sequence[OutputCase], rows: Sequence[OutputRow]) -> bool:
    """Whether all that is off are floats, by so little that rounding may do it."""
    by_name = {case.name: case for case in cases}
    off = [row for row in rows if not row.is_within]
    return bool(off) and all(_is_near(by_name[row.name], row) for row in off)


def _is_near(case: OutputCase, row: OutputRow) -> bool:
    if row.is_exact or row.non_finite:
        return False
    return worst_of(row) <= COARSE or (not case.is_one_runtime and row.error_other <= case.least)


@dataclass
class SecondLook:
    """What the other model gives in float64, and what copies of it give in the runtime.

    Attributes:
        exact: its outputs in float64, one run a feed; None where there is no reference for it.
        copies: runs of copies of it that are rounded once more, each with the index of its feed.
        plain: its own runs.
    """

    plain: Sequence[Run]
    exact: Sequence[Run] | None = None
    copies: list[tuple[int, Run]] = field(default_factory=list)

    def row(self, case: OutputCase, index: int, row: OutputRow, other: Sequence[Run]) -> OutputRow:
        """The row of this output once more; as it was, where rounding does not explain it."""
        if row.is_within or case.is_stepped or not _is_near(case, row):
            return row
        near = [(feed, run[index], self.plain[feed][index]) for feed, run in self.copies]
        runs = [run[index] for run in other]
        exact = None if self.exact is None else [run[index] for run in self.exact]
        again = case.judged_again(exact, runs, near)
        if again is None or not again.is_within:
            return row
        return replace(
            row,
            error_other=again.error_other,
            ratio=again.ratio,
            channel_ratio=again.channel_ratio,
            channel_axis=again.channel_axis,
            worst_channel=again.worst_channel,
            is_within=True,
            remark=f"rounds {worst_of(row):.2g} times as coarsely as the original",
        )


def is_narrower(b: OnnxSubject, a: Subject, runs: Sequence[Run]) -> bool:
    """Whether the other model computes somewhere with fewer digits than the original ever does."""
    ours = [ulp_of(array.dtype) for array in runs[0] if not is_exact_dtype(array.dtype)]
    if isinstance(a, OnnxSubject):
        ours.append(coarsest_ulp(a.model))
    return coarsest_ulp(b.model) > max(ours, default=0.0)


def look_again(b: OnnxSubject, yardstick: Yardstick, others: Sequence[Run]) -> SecondLook:
    """The other model in float64 where that can be, and copies of it."""
    look = SecondLook(others)
    if not yardstick.is_range:
        look.exact = _in_float64(b, yardstick, others)
    for copy in range(TURNS):
        runner = b.open(yardstick.setting, Neighbour((yardstick.seed, copy), is_jittered=True))
        for index, feed in enumerate(yardstick.feeds):
            run = runner.run(feed.arrays)
            if all(x.shape == y.shape for x, y in zip(run, others[index], strict=True)):
                look.copies.append((index, run))
    return look


def _in_float64(
    b: OnnxSubject, yardstick: Yardstick, others: Sequence[Run]
) -> Sequence[Run] | None:
    """Its outputs on each feed, finite where its runs are."""
    found = []
    for feed, run in zip(yardstick.feeds, others, strict=True):
        try:
            exact = of_shapes(run, b.reference(feed.arrays))
        except (EvaluationError, UnsupportedOperatorError):
            return None
        if any(is_lost(x, y) for x, y in zip(run, exact, strict=True)):
            return None
        found.append(exact)
    return found
