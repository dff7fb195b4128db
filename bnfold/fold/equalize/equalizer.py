"""The rewrite `equalize`: ranges that differ between the channels of a value are evened out.

A layer makes the channels v_i of a value with weights as large as m_i, and layers behind it read
them with weights as large as r_i. With s_i > 0,

    v'_i = s_i v_i,   weights m_i s_i and r_i / s_i,   s_i = sqrt(r_i / m_i)

makes both sqrt(m_i r_i): what one side has too much of, the other takes. In int8 a tensor of
activations has one scale for all its channels, and a row of weights one for all it reads, so that
the widest channel costs the others bits. Each s_i is the power of two that is next to it: nothing
is rounded, and in floating point the model computes the same numbers as before.

The scale leaves the value by the moves of a fold, through whatever lets a positive one pass, and
the region is proven like one.
Source: Nagel, van Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight Equalization
and Bias Correction, 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from bnfold.fold.edit.rewriting import Rewriting
from bnfold.fold.equalize.ranges import Ranges, probe, ranges_of
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe, is_op
from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.fold.numbers.affine import Array, along
from bnfold.fold.plan import MISTAKES, Plan, Refusal, Report, told
from bnfold.fold.question.asking import Asking
from bnfold.fold.question.moving import Moving
from bnfold.fold.question.state import State

RULE = "equalize"

_ROUNDS = 8  # what one value gives, the next one passes on
_LEAST = 2  # powers of two: a channel stands apart by a factor of 8 between its two sides
_MOST = 16  # powers of two: further apart, a channel is next to dead and should stay so


@dataclass
class Equalizer:
    """Evens out the values of one model.

    Attributes:
        facts: of the model.
        asking: at no price.
        rewriting: what carries plans out.
        report: told of each bug of ours.
        proofs: of what was made, filled.
    """

    facts: Facts
    asking: Asking
    rewriting: Rewriting
    report: Report
    proofs: list[float]
    _done: dict[int, _Moved] = field(default_factory=dict)

    def run(self) -> tuple[str, ...]:
        """What was evened out, a sentence for each value."""
        for _ in range(_ROUNDS):
            nodes = [n for n in self.facts.model.graph.all_nodes() if is_op(n, *LINEAR)]
            evened = [self._evened(place, node) for place, node in enumerate(nodes)]
            if not any(evened):
                break
        return tuple(map(str, self._done.values()))

    def _evened(self, place: int, node: ir.Node) -> bool:
        """Whether what the node makes was evened out; `place` counts layers, which stay as many."""
        try:
            return node.graph is not None and self._attempt(place, node)
        except MISTAKES as error:
            self.report(f"{describe(node)}: the rule '{RULE}' failed: {told(error)}")
            return False

    def _attempt(self, place: int, node: ir.Node) -> bool:
        value = node.outputs[0]
        rank = self.facts.rank(value)
        axis = 1 if rank is None or not is_op(node, "MatMul") else rank - 1
        count = None if rank is None or rank < 2 else self.facts.dim(value, axis)
        if rank is None or count is None or count < 2:
            return False

        def with_scale(scale: Array) -> Plan | None:
            return self._plan(node, axis, rank, scale)

        powers = _powers(with_scale, probe(count), self.facts)
        if powers is None or np.max(np.abs(powers)) < _LEAST:
            return False
        plan, label = with_scale(np.exp2(powers)), describe(node)
        proof = None if plan is None else self.rewriting.carry_out(plan, label)
        if not isinstance(proof, float):
            return False
        self.proofs.append(proof)
        self._done.setdefault(place, _Moved(label, np.zeros(count))).add(powers)
        return True

    def _plan(self, node: ir.Node, axis: int, rank: int, scale: Array) -> Plan | None:
        """The node makes its value with the scale in it, and all readers see what they did."""
        state = State(self.facts)
        moving = Moving(self.asking, inverses=True)
        demand = along(axis, rank, scale, np.zeros_like(scale))
        refusal = moving.pull(state, node, demand) or moving.solve(state)
        return None if isinstance(refusal, Refusal) else state.plan("both")


@dataclass
class _Moved:
    """What a value has got in all rounds: the layer that makes it, and powers of two `[C]`."""

    layer: str
    powers: Array

    def add(self, powers: Array) -> None:
        self.powers = self.powers + powers

    def __str__(self) -> str:
        moved = int(np.sum(self.powers != 0))
        most = int(np.max(np.abs(self.powers)))
        return (
            f"behind {self.layer}: {moved} of {self.powers.size} channels scaled, "
            f"by 2^{most} at most"
        )


def _powers(with_scale: Callable[[Array], Plan | None], tried: Array, facts: Facts) -> Array | None:
    """The powers of two that even the value out; None where no scale can leave it."""
    plan = with_scale(tried)
    ranges = None if plan is None else ranges_of(plan, tried, facts)
    return None if ranges is None else even(ranges)


def even(ranges: Ranges) -> Array:
    """log2 of s, whole numbers `[C]`, the middle one 0; 0 where nobody makes or reads a channel."""
    is_alive = (ranges.made > 0) & (ranges.read > 0)
    powers = np.zeros(ranges.made.size)
    if np.any(is_alive):
        apart = (np.log2(ranges.read[is_alive]) - np.log2(ranges.made[is_alive])) / 2
        powers[is_alive] = np.clip(np.rint(apart - np.median(apart)), -_MOST, _MOST)
    return powers
