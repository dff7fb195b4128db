"""The study's pictures, each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from bnfold.errors import MissingDependencyError
from models.study.figures import VARIANTS, Study, Variant
from models.study.grid import PLACES
from models.study.statistics import Estimate, estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"before": "#0072b2", "after": "#d55e00", "none": "#555555"}  # told apart by everyone
LABELS = {"before": "before the activation", "after": "after the activation", "none": "none"}
NAMES = {
    "curves": "Accuracy on validation after each epoch, each variant at its best learning rate",
    "rates": "Accuracy on held-out digits by learning rate and scale of the first weights",
    "epochs": "Epochs to the target by learning rate",
}


def find_matplotlib() -> ModuleType:
    """The drawing library; asked for before hours of runs, too.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingDependencyError(
            "the plots need matplotlib: pip install 'bnfold[models]'"
        ) from error
    return mpl


def draw(study: Study, folder: Path) -> None:
    """The pictures are in the folder.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    mpl = find_matplotlib()
    mpl.use("Agg")
    # Names within the SVG from what they name, and no date: the same runs draw the same file.
    with mpl.rc_context({"svg.hashsalt": "bnfold", "font.size": 9}):
        for name, make in {"curves": _curves, "rates": _rates, "epochs": _epochs}.items():
            figure = make(study)
            for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                figure.savefig(folder / f"{name}.{ending}", dpi=120, metadata=metadata)


def _curves(study: Study) -> Figure:
    figure, axes = _panels(2)
    for axis, dropout in zip(axes, (False, True), strict=True):
        for place in PLACES:
            variant = Variant(place, dropout)
            rate = study.best_rate(variant)
            runs = study.runs(variant, rate)
            by_epoch = [
                estimate([r.accuracies[i] if i < len(r.accuracies) else 0.0 for r in runs])
                for i in range(study.grid.epochs)
            ]
            label = f"{LABELS[place]} (rate {rate:g})"
            _band(axis, list(range(1, study.grid.epochs + 1)), by_epoch, place, label)
        axis.axhline(study.grid.target_percent, color="#999999", linewidth=0.6, linestyle=":")
        axis.set(title="with Dropout" if dropout else "without Dropout", xlabel="epoch")
        axis.legend(title="batch norm", fontsize=8, loc="lower right")
    axes[0].set(ylabel="right on validation, %", ylim=(0, 101))
    return figure


def _rates(study: Study) -> Figure:
    scales = study.grid.init_scales
    figure, axes = _panels(len(scales))
    for axis, scale in zip(axes, scales, strict=True):
        _by_rate(axis, study, lambda v, rate, scale=scale: study.held_out(v, rate, scale))
        axis.set(title=f"first weights {scale:g} times He's")
    axes[0].set(ylabel="right on held-out digits, %", ylim=(0, 101))
    return _with_legend(figure, axes)


def _epochs(study: Study) -> Figure:
    figure, axes = _panels(2)
    for axis, dropout in zip(axes, (False, True), strict=True):
        _by_rate(axis, study, study.epochs_to_target, dropout)
        axis.set(title="with Dropout" if dropout else "without Dropout")
    never = study.grid.epochs + 1
    axes[0].set(ylabel=f"epochs to {study.grid.target_percent:g} % ({never}: never)")
    return _with_legend(figure, axes)


def _by_rate(
    axis: Axes,
    study: Study,
    values: Callable[[Variant, float], list[float]],
    dropout: bool = False,
) -> None:
    for variant in VARIANTS:
        if variant.dropout == dropout:
            rates = list(study.grid.learning_rates)
            told = [estimate(values(variant, rate)) for rate in rates]
            _band(axis, rates, told, variant.place, LABELS[variant.place])
    axis.set(xscale="log", xlabel="learning rate")


def _band(axis: Axes, x: list[float], y: list[Estimate], place: str, label: str) -> None:
    colour = COLOURS[place]
    axis.plot(x, [e.mean for e in y], color=colour, label=label, linewidth=1.4, marker=".")
    axis.fill_between(x, [e.low for e in y], [e.high for e in y], color=colour, alpha=0.2)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.2 + 3.0 * count, 3.5), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, count, sharey=True)))
    for axis in axes:
        axis.grid(alpha=0.25)
    return figure, axes


def _with_legend(figure: Figure, axes: list[Axes]) -> Figure:
    """One legend for all panels, below them."""
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, title="batch norm", loc="outside lower center", ncols=3)
    return figure
