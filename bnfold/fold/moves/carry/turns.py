"""Scan and Loop: what each turn makes is stacked, so that one affine for all turns goes in or out.

Letters: y_k, output k, has u_k of each turn along its axis a; u_k is what the body returns, which
the node reads behind its inputs (`reads_of`). What is carried from turn to turn has no such place:
an affine on it would meet itself in the next turn.
Source: ONNX operators, Scan-9 (scan_output_axes), Loop-1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import Body, returning, stacked_along
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_CARRIED = Refusal(
    "nested-scope", "what it carries from turn to turn would meet the affine in each of them"
)
_TURNS = Refusal("not-per-channel", "the affine differs from turn to turn, and the body does not")
_ENTERS = Refusal("nested-scope", "what enters its body stays as it is")
_UNREAD = Refusal(
    "nested-scope", "a Scan of opset 8, or one that leaves outputs out, is not looked into"
)


def turns_after(node: ir.Node, demands: Mapping[int, Affine], _facts: Facts) -> Answer:
    """A(y_k) has A(u_k) of each turn, for an A that is constant along the turns."""
    body = _body_of(node)
    if body is None:
        return _UNREAD
    passes: dict[int, Affine] = {}
    for k, demand in demands.items():
        if k < body.made:
            return _CARRIED
        axis = stacked_along(node, k - body.made) % demand.rank
        if demand.varies_along(axis):
            return _TURNS
        passes[len(node.inputs) + k - body.made] = Affine(
            np.squeeze(demand.scale, axis), np.squeeze(demand.shift, axis)
        )
    return [Leave(passes)]


def turns_before(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """A(u_k) of each turn is A(y_k)."""
    body = _body_of(node)
    if body is None or min(affines) < len(node.inputs):
        return _UNREAD if body is None else _ENTERS
    passes: dict[int, Affine] = {}
    for place, affine in affines.items():
        k = place - len(node.inputs)
        axis = stacked_along(node, k) % (affine.rank + 1)
        passes[body.made + k] = Affine(
            np.expand_dims(affine.scale, axis), np.expand_dims(affine.shift, axis)
        )
    return [Leave(passes)]


def _body_of(node: ir.Node) -> Body | None:
    """The body; None where the node does not name all that it stacks, as a run wants."""
    for body in returning(node):
        if len(node.outputs) - body.made == len(body.graph.outputs) - body.first:
            return body
    return None


RULES = (Rule("scan", ("Scan", "Loop"), backward=turns_after, forward=turns_before),)
