"""How far a question has come: what each node does, and what is still on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.numbers.quotient import before, has_gaps
from bnfold.fold.plan import Plan, Step

Edge = tuple[ir.Node, int]
"""Where a node reads a value: the node, and the index of the input."""


@dataclass
class State:
    """A graph in which affines stand on edges: it computes what the model does, at any time.

    Attributes:
        steps: what each node does.
        residues: edge to the affine that stands on it: its reader must see that of what it reads.
        back: edges whose affine goes to what makes the value.
        ahead: edges whose affine goes to the reader.
        carried: value v to A where v' = A(v) is carried in its place; None where A has no inverse.
        asked: how often each node was asked.
        constants: that take the place of inputs which are read past a node.
        rules: that have answered, in order.
        undone: an operator that was asked to take an inverse, and what asked it; None so far.
    """

    steps: dict[ir.Node, Step]
    residues: dict[Edge, Affine] = field(default_factory=dict)
    back: set[Edge] = field(default_factory=set)
    ahead: set[Edge] = field(default_factory=set)
    carried: dict[ir.Value, Affine | None] = field(default_factory=dict)
    asked: dict[ir.Node, int] = field(default_factory=dict)
    constants: dict[Edge, Exact] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    undone: tuple[str, str] | None = None

    def copy(self) -> State:
        """A state of its own, for an alternative."""
        return State(
            dict(self.steps),
            dict(self.residues),
            set(self.back),
            set(self.ahead),
            dict(self.carried),
            dict(self.asked),
            dict(self.constants),
            self.rules,
            self.undone,
        )

    def residue(self, edge: Edge, rank: int) -> Affine:
        """What stands on the edge; the identity where nothing does."""
        found = self.residues.get(edge)
        return identity(rank) if found is None else found

    def put(self, edge: Edge, affine: Affine, *, backward: bool) -> None:
        """The affine stands on the edge, in place of what did, and goes that way."""
        self.take(edge)
        if not affine.is_identity:
            self.residues[edge] = affine
            (self.back if backward else self.ahead).add(edge)

    def take(self, edge: Edge) -> None:
        """Nothing stands on the edge."""
        self.residues.pop(edge, None)
        self.back.discard(edge)
        self.ahead.discard(edge)

    def carry(self, value: ir.Value, affine: Affine) -> None:
        """The value is made with one affine more in it."""
        known = self.carried.get(value, identity(affine.rank))
        self.carried[value] = None if known is None else affine.after(known)

    def carry_less(self, value: ir.Value, affine: Affine) -> None:
        """The value is made without that affine."""
        known = self.carried.get(value, identity(affine.rank))
        left = None if known is None else before(known, affine)
        self.carried[value] = None if left is None or has_gaps(left) else left

    def plan(self, direction: str) -> Plan:
        """All that was decided, as one plan."""
        moved = {v for v, a in self.carried.items() if a is None or not a.is_identity}
        rules = tuple(dict.fromkeys(rule for rule in self.rules if rule))
        return Plan(
            self.steps, self.constants, moved=frozenset(moved), direction=direction, rules=rules
        )
