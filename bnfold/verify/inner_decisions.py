"""Decisions inside: where rounding turns one, two correct models go on with other numbers.

A mask h > 0, an ArgMax that picks a row of a table, a Floor: where h lies within rounding of the
other side, a correct fold decides otherwise in one place of many thousands, and what is made of it
is off by far more than rounding. So both models are compared once more, each decision given to what
reads it, in both models, as the original makes it:

    h    what is decided on     up to rounding, as an output is
    q    what comes of it       as integers are: open where copies of the original turn it
    y    what is made of it     up to rounding, for one q

Where all three hold, the models are one function, up to what rounding decides. Nothing is gained so
by a model that decides otherwise: q differs where no copy turns it. What lies on a grid is decided
alike in every run, see `grids`, and is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.signature import Array
from bnfold.verify.comparing import FirstRuns, Job
from bnfold.verify.deciding import numbers_of
from bnfold.verify.feeds import Feed
from bnfold.verify.grids import on_grid
from bnfold.verify.inference import dtypes_of
from bnfold.verify.jumps import spell_out
from bnfold.verify.records import Verification
from bnfold.verify.subject import OnnxSubject

_WHOLE = frozenset({"Ceil", "Floor", "Round", "Sign"})
_PICKING = {"ArgMax": 0, "ArgMin": 0, "TopK": 1}
"""What picks, and which of its results says where."""


@dataclass(frozen=True)
class Decision:
    """A result of a node of the main graph, by index, and what it is made from.

    Attributes:
        node, output: where it is made.
        operands: the indices of the real numbers that it is made from.
        operator: what decides.
        dtype: of the result.
        read: of what it is made from.
    """

    node: int
    output: int
    operands: tuple[int, ...]
    operator: str
    dtype: ir.DataType
    read: ir.DataType

    @property
    def kind(self) -> object:
        """The same for decisions that may stand for each other."""
        return self.operator, self.operands, self.dtype


def with_decisions(job: Job, found: Verification, first: FirstRuns) -> Verification:
    """What was found, but for decisions inside that rounding turns."""
    a, b = job.pair.plain or (job.pair.original, job.pair.other)
    if found.verdict != "different" or not found.outputs or job.pair.cut is not None:
        return found
    if not isinstance(a, OnnxSubject):
        return found
    a, b = a.edited(spell_out), b.edited(spell_out)
    ours, theirs = _decisions(a.model), _decisions(b.model)
    if not ours or [d.kind for d in ours] != [d.kind for d in theirs]:
        return found
    made, its = (_made(job, *each, first.feeds) for each in ((a, ours), (b, theirs)))
    turned = [_turned(*each) for each in zip(made, its, strict=True)]
    if not any(turned):
        return found
    pair = replace(
        job.pair,
        original=_given(a, ours, ours),
        other=_given(b, theirs, ours),
        plain=None,
        cut=None,
    )
    there = replace(job, pair=pair)
    feeds = [_fed(*each) for each in zip(first.feeds, made, strict=True)]
    runner = pair.original.open(job.setting)
    again = there.compare(
        FirstRuns(feeds, [runner.run(feed.arrays) for feed in feeds]), is_located=False
    )
    if not again.is_equivalent:
        return found
    reason = f"{again.reason}; {sum(turned)} decisions inside turn, no more than rounding turns"
    return replace(again, reason=reason, feeds=found.feeds, notes=found.notes)


def _decisions(model: ir.Model) -> list[Decision]:
    """Those of the main graph that hang on what is fed, and not on a grid."""
    known, numbers = dtypes_of(model), numbers_of(model)
    grid = on_grid(model, known)
    found = []
    for index, node in enumerate(model.graph):
        output = _PICKING.get(node.op_type, 0)
        if node.domain not in ("", "ai.onnx") or len(node.outputs) <= output:
            continue
        read = [
            (i, dtype)
            for i, value in enumerate(node.inputs)
            if value in numbers
            and value not in grid
            and (dtype := known.get(value.name or "")) is not None
            and dtype.is_floating_point()
        ]
        dtype = known.get(node.outputs[output].name or "")
        if read and dtype is not None and _decides(node, dtype):
            operands = tuple(i for i, _ in read)
            found.append(Decision(index, output, operands, node.op_type, dtype, read[0][1]))
    return found


def _decides(node: ir.Node, dtype: ir.DataType) -> bool:
    if node.op_type == "Cast":
        return dtype.is_integer()
    return node.op_type in COMPARES | _WHOLE or node.op_type in _PICKING


def _made(
    job: Job, subject: OnnxSubject, decisions: Sequence[Decision], feeds: Sequence[Feed]
) -> list[list[Array]]:
    """What the model decides on each feed."""
    exposed = subject.edited(lambda model: _show(model, decisions))
    runner = exposed.open(job.setting)
    return [runner.run(feed.arrays)[-len(decisions) :] for feed in feeds]


def _show(model: ir.Model, decisions: Sequence[Decision]) -> None:
    nodes = list(model.graph)
    for index, each in enumerate(decisions):
        shown = ir.Value(name=f"decision {index}", type=ir.TensorType(each.dtype))
        made = nodes[each.node].outputs[each.output]
        model.graph.append(ir.node("Identity", [made], outputs=[shown]))
        model.graph.outputs.append(shown)


def _given(
    subject: OnnxSubject, decisions: Sequence[Decision], original: Sequence[Decision]
) -> OnnxSubject:
    """The model that is fed what is decided, and returns what it decides itself, and on what.

    What it returns has the types that it has in the original.
    """
    found = subject.copy()
    nodes = list(found.model.graph)
    for index, (each, ours) in enumerate(zip(decisions, original, strict=True)):
        node = nodes[each.node]
        made, what = node.outputs[each.output], f"of {each.operator} {index}"
        made.dtype = each.dtype
        fed = ir.Value(name=f"fed {index}", type=ir.TensorType(each.dtype))
        for reader, place in list(made.uses()):
            reader.replace_input_with(place, fed)
        found.model.graph.inputs.append(fed)
        is_real = each.dtype.is_floating_point()
        found.copy_out(made, f"the result {what}", ir.DataType.INT64 if is_real else each.dtype)
        for operand in each.operands:
            value = node.inputs[operand]
            assert value is not None, "operands were looked at"
            value.dtype = each.read
            found.copy_out(value, f"operand {operand} {what}", ours.read)
    return found


def _fed(feed: Feed, made: Sequence[Array]) -> Feed:
    given = {f"fed {index}": array for index, array in enumerate(made)}
    return replace(feed, arrays={**feed.arrays, **given})


def _turned(ours: Sequence[Array], theirs: Sequence[Array]) -> int:
    """How many decisions of one set are others."""
    pairs = zip(ours, theirs, strict=True)
    return sum(int((x != y).sum()) if x.shape == y.shape else x.size for x, y in pairs)
