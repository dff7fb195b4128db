"""The floor: a model without its batch norms, and what the others are beside it.

It computes something else, and takes as long as a perfect fold could reach: no batch norm, and
nothing in its place. With t the time of the baseline, f that of the floor and c that of a
candidate, batch norms cost (t - f) / t, and the candidate is rid of (t - c) / (t - f) of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import onnx_ir as ir

from bnfold import model_io
from bnfold.bench.rows import Comparison, Interval, Tax
from bnfold.bench.statistics import spread

NAME = "without batch norms"

_OPERATOR = "BatchNormalization"


def write_floor(source: Path, target: Path) -> int:
    """How many batch norms the model has; it is at `target` without them, if it has any.

    Their outputs have the shape of their inputs, so that whoever read one can read the other.

    Raises:
        ModelError: the model cannot be read or written.
    """
    model = model_io.load(source)
    graphs = [model.graph, *(function.graph for function in model.functions.values())]
    norms = [
        node
        for graph in graphs
        for node in graph.all_nodes()
        if node.op_type == _OPERATOR and node.domain == "" and _is_alone(node)
    ]
    for node in norms:
        _delete(node)
    if norms:
        model_io.save(model, target)
    return len(norms)


def _is_alone(node: ir.Node) -> bool:
    """Whether nobody reads what a batch norm in training makes beside its output."""
    return not any(out.uses() or out.is_graph_output() for out in node.outputs[1:])


def _delete(node: ir.Node) -> None:
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None and node.graph is not None, "a batch norm has an input, and stands in one"
    if y.is_graph_output():  # it keeps its name
        identity = ir.Node("", "Identity", [x], outputs=[ir.Value(name=y.name)], name=node.name)
        node.graph.insert_before(node, identity)
        made = identity.outputs[0]
        made.type, made.shape = y.type, y.shape
        y.name = None
        ir.convenience.replace_all_uses_with(y, made, replace_graph_outputs=True)
    else:
        ir.convenience.replace_all_uses_with(y, x)
    node.graph.remove(node, safe=True)


def taxes(comparisons: Sequence[Comparison], floor: str) -> tuple[Tax, ...]:
    """For each candidate, in each place, how much of the cost is gone; `floor` names the floor."""
    floors = {row.where: row for row in comparisons if row.candidate == floor}
    return tuple(
        _tax(row, floors[row.where])
        for row in comparisons
        if row.where in floors and row.candidate != floor
    )


def _tax(row: Comparison, floor: Comparison) -> Tax:
    low, high = (_saved(ratio) for ratio in (floor.ratio.low, floor.ratio.high))
    cost = Interval(_saved(floor.ratio.estimate), low, high)
    is_known = floor.verdict == "faster" and row.verdict != "inconclusive"
    gone = _gone(row.ratio, floor.ratio) if is_known else None
    provider, level, threads, batch, runtime = row.where
    return Tax(
        provider=provider, level=level, threads=threads, batch=batch, runtime=runtime,
        candidate=row.candidate, cost=cost, gone=gone, sentence=_sentence(row, floor, gone),
    )  # fmt: skip


def _saved(ratio: float) -> float:
    """The share of the baseline's time that is saved at that ratio."""
    return 1 - 1 / ratio


def _gone(ratio: Interval, floor: Interval) -> Interval:
    """The share, from the ends of both intervals that are furthest apart."""
    ends = [_saved(a) / _saved(b) for a, b in product((ratio.low, ratio.high),
                                                      (floor.low, floor.high))]  # fmt: skip
    return Interval(_saved(ratio.estimate) / _saved(floor.estimate), min(ends), max(ends))


def _sentence(row: Comparison, floor: Comparison, gone: Interval | None) -> str:
    if gone is not None:
        return (
            f"{gone.estimate:.0%} of what the batch norms cost is gone ({gone.low:.0%} to "
            f"{gone.high:.0%}); without any it would be {floor.ratio.estimate:.2f}x faster"
        )
    if floor.verdict == "faster":
        return (
            f"how much of what the batch norms cost is gone cannot be said here "
            f"({spread(row.ratio)}); without any it would be {floor.ratio.estimate:.2f}x faster"
        )
    if floor.verdict == "inconclusive":
        return f"what the batch norms cost cannot be said here ({spread(floor.ratio)})"
    return f"the batch norms cost nothing that can be measured here ({spread(floor.ratio)})"
