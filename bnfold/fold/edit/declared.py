"""What a file declares of values inside it, where that is not so.

A runtime believes the sizes in a file when it loads one, and infers others from them. A false one
is forgiven where nothing of that size meets it; a constant that a fold has put in does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.facts.operator_facts import KEEPS_SHAPE
from bnfold.fold.numbers.affine import Dims


def contradicted(facts: Facts) -> frozenset[str]:
    """Names of values declared on either side of an operator that keeps the shape, unlike.

    Neither size follows from the inputs, so that either may be false: a runtime believes neither,
    and would believe one alone.
    """
    found: set[str] = set()
    for node in facts.model.graph:
        if not is_op(node, *KEEPS_SHAPE):
            continue
        pair = (node.inputs[0], node.outputs[0])
        for axis in _unlike(*map(_declared, pair)):
            if all(facts.dim(value, axis) is None for value in pair):
                found.update(value.name for value in pair if value is not None and value.name)
    return frozenset(found)


def forget_false_shapes(facts: Facts, doubted: Collection[str]) -> None:
    """Inside the graph, no declared shape contradicts what follows from its inputs, nor is doubted.

    Args:
        facts: of the model, as it is by now.
        doubted: names of values of which no size is to be told.
    """
    for node in facts.model.graph:
        for value in node.outputs:
            if value.is_graph_output():
                continue
            if value.name in doubted or _is_false(value, facts):
                value.shape = None


def _is_false(value: ir.Value, facts: Facts) -> bool:
    declared, dims = _declared(value), facts.dims(value)
    if declared is None or dims is None:
        return False
    return len(dims) != len(declared) or any(True for _ in _unlike(declared, dims))


def _declared(value: ir.Value | None) -> Dims | None:
    shape = None if value is None else value.shape
    return None if shape is None else tuple(d if isinstance(d, int) else None for d in shape)


def _unlike(some: Dims | None, others: Dims | None) -> Iterator[int]:
    """The axes along which both are numbers, and not the same; none where the ranks differ."""
    if some is None or others is None or len(some) != len(others):
        return
    for axis, (a, b) in enumerate(zip(some, others, strict=True)):
        if isinstance(a, int) and isinstance(b, int) and a != b:
            yield axis
