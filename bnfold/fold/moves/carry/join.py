"""Joins of run-time values: Add, Sub, Sum, Mul, Div, Mean, and Neg, which is alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op, op_of
from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, Leave, NewNode, Operand, Refusal, Replace, Rule
from bnfold.fold.sources.source import Source, source_of

_SHIFT = Refusal("shift-in-product", "a product lets only a scale pass, not a shift")
_SIGN = Refusal("negative-scale", "a negative scale would turn its maximum into a minimum")
_NAMED_AXIS = Refusal("named-axis", "it broadcasts along an axis that it names, as before opset 7")
_SQUARE = Refusal("negative-scale", "it multiplies a value by itself, which has no negative scale")
_TURNS = Refusal("negative-scale", "a negative scale of what divides turns the sign of x / 0")
_DIVIDES = Refusal(
    "not-linear", "it divides by it, and a batch norm decides the sign of what is x / 0"
)
_BROADCAST = Refusal("broadcast-branch", "one of its branches is broadcast along the affine's axis")


def sum_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s (x + z) + t = (s x + t) + s z: the scale into every branch, the shift into one of them.

    For x - z the shift may go into x as t, or into z as -t; into x + x as t / 2. Each branch must
    have the full extent of the axis along which s or t varies: the search sees to that.
    """
    answer = _beforehand(node, facts)
    if answer is not None:
        return answer
    demand = demands[0]
    branches = [_within(demand, value, facts) for value in node.inputs]
    if any(branch is None for branch in branches):
        return _BROADCAST
    scales = {i: b.only_scale() for i, b in enumerate(branches) if b is not None}
    if not demand.has_shift:
        return [Leave(scales)]
    steps = []
    weights = _weights(node)
    by_value = dict(zip(node.inputs, branches, strict=True))
    for value, branch in sorted(by_value.items(), key=lambda pair: not _is_private(pair[0])):
        assert branch is not None
        same = [i for i, other in enumerate(node.inputs) if other is value]
        weight = sum(weights[i] for i in same)
        if weight != 0:
            taken = Affine(branch.scale, branch.shift / weight)
            steps.append(Leave({**scales, **dict.fromkeys(same, taken)}))
    return steps or Refusal("branches-cancel", "its branches cancel, and no shift is left of them")


def sum_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """(s x' + t) + z = s (x' + z / s) + t; or t turns round, s (x' + (z + t) / s).

    Each other input z must arrive with s. What is left of the shifts moves on, or is handed to one
    of them, which then must arrive with s and -t: one that nobody else reads before all others.
    """
    answer = _beforehand(node, facts)
    if answer is not None:
        return answer
    rank = facts.rank(node.outputs[0])
    if rank is None:
        return Refusal("rank-unknown", "the rank of its output is not known")
    weights = _weights(node)
    arrived = {i: affine.aligned(rank) for i, affine in affines.items()}
    scale = next(iter(arrived.values())).only_scale()
    total = Affine(np.ones_like(scale.scale), np.zeros((1,) * rank))
    wants: dict[int, Affine] = {}
    for i, weight in enumerate(weights):
        affine = arrived.get(i)
        if affine is not None and affine.only_scale().equals(scale):
            total = Affine(total.scale, total.shift + weight * affine.shift)
        elif affine is not None or scale.has_scale:
            wanted = _within(scale, node.inputs[i], facts)
            if wanted is None:
                return _BROADCAST
            wants[i] = wanted
    moves_on = Leave({0: Affine(scale.scale, total.shift)}, wants)
    if not total.has_shift:
        return [moves_on]
    private: list[Leave] = []
    shared: list[Leave] = []
    for i, weight in enumerate(weights):
        handed = _within(Affine(scale.scale, -total.shift / weight), node.inputs[i], facts)
        if i in arrived or handed is None:
            continue
        value = node.inputs[i]
        turn = Leave({0: scale}, {**wants, i: handed})
        (private if _is_private(value) else shared).append(turn)
    return [*private, moves_on, *shared]


def product_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s (x * z) = (s x) * z, into one factor; s (x / z) = (s x) / z = x / (z / s).

    Of a value by itself both factors take the same: s (x * x) = (r x) * (r x), r^2 = s, for s >= 0.
    """
    answer = _beforehand(node, facts)
    if answer is not None:
        return answer
    if demands[0].has_shift:
        return _SHIFT
    if is_op(node, "Mul") and node.inputs[0] is node.inputs[1]:
        if not demands[0].is_nonnegative:
            return _SQUARE
        root = Affine(np.sqrt(demands[0].scale), demands[0].shift)
        return [Leave({0: root, 1: root})]
    steps = []
    turns = is_op(node, "Div") and not demands[0].is_nonnegative  # see `product_before`
    divisor = None if turns else _divisor(node, demands[0])
    for i, wanted in enumerate((demands[0], divisor)):
        branch = None if wanted is None else _within(wanted, node.inputs[i], facts)
        if branch is not None:
            steps.append(Leave({i: branch}))
    return steps or (_TURNS if turns else _BROADCAST)


def product_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """(s x') * z = s (x' * z), and (s x') * (u z') = s u (x' * z'); x / (s z') = (x / z') / s.

    Or it turns round: (s x') * z = x' * (s z), where z arrives with 1 / s. What divides is a plain
    product by s > 0: a batch norm makes +0 of -0, without which x / 0 would have the other sign.
    """
    answer = _beforehand(node, facts)
    if answer is not None:
        return answer
    rank = facts.rank(node.outputs[0])
    if rank is None:
        return Refusal("rank-unknown", "the rank of its output is not known")
    if any(affine.has_shift for affine in affines.values()):
        return _SHIFT
    if is_op(node, "Div") and 1 in affines and not _keeps_zeros(node, affines[1], facts):
        return _DIVIDES
    passed = identity(rank)
    for i, affine in affines.items():
        factor = affine.aligned(rank) if i == 0 else _divisor(node, affine.aligned(rank))
        assert factor is not None, "what divides has no scale of 0"
        passed = factor.after(passed)
    steps = [Leave({0: passed})]
    for i in {0, 1} - set(affines):
        wanted = _inverse(passed) if i == 0 else _inverse(passed, unless=is_op(node, "Div"))
        handed = None if wanted is None else _within(wanted, node.inputs[i], facts)
        if handed is not None:
            steps.append(Leave({}, {i: handed}))
    return steps


def _keeps_zeros(node: ir.Node, affine: Affine, facts: Facts) -> bool:
    """Whether what divides has the sign of its zeros with and without the affine that arrives.

    It is that of the Mul or Div right before, by numbers above 0, and nothing else is in it.
    """
    maker = node.inputs[1].producer() if node.inputs[1] is not None else None
    source = None if maker is None else source_of(maker, facts)
    if not isinstance(source, Source) or source.is_batch_norm or np.any(affine.scale <= 0):
        return False
    return source.affine.equals(affine)


def choice_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s max(x, z) + t = max(s x + t, s z + t) for s >= 0; Where for any s: into all of them."""
    operands = range(1 if is_op(node, "Where") else 0, len(node.inputs))
    if not is_op(node, "Where") and not demands[0].is_nonnegative:
        return _SIGN
    branches = {i: _within(demands[0], node.inputs[i], facts) for i in operands}
    passes = {i: branch for i, branch in branches.items() if branch is not None}
    if len(passes) != len(branches):
        return _BROADCAST
    return [Leave(passes)]


def choice_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """max(s x' + t, c) = s max(x', (c - t) / s) + t for s > 0; for any s through Where.

    What is no constant must carry the same affine.
    """
    operands = range(1 if is_op(node, "Where") else 0, len(node.inputs))
    rank = facts.rank(node.outputs[0])
    if rank is None or not set(affines) <= set(operands):
        return Refusal("dynamic-operand", "the affine arrives at its condition")
    first = next(iter(affines.values()))
    if not is_op(node, "Where") and not first.is_nonnegative:
        return _SIGN
    affine = first.aligned(rank)
    bounds = {i: facts.exact(node.inputs[i]) for i in operands if i not in affines}
    constants = {i: exact for i, exact in bounds.items() if exact is not None}
    wants = {i: first for i in operands if i not in constants}
    if not constants:
        return [Leave({0: affine}, wants=wants)]
    if np.any(affine.scale == 0):
        return Refusal("zero-scale", "a channel with scale 0 has no bound to compare with")
    inputs: list[Operand] = list(node.inputs)
    for i, exact in constants.items():
        bound = of_array((exact.value() - affine.shift) / affine.scale, exact.dtype)
        inputs[i] = replace(bound, is_bound=True)
    return [Replace((NewNode(op_of(node), tuple(inputs)),), {0: affine}, wants=wants)]


def negated(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """s (-x) + t = -(s x - t), both ways."""
    return [Leave({0: Affine(affines[0].scale, -affines[0].shift)})]


def _beforehand(node: ir.Node, facts: Facts) -> Answer | None:
    """What is answered of a sum or product whatever the affine; None where that is looked at."""
    if isinstance(source_of(node, facts), Source):
        return ()  # one operand is a constant: that is an affine of its own
    return _NAMED_AXIS if "axis" in node.attributes else None


def _weights(node: ir.Node) -> list[float]:
    """By what factor each input enters the sum."""
    count = len(node.inputs)
    if is_op(node, "Mean"):
        return [1 / count] * count
    return [-1.0 if is_op(node, "Sub") and i == 1 else 1.0 for i in range(count)]


def _inverse(affine: Affine, *, unless: bool = False) -> Affine | None:
    """x / s for s x; None where s is 0 somewhere; s x itself where it divides anyway."""
    if unless:
        return affine
    return None if np.any(affine.scale == 0) else Affine(1 / affine.scale, affine.shift)


def _divisor(node: ir.Node, affine: Affine) -> Affine | None:
    """What the scale of a product is on its second factor."""
    return _inverse(affine, unless=not is_op(node, "Div"))


def _is_private(value: ir.Value | None) -> bool:
    """Whether it is read once, so that nobody else needs it as it is."""
    return value is not None and len(value.uses()) == 1


def _within(demand: Affine, value: ir.Value | None, facts: Facts) -> Affine | None:
    """The demand for a branch of lower rank; None if the branch is broadcast where it varies."""
    if facts.is_constant(value):
        return demand  # a fresh constant can have any shape that broadcasts
    dims = facts.dims(value)
    if dims is None:
        return None
    lead = demand.rank - len(dims)
    if any(demand.varies_along(axis) for axis in range(lead)):
        return None
    branch = Affine(
        demand.scale.reshape(demand.scale.shape[lead:]),
        demand.shift.reshape(demand.shift.shape[lead:]),
    )
    return branch if branch.fits(dims) else None


RULES = (
    Rule("sum", ("Add", "Sub", "Sum", "Mean"), backward=sum_after, forward=sum_before),
    Rule("product", ("Mul", "Div"), backward=product_after, forward=product_before),
    Rule("choice", ("Max", "Min", "Where"), backward=choice_after, forward=choice_before),
    Rule("negate", ("Neg",), backward=negated, forward=negated),
)
