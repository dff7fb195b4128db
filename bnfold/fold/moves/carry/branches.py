"""If: what it makes is made by one of its bodies, so that an affine goes into both or out of both.

Letters: y_k, output k, is u_k where the condition holds and v_k where it does not; u and v are what
the bodies return, which the node reads behind its inputs (`reads_of`).
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import branches_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Rule


def if_after(node: ir.Node, demands: Mapping[int, Affine], _facts: Facts) -> Answer:
    """A(y_k) is A(u_k) or A(v_k): each body makes its own with the affine in it."""
    return [Leave({place: a for k, a in demands.items() for place in _returned(node, k)})]


def if_before(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """A(u_k) or A(v_k) is A(y_k): where the affine leaves both bodies, the readers take it."""
    passes: dict[int, Affine] = {}
    for place, affine in affines.items():
        passes.setdefault((place - len(node.inputs)) % len(node.outputs), affine)
    wants = {place: a for k, a in passes.items() for place in _returned(node, k)}
    return [Leave(passes, wants)]


def _returned(node: ir.Node, k: int) -> list[int]:
    """Where the node reads what its bodies return as output k."""
    first, count = len(node.inputs), len(node.outputs)
    return [first + body * count + k for body in range(len(branches_of(node)))]


RULES = (Rule("if", ("If",), backward=if_after, forward=if_before),)
