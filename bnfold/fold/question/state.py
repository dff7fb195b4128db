"""How far a question has come: what each node does, and what is still on the way.

There is one state of a question. An alternative that leads nowhere is taken back, entry by entry,
so that what it costs to try one follows what it changes and not how far the question has come.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import reads_of
from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.numbers.quotient import before, has_gaps
from bnfold.fold.plan import Plan, Step

Edge = tuple[ir.Node, int]
"""Where a node reads a value: the node, and the index of the input."""

_ABSENT: Any = object()


class State:
    """A graph in which affines stand on edges: it computes what the model does, at any time.

    Args:
        facts: of the model.

    Attributes:
        steps: what each node does.
        residues: edge to the affine that stands on it: its reader must see that of what it reads.
        backward: edge to whether its affine goes to what makes the value, and not to the reader.
        carried: value v to A where v' = A(v) is carried in its place; None where A has no inverse.
        asked: how often each node was asked.
        constants: that take the place of inputs which are read past a node.
        rules: that have answered, in order.
        undone: the operators that were asked to take an inverse, each with who asked.
    """

    def __init__(self, facts: Facts) -> None:
        self.steps: dict[ir.Node, Step] = {}
        self.residues: dict[Edge, Affine] = {}
        self.backward: dict[Edge, bool] = {}
        self.carried: dict[ir.Value, Affine | None] = {}
        self.asked: dict[ir.Node, int] = {}
        self.constants: dict[Edge, Exact] = {}
        self.rules: dict[str, None] = {}
        self.undone: dict[str, str] = {}
        self._facts = facts
        self._waiting: dict[tuple[ir.Node, bool], int] = {}
        self._next: dict[bool, list[tuple[tuple[int, ...], int, ir.Node]]] = {True: [], False: []}
        self._lined_up = 0
        self._log: list[tuple[dict[Any, Any], Any, Any]] = []

    @property
    def mark(self) -> int:
        """A moment, to come back to."""
        return len(self._log)

    def back_to(self, mark: int) -> None:
        """The state is as it was at that moment."""
        while len(self._log) > mark:
            kept, key, old = self._log.pop()
            if old is _ABSENT:
                del kept[key]
                continue
            kept[key] = old
            if kept is self._waiting:
                self._line_up(*key)

    def set(self, kept: dict[Any, Any], key: Any, new: Any) -> None:
        """One entry of one of the dictionaries, until it is taken back."""
        self._log.append((kept, key, kept.get(key, _ABSENT)))
        kept[key] = new

    def residue(self, edge: Edge, rank: int) -> Affine:
        """What stands on the edge; the identity where nothing does."""
        found = self.residues.get(edge)
        return identity(rank) if found is None else found

    def put(self, edge: Edge, affine: Affine, *, backward: bool) -> None:
        """The affine stands on the edge, in place of what did, and goes that way."""
        self.take(edge)
        if not affine.is_identity:
            self.set(self.residues, edge, affine)
            self.set(self.backward, edge, backward)
            self._count(_end(edge, backward=backward), backward, 1)

    def take(self, edge: Edge) -> None:
        """Nothing stands on the edge."""
        if edge not in self.residues:
            return
        backward = self.backward[edge]
        for kept in (self.residues, self.backward):
            self._log.append((kept, edge, kept.pop(edge)))
        self._count(_end(edge, backward=backward), backward, -1)

    def next_end(self) -> tuple[ir.Node, bool] | None:
        """Which node is asked next, and whether backward: what an affine goes back to, last first.

        None where nothing is on the way.
        """
        for backward in (True, False):
            line = self._next[backward]
            while line and not self._waiting.get((line[0][-1], backward)):
                heappop(line)
            if line:
                return line[0][-1], backward
        return None

    def carry(self, value: ir.Value, affine: Affine) -> None:
        """The value is made with one affine more in it."""
        known = self.carried.get(value, identity(affine.rank))
        self.set(self.carried, value, None if known is None else affine.after(known))

    def carry_less(self, value: ir.Value, affine: Affine) -> None:
        """The value is made without that affine."""
        known = self.carried.get(value, identity(affine.rank))
        left = None if known is None else before(known, affine)
        self.set(self.carried, value, None if left is None or has_gaps(left) else left)

    def plan(self, direction: str) -> Plan:
        """All that was decided, as one plan."""
        moved = {v for v, a in self.carried.items() if a is None or not a.is_identity}
        rules = tuple(rule for rule in self.rules if rule)
        return Plan(
            self.steps, self.constants, moved=frozenset(moved), direction=direction, rules=rules
        )

    def _count(self, node: ir.Node, backward: bool, more: int) -> None:
        self.set(self._waiting, (node, backward), self._waiting.get((node, backward), 0) + more)
        if more > 0:
            self._line_up(node, backward)

    def _line_up(self, node: ir.Node, backward: bool) -> None:
        place = self._facts.order(node)
        key = tuple(-n for n in place) if backward else place
        self._lined_up += 1  # the same node may stand in line twice
        heappush(self._next[backward], (key, self._lined_up, node))


def value_of(edge: Edge) -> ir.Value:
    """What is read there."""
    value = reads_of(edge[0])[edge[1]]
    assert value is not None, "an edge is where a value is read"
    return value


def _end(edge: Edge, *, backward: bool) -> ir.Node:
    """The node that an affine on the edge arrives at."""
    node = value_of(edge).producer() if backward else edge[0]
    assert node is not None, "nothing goes back to an input of the graph"
    return node
