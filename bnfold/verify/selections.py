"""Where a model selects: operators whose result has as many rows as the numbers say.

A detector keeps the boxes whose score is above a threshold. Where a score lies within rounding of
it, two correct models keep different boxes, and rows that stand side by side have nothing to do
with each other. So both graphs are cut there: what enters the operator is compared as an output
would be, and the operator itself is fed, in both models, what it gets in the original. Then all
shapes are the same, and

    equal before the cut, up to rounding, and equal behind it for the same selection

means that a selection differs only where rounding decides it. An operator with another threshold
selects otherwise from the same numbers, and that shows behind the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.feeds import Feed
from bnfold.verify.inference import dtypes_of
from bnfold.verify.reach import follows_numbers
from bnfold.verify.subject import OnnxSubject

_SELECTING = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})

Runs = Sequence[Sequence[Array]]


@dataclass(frozen=True)
class ComparedOperand:
    """An operand of the node at this index of the main graph, and what it is of, in words."""

    node: int
    operand: int
    what: str


@dataclass(frozen=True)
class Cut:
    """The places where both models select, one of each side for each, in one order.

    `dtypes` are those of what enters.
    """

    original: tuple[ComparedOperand, ...]
    other: tuple[ComparedOperand, ...]
    dtypes: tuple[ir.DataType, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What enters, as the outputs that are compared are called."""
        return tuple(f"operand {place.operand} of {place.what}" for place in self.original)


def cut_of(original: OnnxSubject, other: OnnxSubject) -> Cut | None:
    """The places that stand for each other; None where there are none, or not the same ones.

    None too where the graphs do not tell of which type a selecting operator's operand is, or where
    it is of two types.
    """
    ours, theirs = _selecting(original.model), _selecting(other.model)
    if not ours or [n.op_type for n in ours] != [n.op_type for n in theirs]:
        return None
    by_name = {node.outputs[0].name: node for node in theirs}
    named = [by_name.get(node.outputs[0].name) for node in ours]
    if all(b is not None and a.op_type == b.op_type for a, b in zip(ours, named, strict=True)):
        theirs = [node for node in named if node is not None]
    places = [
        (_place(original.model, a, i), _place(other.model, b, i))
        for a, b in zip(ours, theirs, strict=True)
        for i, value in enumerate(a.inputs)
        if _is_computed(value) and i < len(b.inputs) and b.inputs[i] is not None
    ]
    dtypes = _dtypes(original.model, [a for a, _ in places])
    if dtypes is None or dtypes != _dtypes(other.model, [b for _, b in places]):
        return None
    return Cut(tuple(a for a, _ in places), tuple(b for _, b in places), dtypes)


def show_entering(cut: Cut, original: OnnxSubject) -> None:
    """From now on the original returns what enters its selecting operators, after the rest."""
    _copy_out(original, cut.original, cut)


def apply(
    cut: Cut, original: OnnxSubject, other: OnnxSubject, feeds: Sequence[Feed], runs: Runs
) -> tuple[OnnxSubject, OnnxSubject, list[Feed]]:
    """Both models, cut, and feeds for them: what enters, the last of each run, is fed too.

    The original returns what enters already, see `show_entering`; `runs` are its.
    """
    ours, theirs = original.copy(), other.copy()
    _copy_out(theirs, cut.other, cut)
    for places, subject in ((cut.original, ours), (cut.other, theirs)):
        for place, name, dtype in zip(places, cut.names, cut.dtypes, strict=True):
            subject.feed_in(place.node, place.operand, f"fed {name}", dtype)
    return ours, theirs, [_with_entering(cut, *each) for each in zip(feeds, runs, strict=True)]


def _with_entering(cut: Cut, feed: Feed, run: Sequence[Array]) -> Feed:
    entering = zip(cut.names, run[-len(cut.names) :], strict=True)
    fed = {f"fed {name}": array for name, array in entering}
    return replace(feed, arrays={**feed.arrays, **fed})


def selected_otherwise(names: Sequence[str], ours: Runs, theirs: Runs) -> list[str]:
    """For each output of another length, or of other whole rows, how many rows one has alone."""
    found = []
    for index, name in enumerate(names):
        rows = apart = 0
        for a, b in zip((r[index] for r in ours), (r[index] for r in theirs), strict=True):
            rows += _rows(a)
            apart += _rows_apart(a, b)
        if apart:
            found.append(f"{apart} of {rows} rows of {name!r}")
    return found


def _rows_apart(a: Array, b: Array) -> int:
    if not is_exact_dtype(a.dtype) or a.ndim == 0 or b.ndim != a.ndim:
        return abs(_rows(a) - _rows(b))
    ours, theirs = ({tuple(row.reshape(-1).tolist()) for row in x} for x in (a, b))
    return max(len(ours - theirs), len(theirs - ours))


def _rows(array: Array) -> int:
    return array.shape[0] if array.ndim else 1


def _selecting(model: ir.Model) -> list[ir.Node]:
    """The operators of the main graph that select by numbers that depend on what is fed."""
    return [
        node
        for node in model.graph
        if node.op_type in _SELECTING
        and node.domain in DEFAULT_DOMAINS
        and any(_is_computed(value) for value in node.inputs)
    ]


def _place(model: ir.Model, node: ir.Node, operand: int) -> ComparedOperand:
    index = next(i for i, other in enumerate(model.graph) if other is node)
    return ComparedOperand(index, operand, f"{node.op_type} {node.outputs[0].name!r}")


def _copy_out(subject: OnnxSubject, places: Sequence[ComparedOperand], cut: Cut) -> None:
    nodes = list(subject.model.graph)
    for place, name, dtype in zip(places, cut.names, cut.dtypes, strict=True):
        value = nodes[place.node].inputs[place.operand]
        assert value is not None, "only operands that are there are cut"
        subject.copy_out(value, name, dtype)


def _dtypes(model: ir.Model, places: Sequence[ComparedOperand]) -> tuple[ir.DataType, ...] | None:
    nodes, known = list(model.graph), dtypes_of(model)
    operands = [nodes[place.node].inputs[place.operand] for place in places]
    names = [value.name or "" for value in operands if value is not None]
    dtypes = tuple(known[name] for name in names if name in known)
    return dtypes if len(dtypes) == len(places) else None


def _is_computed(value: ir.Value | None) -> bool:
    return value is not None and value.producer() is not None and follows_numbers(value)
