"""A rule is asked about a node of a small model whose constants are symbols, and held to it.

    backward:  node'(P_i(x_i)) = A_j(node(x)_j)       P: what it passes on; A: what is demanded
    forward:   P_j(node'(x')_j) = node(G_i(x'_i))_j    G: what arrives, or what it wants to arrive

node' is the node that the answer puts there, with the constants that the rule computed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.node import reads_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import Leave, PassBy, Refusal, Replace
from tests.fold.proofs.equality import assert_same
from tests.fold.proofs.operators import evaluate
from tests.fold.proofs.question import Question
from tests.fold.proofs.symbols import Symbols, is_unread, symbols


def prove(question: Question, name: str, affines: Mapping[int, Affine], *, backward: bool) -> int:
    """How many alternatives the rule gave; each is proven. A refusal proves nothing, and fails."""
    rule = question.rule(name)
    asked = rule.backward if backward else rule.forward
    assert asked is not None
    answer = asked(question.node, affines, question.facts)
    assert not isinstance(answer, Refusal), answer
    assert answer, "the rule leaves the node to others"
    for step in answer:
        _prove(question, step, dict(affines), backward=backward)
    return len(answer)


def _prove(
    question: Question,
    step: Leave | Replace | PassBy,
    affines: dict[int, Affine],
    *,
    backward: bool,
) -> None:
    node = question.node
    wanted = {**affines, **(step.wants if not isinstance(step, PassBy) else {})}
    before = [question.value(value) for value in reads_of(node)]
    after = list(before)
    if backward:
        for i, passed in step.passes.items():
            after[i] = _applied(passed, after[i])
    else:
        for i, arrived in wanted.items():
            before[i] = _applied(arrived, before[i])
    old = evaluate(node.op_type, before, _attributes(node), question.opset, len(node.outputs))
    new = _run(question, step, dict(zip(reads_of(node), after, strict=True)))
    for j in range(len(old)):
        demanded = wanted.get(j) if backward else None
        passed_on = None if backward else step.passes.get(j)
        left = new[j] if passed_on is None else _applied(passed_on, new[j])
        right = old[j] if demanded is None else _applied(demanded, old[j])
        assert_same(left, right, question.given)


def _run(
    question: Question,
    step: Leave | Replace | PassBy,
    values: dict[ir.Value | None, Symbols | None],
) -> list[Symbols]:
    node = question.node
    if isinstance(step, PassBy):
        found = values[node.inputs[step.index]]
        assert found is not None
        return [found]
    if isinstance(step, Leave):
        inputs = [values[value] for value in reads_of(node)]
        return evaluate(node.op_type, inputs, _attributes(node), question.opset, len(node.outputs))
    made: dict[str, Symbols] = {}
    results: list[Symbols] = []
    for new in step.nodes:
        inputs = [_operand(operand, values, made, question) for operand in new.inputs]
        given = _attributes(node) if new.attributes is None else dict(new.attributes)
        results = evaluate(new.op_type, inputs, given, question.opset)
        if new.output is not None:
            made[new.output] = results[0]
    return results


def _operand(
    operand: object,
    values: dict[ir.Value | None, Symbols | None],
    made: Mapping[str, Symbols],
    question: Question,
) -> Symbols | None:
    if operand is None:
        return None
    if isinstance(operand, Exact):
        return np.asarray(operand.value(), dtype=object)
    if isinstance(operand, str):
        return made[operand]
    assert isinstance(operand, ir.Value)
    return values[operand] if operand in values else question.value(operand)


def _attributes(node: ir.Node) -> dict[str, object]:
    return {
        name: a.value.decode() if isinstance(a.value, bytes) else a.value
        for name, a in node.attributes.items()
    }


def _told(array: Symbols, name: str) -> Symbols:
    """What nobody reads may be anything: a symbol, which must not be left."""
    anything = symbols(name, array.shape)
    entries = zip(array.reshape(-1), anything.reshape(-1), strict=True)
    told = [other if is_unread(x) else x for x, other in entries]
    return np.array([*told, None], dtype=object)[:-1].reshape(array.shape)


def _applied(affine: Affine, value: Symbols | None) -> Symbols:
    assert value is not None
    assert affine.rank == value.ndim, (affine.rank, value.shape)
    found = _told(affine.scale, "any_scale") * value + _told(affine.shift, "any_shift")
    assert found.shape == value.shape, "an affine that enlarges the value"
    return np.asarray(found, dtype=object)
