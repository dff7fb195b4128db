"""What came of the networks, as a page."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluate import UNITS
from models.recipe import RECIPES
from models.zoo.through import CALIBRATION, KINDS, TIMED, Through


def page(rows: Sequence[Through], machine: str) -> str:
    """The page as Markdown.

    Args:
        rows: of the networks, in the order to show.
        machine: on what the timings were made.
    """
    parts = [
        "<!-- Written by python -m models.zoo. -->",
        "# The networks, through the toolkit",
        "Each trained network was exported, folded without any price, compared, and quantized with "
        "onnxruntime's own tools (static, QDQ, one scale per channel where nothing else is said, "
        f"pre-processed, calibrated on the same {CALIBRATION} training examples), once as exported "
        "and once folded. The metric is that of all held-out examples.",
        "## What folds, and what stays",
        _folds(rows),
        "A batch norm can be kept for more than one reason, one for each direction; "
        "[docs/refusals.md](../docs/refusals.md) explains the codes. Of the scales, negative ones "
        "forbid to carry a batch norm through a Relu.",
        "## The test metric, before and after",
        _metrics(rows),
    ]
    if any(row.ratios for row in rows):
        parts += ["## What it buys", _ratios(rows), f"Batches of {TIMED} examples. {machine}"]
    return "\n\n".join(parts) + "\n"


def _folds(rows: Sequence[Through]) -> str:
    lines = [
        "| network | batch norms | left | why they stay | would fold with | scales +, -, 0 |",
        "| --- | --: | --: | --- | --- | --: |",
    ]
    for row in rows:
        reasons = ", ".join(f"{count} {code}" for code, count in row.reasons.items())
        prices = "; ".join(f"{count}: {allow}" for allow, count in row.prices.items())
        signs = ", ".join(map(str, row.scales)) if row.before else ""
        lines.append(
            f"| {row.name} | {row.before} | {row.after} | {reasons} | {prices} | {signs} |"
        )
    return "\n".join(lines)


def _metrics(rows: Sequence[Through]) -> str:
    lines = [
        "| network | before | folded | same decision | int8 | folded, then int8 |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        unit = UNITS[RECIPES[row.name].metric]
        told = [f"{row.metrics[kind]:.2f} {unit}" for kind in KINDS]
        if not row.per_channel:
            told[2:] = [f"{metric} *" for metric in told[2:]]
        alike = f"{row.alike} of {row.examples}"
        if row.alike is None:
            alike = f"at most {row.apart:.0e} apart"
        told.insert(2, alike)
        lines.append(f"| {row.name} | {' | '.join(told)} |")
    if not all(row.per_channel for row in rows):
        lines += [
            "",
            "\\* One scale per tensor: per channel, onnxruntime's tool fails on that model.",
        ]
    return "\n".join(lines)


def _ratios(rows: Sequence[Through]) -> str:
    levels = ("float32 all", "float32 none", "int8 all", "int8 none")
    heads = (f"{kind}, optimisations {level}" for kind, level in (k.split() for k in levels))
    lines = [f"| network | {' | '.join(heads)} |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        told = (row.ratios.get(level, "") for level in levels)
        lines.append(f"| {row.name} | {' | '.join(told)} |")
    return "\n".join(lines)
