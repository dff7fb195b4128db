"""The account of every batch norm: folded into what, or kept and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bnfold.fold.account.allowance import Allowance
from bnfold.fold.account.size import Size
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.account.tried import Trial
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Refusal
from bnfold.notebook_display import Shown
from bnfold.record import SCHEMA_VERSION, Row, json_form


@dataclass(frozen=True)
class Numbers(Row):
    """What a careful engineer asks about a fold.

    Attributes:
        largest_scale: the largest |s|: by this factor the range of one channel's weights grows.
        zero_scales: channels with s = 0, which carry nothing but the shift.
        negative_scales: channels whose sign flips.
        lost_bits: the most bits that `beta - mean * s` loses to cancellation in one channel.
        range_growth: largest |weight| after, over before; 1 where no weight changed.
    """

    largest_scale: float
    zero_scales: int
    negative_scales: int
    lost_bits: float = 0.0
    range_growth: float = 1.0


@dataclass(frozen=True)
class Decision(Row):
    """What became of one batch norm, or of constant arithmetic that is one.

    Attributes:
        name: the node's name, or the tensor that it makes where it has none.
        op: "BatchNormalization", or "affine" for Mul, Div, Add, Sub by constants.
        output: the tensor that it makes.
        scope: the node whose body it stands in; empty for the main graph.
        channels: how many; None where not known.
        status: "folded" or "kept".
        direction: where it went: "backward", "forward", "both" or "merge".
        rules: through which rules, spelt as `skip` takes them, in the order of the way.
        into: the operators that took it, by name.
        refusals: why it was kept, one for each direction.
        would_fold_with: names for `allow` that would have folded it, each by itself; several that
            are needed together stand in one, separated by commas.
        numbers: of the fold; None where it was kept, or went with a body that no run takes.
        price: what was paid for it, as `allow` names it.
        proof: the largest difference between before and after in float64, over the largest value;
            None as for the numbers.
    """

    name: str
    op: str
    output: str
    scope: str
    channels: int | None
    status: str
    direction: str | None = None
    rules: tuple[str, ...] = ()
    into: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    would_fold_with: tuple[str, ...] = ()
    numbers: Numbers | None = None
    price: tuple[str, ...] = ()
    proof: float | None = None

    @property
    def is_folded(self) -> bool:
        """Whether it is gone."""
        return self.status == "folded"

    @property
    def rule(self) -> str | None:
        """The rules in one text, for a line of a log; None where it was kept."""
        return ", ".join(self.rules) or None


@dataclass(frozen=True)
class Ledger(Shown):
    """All decisions in graph order, and what went wrong on our side.

    Attributes:
        decisions: one for each batch norm and each folded piece of constant arithmetic.
        repairs: what was changed by name before the fold, in words: changes of meaning, no folds.
        subnormals: entries of folded float32 weights below 1.2e-38, which some processors compute
            many times slower.
        flushed: whether they were set to 0.
        merges: linear branches that became one operator, and Ifs that became the body that they
            always take, in words.
        equalized: where scales were moved between layers to even out their channels, in words.
        bugs: rewrites that proved to be wrong and were not made, and what else failed on our side.
        unproven: rewrites that could not be run, and so were not made.
        opinion: what onnxruntime says of the whole; None where it was not to be asked.
        proofs: for each rewrite that was made, merges too, how far float64 was from exact.
        tried: rewrites that were measured on a target; `tune` keeps those with a price if faster.
        allowances: what could be allowed to fold more, and what that costs.
        before, after: the size of the model; None where only decisions are told.
    """

    decisions: tuple[Decision, ...] = ()
    merges: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    subnormals: int = 0
    flushed: bool = False
    opinion: Opinion | None = None
    proofs: tuple[float, ...] = ()
    before: Size | None = None
    after: Size | None = None
    tried: tuple[Trial, ...] = ()
    equalized: tuple[str, ...] = ()
    allowances: tuple[Allowance, ...] = ()

    @property
    def batch_norms(self) -> tuple[Decision, ...]:
        """The decisions about BatchNormalization nodes."""
        return tuple(d for d in self.decisions if d.op == "BatchNormalization")

    @property
    def batch_norms_before(self) -> int:
        """How many the model had."""
        return len(self.batch_norms)

    @property
    def batch_norms_after(self) -> int:
        """How many it still has."""
        return sum(not d.is_folded for d in self.batch_norms)

    @property
    def codes_of_kept(self) -> dict[str, int]:
        """Why batch norms stay, and how many each; the codes of one are joined by " and "."""
        kept = (d for d in self.batch_norms if not d.is_folded)
        codes = (" and ".join(dict.fromkeys(r.code for r in d.refusals)) for d in kept)
        return dict(Counter(codes).most_common())

    @property
    def summary(self) -> str:
        """`batch norms: 3 -> 1`."""
        return f"batch norms: {self.batch_norms_before} -> {self.batch_norms_after}"

    def __repr__(self) -> str:
        """One line; the decisions are in `decisions`."""
        return f"<Ledger {self.summary}, {len(self.decisions)} decisions>"

    @property
    def kept(self) -> tuple[Decision, ...]:
        """The decisions that left something where it was."""
        return tuple(d for d in self.decisions if not d.is_folded)

    @property
    def folded(self) -> tuple[Decision, ...]:
        """The decisions that folded."""
        return tuple(d for d in self.decisions if d.is_folded)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the version of this layout."""
        return {
            "schema_version": SCHEMA_VERSION,
            "batch_norms_before": self.batch_norms_before,
            "batch_norms_after": self.batch_norms_after,
            "decisions": json_form([asdict(decision) for decision in self.decisions]),
            "repairs": list(self.repairs),
            "subnormals": self.subnormals,
            "flushed": self.flushed,
            "merges": list(self.merges),
            "equalized": list(self.equalized),
            "allowances": json_form([asdict(allowance) for allowance in self.allowances]),
            "bugs": list(self.bugs),
            "unproven": list(self.unproven),
            "proofs": json_form(self.proofs),
            "before": None if self.before is None else json_form(asdict(self.before)),
            "after": None if self.after is None else json_form(asdict(self.after)),
            "tried": json_form([asdict(trial) for trial in self.tried]),
            "opinion": None if self.opinion is None else json_form(asdict(self.opinion)),
        }


def numbers_of(affine: Affine, lost_bits: float, range_growth: float) -> Numbers:
    """The account of one affine."""
    scale = affine.scale
    return Numbers(
        largest_scale=float(np.max(np.abs(scale), initial=0.0)),
        zero_scales=int(np.sum(scale == 0)),
        negative_scales=int(np.sum(scale < 0)),
        lost_bits=lost_bits,
        range_growth=range_growth,
    )
