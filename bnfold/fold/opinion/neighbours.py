"""Neighbours of a model, with weights one unit in the last place away, tell what rounding does."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from bnfold.fold.facts.node import op_of
from bnfold.fold.opinion.original_model import UNITS
from bnfold.runtime.signature import Array

NEIGHBOURS = 2


def lifted(model: ir.Model) -> ir.Model:
    """A copy in which all constants are initializers; weights are shared."""
    copy = model.clone()
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(copy)
    return copy


def moved(model: ir.Model, seed: int) -> dict[str, Array]:
    """The weights of the main graph, each entry one unit up, one down, or as it is.

    A zero stays: it is rounded to itself, and the sign of 1 / 0 is no rounding.
    """
    rng = np.random.default_rng(seed)
    moved = {}
    for name, value in model.graph.initializers.items():
        if value.const_value is None or value.dtype not in UNITS:
            continue
        if value.dtype == ir.DataType.BFLOAT16 or _is_size(value):
            continue
        stored = value.const_value.numpy()
        drawn = rng.integers(-1, 2, stored.shape) * (stored != 0)
        up, down = (np.nextafter(stored, stored.dtype.type(end)) for end in (np.inf, -np.inf))
        moved[name] = np.where(drawn > 0, up, np.where(drawn < 0, down, stored))
    return moved


def _is_size(value: ir.Value) -> bool:
    """Whether an extent is a multiple of it: 2 is moved to 1.9999999, and another extent."""
    return any(op_of(use.node) in ("Resize", "Upsample") and use.idx > 0 for use in value.uses())
