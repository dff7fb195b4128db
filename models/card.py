"""The card of a network: what it is, what it learned from, how, and how good it is."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

from models.evaluate import UNITS
from models.recipe import Recipe
from models.sources import SOURCES

CARDS = Path(__file__).parent / "cards"

_TASKS = {
    "classify": "classification by cross entropy, judged by the share of right answers",
    "denoise": "removal of Gaussian noise by mean squared error, judged by the peak "
    "signal-to-noise ratio",
}
_SCHEDULES = {
    "one-cycle": "rises and falls in one cycle over all epochs",
    "plateau": "halved when the validation loss has not become smaller for {third} epochs",
}


def record_of(recipe: Recipe) -> dict[str, Any]:
    """What training reached."""
    record: dict[str, Any] = json.loads(recipe.record_path.read_text(encoding="utf-8"))
    return record


def batch_norms_of(recipe: Recipe) -> int:
    """How many batch norm layers the network has."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return sum(isinstance(module, _BatchNorm) for module in recipe.build_untrained().modules())


def card(recipe: Recipe) -> str:
    """The card as Markdown; everything in it is from the code, the recipe and the record."""
    record, source = record_of(recipe), SOURCES[recipe.data]
    rows = {
        "network": f"`models/{recipe.module or recipe.name}.py`{_options(recipe)}",
        "to export": f"`bnfold export {recipe.spec}`",
        "batch norms": str(batch_norms_of(recipe)),
        "parameters": f"{record['parameters']:,}",
        "data": source.origin,
        "licence of the data": source.licence,
        "one example": f"{' x '.join(map(str, source.shape))}{_view(recipe)}",
        "task": _TASKS[recipe.task],
        "optimiser": f"AdamW, rate {recipe.learning_rate:g}, weight decay "
        f"{recipe.weight_decay:g}, batches of {recipe.batch_size}",
        "learning rate": _SCHEDULES[recipe.schedule].format(third=(recipe.patience or 0) // 3),
        "epochs": _epochs(recipe, record),
        "seed": str(recipe.seed),
        "on held-out examples": f"{record['value']:.2f} {UNITS[recipe.metric]}",
        "trained with": ", ".join(f"{k} {v}" for k, v in record["versions"].items()),
    }
    table = "".join(f"| {key} | {value} |\n" for key, value in rows.items())
    return (
        "<!-- Written by python -m models.table. -->\n\n"
        f"# {recipe.name}\n\n{_first_paragraph(recipe)}\n\n| | |\n| --- | --- |\n{table}\n"
        "It is here to be folded and measured; its training set is too small for other use.\n"
    )


def _first_paragraph(recipe: Recipe) -> str:
    module = importlib.import_module(f"models.{recipe.module or recipe.name}")
    return (inspect.getdoc(module) or "").partition("\n\n")[0].replace("\n", " ")


def _options(recipe: Recipe) -> str:
    told = ", ".join(f"{key}={value!r}" for key, value in recipe.options.items())
    return f" with `{told}`" if told else ""


def _view(recipe: Recipe) -> str:
    from models.points import POINTS

    return f", as its {POINTS} brightest pixels" if recipe.view == "points" else ""


def _epochs(recipe: Recipe, record: dict[str, Any]) -> str:
    if recipe.patience is None:
        return f"{recipe.epochs}, the last one kept; no example was kept for validation"
    return (
        f"{record['epochs']} of at most {recipe.epochs}, number {record['kept_epoch']} kept: the "
        f"smallest loss on {recipe.validation} validation examples, after which {recipe.patience} "
        "were waited for"
    )
