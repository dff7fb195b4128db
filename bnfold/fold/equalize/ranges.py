"""How large the weights on both sides of a value are, channel by channel.

The value may be made by any operator that takes a scale, and read through whatever lets one pass:
which entry of which weight belongs to which channel is told by a plan. Where the value carries p v
in place of v, with a number p_i in [2, 3) for each channel, no two alike, an entry of what makes
channel i is p_i times what it was, and one of what reads it 1 / p_i times. One that does both, in a
block of a residual trunk, is p_i / p_j times what it was, between 2/3 and 3/2, and tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op, op_of
from bnfold.fold.facts.operator_facts import ADDENDS, LINEAR
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import Plan

_EXACT = 1e-12  # relative: of one product and one quotient in float64


@dataclass(frozen=True)
class Ranges:
    """The largest |weight| of each channel, `[C]` each.

    Attributes:
        made: of what makes it.
        read: of what reads it.
    """

    made: Array
    read: Array


def probe(count: int) -> Array:
    """A number in [2, 3) for each channel, no two alike: the same ones each time."""
    return np.random.default_rng(0).uniform(2.0, 3.0, count)


def ranges_of(plan: Plan, scale: Array, facts: Facts) -> Ranges | None:
    """The ranges, told by a plan that has this scale in the value.

    None where another operator would change, or a weight is shared with one that stays.
    """
    order = np.argsort(scale)
    found = {True: np.zeros(scale.size), False: np.zeros(scale.size)}
    weights = list(_weights(plan, facts))
    if plan.constants or None in weights:
        return None
    for pair in filter(None, weights):
        for start, stop in pair[0].chunks():
            before, after = (exact.rows(start, stop).reshape(-1) for exact in pair)
            there = before != 0
            size, ratio = np.abs(before[there]), after[there] / before[there]
            for is_made, table in ((True, ratio), (False, 1 / ratio)):
                chosen = table >= 2 - _EXACT
                channel = _nearest(table[chosen], scale, order)
                if channel is None:
                    return None
                np.maximum.at(found[is_made], channel, size[chosen])
    return Ranges(found[True], found[False])


def _weights(plan: Plan, facts: Facts) -> Iterator[tuple[Exact, Exact] | None]:
    """What each weight was and will be; None for one that is not to be touched."""
    for node, step in plan.replaced.items():
        new = step.nodes[-1]
        if len(step.nodes) != 1 or not is_op(node, *LINEAR) or new.op_type != op_of(node):
            yield None
            continue
        for index, operand in enumerate(new.inputs):
            if not isinstance(operand, Exact) or index in ADDENDS.get(new.op_type, ()):
                continue
            value = node.inputs[index] if index < len(node.inputs) else None
            old = None if value is None or len(value.uses()) > 1 else facts.exact(value)
            yield None if old is None or old.shape != operand.shape else (old, operand)


def _nearest(numbers: Array, scale: Array, order: np.ndarray) -> np.ndarray | None:
    """The channel whose number each one is; None where one is nobody's."""
    ordered = scale[order]
    right = np.clip(np.searchsorted(ordered, numbers), 1, scale.size - 1)
    is_left = numbers - ordered[right - 1] < ordered[right] - numbers
    place = np.where(is_left, right - 1, right)
    if np.any(np.abs(numbers - ordered[place]) > _EXACT * numbers):
        return None
    return np.asarray(order[place])
