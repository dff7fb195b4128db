"""Sizes on which only one of two graphs branches: where it compares an extent with a number.

    Shape -> Gather -> Greater (s, 20)      s = 20, and 21
    Shape -> ReduceProd -> Less (n, 400)    its root, and the next ones, too
    Slice (x, 0, 512)                       513: what is cut off is all there is up to 512

    Loop -> Greater (i, 10)                 12 turns, where their number is an extent or fed

A batch of 21 is none of the usual ones. What both graphs do to sizes cannot part them, so the nodes
are counted; a torch module has no nodes, see `torch_sizes`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.bodies import bodies_of, taken_in, turns_of
from bnfold.runtime.extents import Extent
from bnfold.runtime.signature import Array
from bnfold.verify.scores import constant_of
from bnfold.verify.sides import attributes_of

_BRANCHING = COMPARES | {"Clip", "Max", "Min", "Mod"}
_SAME_NUMBER = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_LARGEST = 4096
_MOST_NUMBERS = 4
_MOST_SIZES = 12

Sizes = dict[str, int]
"""By place, INPUT:AXIS."""


def sizes_of_branches(
    ours: ir.Model, theirs: ir.Model, extents: Sequence[Extent], fed: Mapping[str, Array]
) -> list[Sizes]:
    """Sizes for the open extents on either side of what only one model compares a size with.

    `fed` is a set that runs: its sizes are those of the extents that are not moved.
    """
    numbers = _unshared(ours, theirs)
    start = {e.place: fed[e.input].shape[e.axis] for e in extents}
    found = []
    for number in numbers:
        root = math.isqrt(number)
        for size in (number, number + 1, number - 1, root, root + 1):
            for label in dict.fromkeys(e.label for e in extents if size > 0):
                moved = {e.place: size for e in extents if e.label == label}
                found.append({**start, **moved})
    return [sizes for i, sizes in enumerate(found) if sizes not in found[:i]][:_MOST_SIZES]


def turns_of_branches(ours: ir.Model, theirs: ir.Model) -> list[Sizes]:
    """How often Loops are to turn, by input that says so: beyond what one model compares."""
    counts = {name for model in (ours, theirs) for name in _turning(model)}
    if not counts:
        return []
    return [
        dict.fromkeys(sorted(counts), turns)
        for number in _unshared(ours, theirs)
        for turns in (number + 1, number + 2)
    ]


def _unshared(ours: ir.Model, theirs: ir.Model) -> list[int]:
    """The numbers with which only one model compares sizes."""
    kinds = [Counter(_branches(model)) for model in (ours, theirs)]
    unshared = (kinds[0] - kinds[1]) + (kinds[1] - kinds[0])
    return list(dict.fromkeys(n for kind in unshared for n in kind[-1]))[:_MOST_NUMBERS]


def _turning(model: ir.Model) -> Iterator[str]:
    """The integer inputs that say how often a Loop turns."""
    for node in model.graph.all_nodes():
        value = node.inputs[0] if node.op_type == "Loop" else None
        while value is not None and (made := value.producer()) is not None:
            value = made.inputs[0] if made.op_type in _SAME_NUMBER else None
        if value in model.graph.inputs and value is not None and not value.is_initializer():
            yield value.name or ""


def _branches(model: ir.Model) -> Iterator[tuple[str, object, tuple[int, ...]]]:
    """The nodes that compare sizes: what they do, and the whole numbers with which they do it."""
    sizes = set[ir.Value]()
    for node in model.graph.all_nodes():
        if node.op_type == "Slice":
            yield node.op_type, (), tuple(_whole(_bounds(node)))
        turn = turns_of(node)
        if turn is not None:
            sizes.add(turn)
        for _, body in bodies_of(node):
            sizes.update(inner for inner, operand in taken_in(node, body) if operand in sizes)
        read = [v for v in node.inputs if v is not None and constant_of(v) is None]
        if node.op_type not in ("Shape", "Size") and not (read and sizes.issuperset(read)):
            continue
        sizes.update(node.outputs)
        if node.op_type in _BRANCHING:
            yield node.op_type, attributes_of(node), tuple(_numbers(node))


def _numbers(node: ir.Node) -> Iterator[int]:
    for value in node.inputs:
        constant = None if value is None else constant_of(value)
        if constant is not None and constant.dtype.kind in "iuf" and constant.size < _MOST_SIZES:
            yield from _whole(constant.reshape(-1).tolist())


def _whole(numbers: Iterable[float]) -> Iterator[int]:
    return (int(n) for n in numbers if 1 < n <= _LARGEST)


def _bounds(node: ir.Node) -> Iterator[float]:
    """The constant ends and starts of a Slice: operands since Slice-10, attributes before."""
    if len(node.inputs) < 3:
        for name in ("ends", "starts"):
            yield from node.attributes[name].as_ints() if name in node.attributes else ()
        return
    for value in (node.inputs[2], node.inputs[1]):
        constant = None if value is None else constant_of(value)
        yield from () if constant is None else constant.reshape(-1).tolist()
