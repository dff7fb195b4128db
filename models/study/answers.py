"""What the runs say to each question, in sentences that the numbers carry and no others."""

from __future__ import annotations

from collections.abc import Callable

from models.study.figures import VARIANTS, Study, Variant
from models.study.grid import PLACES
from models.study.statistics import FEW, Estimate, difference, estimate

BEFORE, AFTER, NONE = (Variant(place, False) for place in PLACES)
BEFORE_DROP, AFTER_DROP, NONE_DROP = (Variant(place, True) for place in PLACES)

Values = Callable[[Variant], list[float]]


def speed(study: Study) -> list[str]:
    """How many epochs to the target, each variant at the rate where it is fastest."""
    epochs = study.grid.epochs
    said = [_took(study, variant) for variant in VARIANTS]
    compared = [
        _compared(_fastest(study), NONE, BEFORE, "epochs", "fewer", "more"),
        _compared(_fastest(study), NONE, AFTER, "epochs", "fewer", "more"),
        _compared(_fastest(study), BEFORE, AFTER, "epochs", "fewer", "more"),
    ]
    return [*said, *compared, f"A run that never got there counts as {epochs + 1} epochs."]


def rates(study: Study) -> list[str]:
    """At which learning rates every seed learned, and where none did."""
    said = []
    for variant in VARIANTS:
        works = study.working_rates(variant)
        lost = [
            f"{rate:g} ({study.failures(variant, rate)} of {study.grid.seeds})"
            for rate in study.grid.learning_rates
            if study.failures(variant, rate)
        ]
        span = f"at every rate from {works[0]:g} to {works[-1]:g}" if works else "at no rate"
        if works and len(works) < _count_between(study, works):
            span = f"at {', '.join(f'{rate:g}' for rate in works)}"
        failed = f"; seeds failed at {', '.join(lost)}" if lost else "; none failed"
        said.append(f"{_first_upper(variant.said)}: every seed learned {span}{failed}.")
    widths = {v: _width(study.working_rates(v)) for v in (BEFORE, AFTER, NONE)}
    if all(widths.values()):
        said.append(
            "The largest rate that worked is "
            + ", ".join(f"{widths[v]:.0f} times the smallest {v.said}" for v in widths)
            + "."
        )
    return said


def initialisation(study: Study) -> list[str]:
    """What becomes of each variant when its weights start smaller or larger than He's."""
    said = []
    for variant in VARIANTS:
        if len(study.grid.scales(variant.dropout)) == 1:
            continue
        rate = study.best_rate(variant)
        parts = []
        for scale in study.grid.scales(variant.dropout):
            told = f"{estimate(study.held_out(variant, rate, scale)).said()} % at scale {scale:g}"
            failed = study.failures(variant, rate, scale)
            parts.append(f"{told} ({failed} of {study.grid.seeds} failed)" if failed else told)
        said.append(f"{_first_upper(variant.said)}, at rate {rate:g}: {', '.join(parts)}.")
    for variant in (BEFORE, AFTER, NONE):
        cells = [(r, s) for r in study.grid.learning_rates for s in study.grid.init_scales]
        learned = sum(study.grid.seeds - study.failures(variant, r, s) for r, s in cells)
        total = len(cells) * study.grid.seeds
        said.append(f"Over all rates and scales, {learned} of {total} runs learned {variant.said}.")
    return said


def final(study: Study) -> list[str]:
    """How good each variant is at the end, at the rate that validation likes best."""
    said = [
        f"{_first_upper(v.said)}: {estimate(_best(study)(v)).said()} % of the held-out digits, at "
        f"rate {study.best_rate(v):g}."
        for v in VARIANTS
    ]
    return [
        *said,
        _compared(_best(study), NONE, BEFORE, "points", "lower", "higher"),
        _compared(_best(study), NONE, AFTER, "points", "lower", "higher"),
        _compared(_best(study), BEFORE, AFTER, "points", "lower", "higher"),
    ]


def before_or_after(study: Study) -> list[str]:
    """What the place of the batch norm changes, rate by rate."""
    said = []
    for rate in study.grid.learning_rates:
        pair = [study.held_out(variant, rate) for variant in (BEFORE, AFTER)]
        apart = difference(*pair)
        means = " against ".join(f"{estimate(values).mean:.1f} %" for values in pair)
        said.append(
            f"At rate {rate:g}, before against after: {means}; after minus before is "
            f"{apart.said()} points{_unseen(apart)}."
        )
    return said


def dropout(study: Study) -> list[str]:
    """What Dropout changes, where there is batch norm and where there is none."""
    said = []
    for without, with_it in zip(VARIANTS[:3], VARIANTS[3:], strict=True):
        apart = difference(_best(study)(without), _best(study)(with_it))
        slower = difference(_fastest(study)(without), _fastest(study)(with_it))
        said.append(
            f"{_first_upper(without.said)}, Dropout changed the held-out accuracy by "
            f"{apart.said()} points{_unseen(apart)}, and the epochs to "
            f"{study.grid.target_percent:g} % by {slower.said()}{_unseen(slower)}."
        )
    return said


def verdicts(study: Study) -> list[tuple[str, str]]:
    """Popular claims, each with what these runs say of it."""
    fast = [difference(_fastest(study)(NONE), _fastest(study)(v)) for v in (BEFORE, AFTER)]
    good = [difference(_best(study)(NONE), _best(study)(v)) for v in (BEFORE, AFTER)]
    widths = [_width(study.working_rates(v)) for v in (BEFORE, AFTER, NONE)]
    place = [
        -difference(_fastest(study)(BEFORE), _fastest(study)(AFTER)).sign,
        difference(_best(study)(BEFORE), _best(study)(AFTER)).sign,
    ]
    drop = [
        difference(_best(study)(a), _best(study)(b)).sign
        for a, b in ((BEFORE, BEFORE_DROP), (AFTER, AFTER_DROP))
    ]
    told = [
        ("Batch norm speeds up training", _verdict([-e.sign for e in fast])),
        ("Batch norm makes the result better", _verdict([e.sign for e in good])),
        (
            "Batch norm allows a wider range of learning rates",
            _verdict([(width > widths[2]) - (width < widths[2]) for width in widths[:2]]),
        ),
        ("After the activation is better than before it", _verdict(place)),
        ("Batch norm and Dropout together are better than batch norm alone", _verdict(drop)),
    ]
    if study.grid.seeds < FEW:
        return [(claim, "too few seeds to tell") for claim, _ in told]
    return told


def _verdict(signs: list[int]) -> str:
    """One word for two comparisons, each 1 for the claim, -1 against it, 0 for no difference."""
    if all(sign > 0 for sign in signs):
        return "holds here"
    if all(sign == 0 for sign in signs):
        return "no difference seen"
    if all(sign < 0 for sign in signs):
        return "the opposite holds here"
    if min(signs) < 0 < max(signs):
        return "holds in one respect, and the opposite in the other"
    return "holds in one of two comparisons" if max(signs) > 0 else "does not hold here"


def _fastest(study: Study) -> Values:
    return lambda v: study.epochs_to_target(v, study.fastest_rate(v))


def _best(study: Study) -> Values:
    return lambda v: study.held_out(v, study.best_rate(v))


def _compared(values: Values, one: Variant, other: Variant, unit: str, less: str, more: str) -> str:
    """`other` against `one`, in words that follow from the interval."""
    apart = difference(values(one), values(other))
    told = f"{_first_upper(other.said)} against {one.said}: {apart.said()} {unit}"
    if apart.sign == 0:
        return f"{told}{_unseen(apart)}."
    return f"{told}: {more if apart.sign > 0 else less}."


def _unseen(apart: Estimate) -> str:
    """What is said behind a difference that the interval does not tell from none."""
    if apart.sign:
        return ""
    return " (too few seeds to tell)" if apart.seeds < FEW else " (no difference seen)"


def _took(study: Study, variant: Variant) -> str:
    """How long it took where it is fastest; of how many seeds, if not of all."""
    rate, target = study.fastest_rate(variant), study.grid.target_percent
    reached, seeds = study.reached(variant, rate), study.grid.seeds
    name = _first_upper(variant.said)
    if not reached:
        return f"{name}, no seed reached {target:g} % in {study.grid.epochs} epochs at any rate."
    those = "" if reached == seeds else f" (only {reached} of {seeds} seeds got there)"
    took = estimate(study.epochs_to_target(variant, rate)).said()
    return f"{name}, {target:g} % took {took} epochs at the fastest rate, {rate:g}{those}."


def _width(works: list[float]) -> float:
    return works[-1] / works[0] if works else 0.0


def _count_between(study: Study, works: list[float]) -> int:
    return sum(works[0] <= rate <= works[-1] for rate in study.grid.learning_rates)


def _first_upper(text: str) -> str:
    return text[0].upper() + text[1:]
