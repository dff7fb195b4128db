"""The page that tells the study: sentences, pictures, and the table that they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.study import answers
from models.study.figures import LEARNED_PERCENT, VARIANTS, Study
from models.study.grid import FULL
from models.study.plots import NAMES
from models.study.statistics import FEW, RESAMPLES, estimate

FOLDER = "batch-norm-study"

QUESTIONS: dict[str, tuple[Callable[[Study], list[str]], str | None]] = {
    "How many epochs to the target?": (answers.speed, "curves"),
    "Which learning rates work?": (answers.rates, "epochs"),
    "How much does the start matter?": (answers.initialisation, "rates"),
    "How good is it at the end?": (answers.final, None),
    "What changes between before and after the activation?": (answers.before_or_after, None),
    "What does Dropout change?": (answers.dropout, None),
}


def page(study: Study, machine: Mapping[str, str | int]) -> str:
    """The page as Markdown; all of it follows from the runs."""
    parts = ["<!-- Written by python -m models.study. -->", "# What batch norm does, measured"]
    parts += [_method(study), "## The claims", _claims(study)]
    for question, (answer, picture) in QUESTIONS.items():
        parts.append(f"## {question}")
        if picture is not None:
            parts.append(f"![{NAMES[picture]}]({FOLDER}/{picture}.svg)")
        parts.append("\n".join(f"- {sentence}" for sentence in answer(study)))
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    parts += [
        "## The table",
        "At the first weights that He draws; means over seeds with 95 % intervals. Every run, with "
        f"its curve, is in [{FOLDER}/runs.csv]({FOLDER}/runs.csv).",
        _table(study),
        f"Run on: {told}.",
    ]
    return "\n\n".join(parts) + "\n"


def _method(study: Study) -> str:
    grid = study.grid
    return (
        f"{len(grid.cells())} runs of one small network (`models/cnn.py`: four "
        "3 x 3 convolutions, pooling, one linear layer) on scikit-learn's handwritten digits: "
        "batch norm before the activation, after it, or none; with Dropout or without; "
        f"{len(grid.learning_rates)} learning rates; first weights {_list(grid.init_scales)} times "
        f"as large as He draws them (with Dropout: {_list(grid.dropout_scales)}); "
        f"{grid.seeds} seeds each. Stochastic gradient descent with "
        f"momentum {grid.momentum:g} and a constant rate, {grid.epochs} epochs, batches of "
        f"{grid.batch_size}. {grid.validation} digits are for validation, by which rates are "
        "chosen; 500 others are held out, and nothing is chosen by them.\n\n"
        f"A run *learned* when its loss stayed finite and validation ended above "
        f"{LEARNED_PERCENT:g} %. Intervals are 95 %, by {RESAMPLES:,} bootstrap resamples of the "
        f"seeds; {_trust(grid.seeds)}. "
        "Differences are taken seed by seed; where the interval holds 0, no difference was seen, "
        "which is not to say that there is none. All of it is about this network and these data."
    )


def _trust(seeds: int) -> str:
    if seeds < FEW:
        return (
            f"of only {seeds} seeds they are little more than the range of the runs, and nothing "
            f"is concluded from them (the full study has {FULL.seeds})"
        )
    return f"with {seeds} seeds they are rather too narrow than too wide"


def _claims(study: Study) -> str:
    rows = "".join(f"| {claim} | {said} |\n" for claim, said in answers.verdicts(study))
    return f"| claim | these runs |\n| --- | --- |\n{rows}".rstrip()


def _table(study: Study) -> str:
    lines = [
        "| batch norm | Dropout | rate | epochs to target | reached it | held out, % | failed |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for variant in VARIANTS:
        for rate in study.grid.learning_rates:
            cells = (
                variant.place,
                "yes" if variant.dropout else "no",
                f"{rate:g}",
                estimate(study.epochs_to_target(variant, rate)).said(),
                f"{study.reached(variant, rate)} of {study.grid.seeds}",
                estimate(study.held_out(variant, rate)).said(),
                f"{study.failures(variant, rate)} of {study.grid.seeds}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _list(values: tuple[float, ...]) -> str:
    *first, last = (f"{value:g}" for value in values)
    return f"{', '.join(first)} or {last}" if first else last
