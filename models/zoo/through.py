"""One network through export, fold and int8, and what is measured of each of its four files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.modules.batchnorm import _BatchNorm

import bnfold
from bnfold.fold import Ledger
from models.data import held_out, training
from models.evaluate import metric_of, outputs_of_onnx
from models.recipe import Recipe
from models.stored import with_stored_weights
from models.zoo.quantized import QuantizeError, quantize

CALIBRATION = 128  # examples of the training set
TIMED = 32  # examples in a batch: one alone takes microseconds, too short to time well


@dataclass(frozen=True)
class Through:
    """What came of a network.

    Attributes:
        name: of the network.
        scales: how many trained scales of its batch norms are above, below and exactly 0.
        before: batch norms in the exported model.
        after: in the folded model.
        prices: what `--allow` would fold the rest with, by how many batch norms.
        reasons: for each code, how many batch norms it kept.
        metrics: on the held-out examples: float32 and int8, before and after the fold.
        per_channel: in int8, weights have a scale for each channel; else one for each tensor.
        alike: on how many held-out examples the two float32 models decide alike; None where the
            network does not decide.
        examples: how many are held out.
        apart: the largest difference between outputs of the two float32 models.
        ratios: sentences of the paired timings by file kind and level; empty where none was made.
    """

    name: str
    scales: tuple[int, int, int]
    before: int
    after: int
    prices: dict[str, int]
    reasons: dict[str, int]
    metrics: dict[str, float]
    per_channel: bool
    alike: int | None
    examples: int
    apart: float
    ratios: dict[str, str]


def take(recipe: Recipe, folder: Path, pairs: int) -> Through:
    """The network's files are in the folder; the facts about them are returned.

    Args:
        recipe: of the network.
        folder: for original.onnx, folded.onnx, and each in int8.
        pairs: of timings; 0 means that nothing is timed.
    """
    paths = {kind: folder / f"{kind}.onnx" for kind in KINDS}
    module = with_stored_weights(recipe.name)
    bnfold.export(recipe.spec, path=paths["original"])
    result = bnfold.fold(paths["original"])
    result.save(paths["folded"])
    bnfold.verify(paths["original"], paths["folded"]).raise_if_different()
    per_channel = _quantize(recipe, paths)
    outputs = {kind: outputs_of_onnx(recipe, path) for kind, path in paths.items()}
    first, second = outputs["original"], outputs["folded"]
    return Through(
        name=recipe.name,
        scales=signs(module),
        before=result.ledger.batch_norms_before,
        after=result.ledger.batch_norms_after,
        prices=_prices(result.ledger),
        reasons=_reasons(result.ledger),
        metrics={kind: round(metric_of(recipe, out), 4) for kind, out in outputs.items()},
        per_channel=per_channel,
        alike=_alike(first, second) if recipe.task == "classify" else None,
        examples=len(first),
        apart=float(np.abs(first - second).max()),
        ratios=_ratios(recipe, paths, pairs) if pairs else {},
    )


KINDS = ("original", "folded", "original_int8", "folded_int8")


def _quantize(recipe: Recipe, paths: dict[str, Path]) -> bool:
    """Both are in int8, made alike: per channel, where onnxruntime's tools can do that to both.

    Raises:
        QuantizeError: they can do neither.
    """
    calibration = training(recipe).inputs[:CALIBRATION]

    def both(*, per_channel: bool) -> None:
        for kind in KINDS[:2]:
            out = paths[f"{kind}_int8"]
            quantize(paths[kind], out, recipe.input_name, calibration, per_channel=per_channel)

    try:
        both(per_channel=True)
    except QuantizeError:
        both(per_channel=False)
        return False
    return True


def signs(module: torch.nn.Module) -> tuple[int, int, int]:
    """How many scales of its batch norms are above, below and exactly 0."""
    scales = [m.weight.detach() for m in module.modules() if isinstance(m, _BatchNorm)]
    every = torch.cat(scales) if scales else torch.zeros(0)
    above, below = int((every > 0).sum()), int((every < 0).sum())
    return above, below, len(every) - above - below


def _reasons(ledger: Ledger) -> dict[str, int]:
    """Each code once for a batch norm, however many directions it stopped."""
    kept = (d for d in ledger.batch_norms if not d.is_folded)
    return dict(Counter(code for d in kept for code in sorted({r.code for r in d.refusals})))


def _prices(ledger: Ledger) -> dict[str, int]:
    kept = (d for d in ledger.batch_norms if not d.is_folded)
    return dict(Counter(" or ".join(d.would_fold_with) or "nothing" for d in kept))


def _alike(first: NDArray[np.float32], second: NDArray[np.float32]) -> int:
    return int((first.argmax(axis=1) == second.argmax(axis=1)).sum())


def _ratios(recipe: Recipe, paths: dict[str, Path], pairs: int) -> dict[str, str]:
    """The folded model against the original, in float32 and in int8, in words."""
    data: dict[str, Any] = {recipe.input_name: held_out(recipe).inputs[:TIMED]}
    said = {}
    for kind, names in {"float32": KINDS[:2], "int8": KINDS[2:]}.items():
        found = bnfold.bench([paths[name] for name in names], data=data, pairs=pairs)
        said |= {f"{kind} {row.level}": row.sentence for row in found.comparisons}
    return said
