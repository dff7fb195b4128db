"""What float16 forbids: values in between that the scale kept in range, and that would leave it.

Letters: an operator f between the affine A(v) = s v + t and where it moves to. Backward, the inputs
of f become s x + t, which nobody computed before; forward, its output becomes (y - t) / s. That is
as large as something that was computed before where f only moves numbers about, chooses among them
or sets them to 0. A sum, a mean or a product of numbers in range may be out of it, or the other way
round: x / 64 in front of a sum is there for a reason. float16 ends at 65504; the other types reach
so far that no network comes near.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.facts.operator_facts import KEEPS_RANGE
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Leave, Move, Refusal, Replace

_AVERAGES = ("AveragePool", "GlobalAveragePool", "ReduceMean")
"""No larger than what they are made of; runtimes add them up in float32."""

_LARGEST = 65504.0
_SMALL_SHIFT = _LARGEST / 256  # a few roundings of the largest numbers

RANGE = Refusal(
    "float16-range",
    "in float16 the numbers in between could leave the range that the scale keeps them in",
    advice="fold the model in float32, then convert it",
)


def out_of_range(node: ir.Node, move: Move, facts: Facts, *, backward: bool) -> Refusal | None:
    """Why the affine may not pass the operator, in the type that it computes in."""
    if is_op(node, *KEEPS_RANGE) or not isinstance(move, Leave | Replace):
        return None
    if facts.dtype(node.outputs[0]) != ir.DataType.FLOAT16:
        return None
    if not backward and _shrinks(node):
        return None
    passed = (affine.settled() for affine in move.passes.values())
    return None if all(keeps_range(affine, backward) for affine in passed) else RANGE


def halves_out_of_range(value: ir.Value, first: Affine, then: Affine, facts: Facts) -> bool:
    """Whether first(value), which stands between the two halves of an affine, may be too large."""
    if facts.dtype(value) != ir.DataType.FLOAT16:
        return False
    return not (keeps_range(first.settled(), True) or keeps_range(then.settled(), False))


def _shrinks(node: ir.Node) -> bool:
    """Whether no number that it makes is larger than the largest that it was given."""
    if is_op(node, "Resize", "Upsample"):
        return bool(attribute_of(node, "mode", "nearest") != "cubic")
    if is_op(node, "LeakyRelu"):
        return bool(abs(attribute_of(node, "alpha", 0.01)) <= 1)
    return is_op(node, *_AVERAGES)


def keeps_range(affine: Affine, backward: bool) -> bool:
    """Whether no number becomes larger, but for a few roundings."""
    s, t = np.broadcast_arrays(np.abs(affine.scale), np.abs(affine.shift))
    if backward:
        return bool(np.all(s <= 1) and np.all(t <= _SMALL_SHIFT))
    return bool(np.all(s >= 1) and np.all(t <= _SMALL_SHIFT * s))
