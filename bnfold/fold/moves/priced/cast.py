"""A Cast between floating types lets an affine pass: exact but for where it rounds, so at a price.

Letters: y = cast(x); s, t the affine.

    s y + t = cast(s x + t)        over the reals, where a cast is the identity

The number that is rounded to the narrower type is another one afterwards: s x + t in place of x, or
the other way round. In mixed precision (Conv in float16, Cast, BatchNormalization in float32, Cast
back) the weights of the Conv then round with the scale in them, and one rounding goes.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import FLOATS, Facts
from bnfold.fold.facts.node import is_op, op_of
from bnfold.fold.moves.range import RANGE, keeps_range
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, NewNode, Price, Refusal, Replace

PRICE = "cast"
_TO_INTEGERS = Refusal(
    "cast", "it rounds to another type in between, so the fold would round differently"
)
_ADVICE = "--allow cast lets it round in the other type"


def cast_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s cast(x) + t = cast(s x + t), and nothing rounds otherwise where the types are one."""
    return _cast(node, demands, facts, backward=True)


def cast_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `cast_after`."""
    return _cast(node, affines, facts, backward=False)


def _cast(node: ir.Node, affines: Mapping[int, Affine], facts: Facts, *, backward: bool) -> Answer:
    x = node.inputs[0]
    before = None if x is None else facts.dtype(x)
    after = facts.dtype(node.outputs[0])
    if set(affines) != {0} or before not in FLOATS or after not in FLOATS:
        return _TO_INTEGERS
    if before == after:
        return [Leave({0: affines[0]})]
    receives = before if backward else after
    returned = backward and _is_cast_back(node, facts)
    if receives == ir.DataType.FLOAT16 and not returned and not keeps_range(affines[0], backward):
        return RANGE
    assert receives is not None, "it is one of the floating types"
    name = receives.name.lower()
    otherwise = Refusal("cast", f"the fold would move into {name}, and round there", "", _ADVICE)
    kept = NewNode(op_of(node), tuple(node.inputs))
    return [Replace((kept,), {0: affines[0]}, price=Price(PRICE, otherwise))]


def _is_cast_back(node: ir.Node, facts: Facts) -> bool:
    """Whether all that is made of it at once is cast to float16 again: that was in range before."""
    made = [value for use in node.outputs[0].uses() for value in use.node.outputs]
    uses = [use.node for value in made for use in value.uses()]
    back = all(
        is_op(reader, "Cast") and facts.dtype(reader.outputs[0]) == ir.DataType.FLOAT16
        for reader in uses
    )
    return bool(uses) and back and not any(value.is_graph_output() for value in made)
