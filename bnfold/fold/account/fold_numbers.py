"""What a careful engineer asks about a fold, computed before it is carried out."""

from __future__ import annotations

import numpy as np

from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import Plan
from bnfold.fold.sources.source import Source


def lost_bits(source: Source, facts: Facts) -> float:
    """How far `beta - mean * s` cancels, at worst, in bits."""
    if not source.is_batch_norm:
        return 0.0
    beta, mean = (facts.constant(source.node.inputs[i]) for i in (2, 3))
    if beta is None or mean is None or beta.ndim != 1 or mean.ndim != 1:
        return 0.0  # a map has a number for each position
    s, t = source.affine.scale.reshape(-1), np.abs(source.affine.shift.reshape(-1))
    large = np.maximum(np.abs(beta.reshape(-1)), np.abs(mean.reshape(-1) * s))
    lost = np.log2(np.where(large > 0, large, 1)) - np.log2(np.where(t > 0, t, 1))
    return float(np.max(np.where((t > 0) & (large > 0), lost, 0.0), initial=0.0))


def range_growth(plan: Plan, facts: Facts) -> float:
    """The largest weight after, over the largest before, where it grows most."""
    growth = [1.0]
    for node, step in plan.replaced.items():
        for new in step.nodes:
            weight = new.inputs[1] if len(new.inputs) > 1 else None
            old = facts.exact(node.inputs[1]) if len(node.inputs) > 1 else None
            if isinstance(weight, Exact) and old is not None and old.largest > 0:
                growth.append(weight.largest / old.largest)
    return max(growth) if len(growth) == 1 else max(growth[1:])
