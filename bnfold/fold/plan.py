"""What a rule answers: a step of a plan, or a refusal. Frozen facts, nothing acts here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import Exact

if TYPE_CHECKING:
    from bnfold.fold.facts.graph import Facts


@dataclass(frozen=True)
class Refusal:
    """Why an affine cannot move.

    Attributes:
        code: stable, in kebab-case, for programs.
        sentence: for people, without the operator's name.
        at: the operator that stopped it, e.g. `Relu 'relu1'`; filled in by the search.
        advice: what the user could do; empty where there is nothing.
    """

    code: str
    sentence: str
    at: str = ""
    advice: str = ""


Operand = ir.Value | Exact | str | None
"""A node's input: a value of the graph, a fresh constant, a temporary by name, or left out."""


@dataclass(frozen=True)
class NewNode:
    """A node as it will be.

    Attributes:
        op_type: of the standard domain.
        inputs: see Operand.
        attributes: name to plain value; None keeps those of the node that it replaces.
        output: a temporary's name, or None for the output of the node that it replaces.
    """

    op_type: str
    inputs: tuple[Operand, ...]
    attributes: Mapping[str, Any] | None = None
    output: str | None = None


@dataclass(frozen=True)
class Step:
    """What one node does when an affine arrives at it.

    Attributes:
        rule: the rule's name, as `--skip` and the ledger spell it.
        passes: backward: input index to the affine that the producer must apply instead;
            forward: output index to the affine that the readers must apply instead.
            Empty where the node absorbs everything.
        nodes: what stands in the node's place; None leaves it as it is.
        drops: the node goes, and its readers read this input of it.
        removes: the node goes, and nobody reads it any more.
        wants: forward only: these other inputs must arrive with this same affine.
        price: the name under which a user allows it; None where it costs nothing.
        otherwise: what to say where the price is not allowed.
    """

    rule: str
    passes: Mapping[int, Affine] = field(default_factory=dict)
    nodes: tuple[NewNode, ...] | None = None
    drops: int | None = None
    removes: bool = False
    wants: Mapping[int, Affine] = field(default_factory=dict)
    price: str | None = None
    otherwise: Refusal | None = None

    @property
    def absorbs(self) -> bool:
        """Whether the node's own constants change."""
        return self.nodes is not None


Answer = Sequence[Step] | Refusal
"""Alternatives, best first; or why there is none."""

Question = Callable[[ir.Node, Mapping[int, Affine], "Facts"], Answer]
"""Backward: output index to the affine demanded. Forward: input index to the one that arrives."""


@dataclass(frozen=True)
class Rule:
    """One operator's answers; a row of the table in README.md.

    Attributes:
        name: as the ledger spells it.
        ops: the operators that it speaks for.
        backward: for an affine that follows the operator; None where it never moves back.
        forward: for an affine that precedes it.
    """

    name: str
    ops: tuple[str, ...]
    backward: Question | None = None
    forward: Question | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that one fold does, each node once.

    Attributes:
        steps: node to what it does; the sources among them, as drops.
        constants: (node, input index) to the fresh constant that takes that input's place.
        moved: values that will carry something else than they did, with the affine between.
        witnesses: nodes that read a moved value without noticing: they prove it.
        direction: "backward", "forward" or "both"; of a merge, its rule's name.
    """

    steps: Mapping[ir.Node, Step]
    constants: Mapping[tuple[ir.Node, int], Exact] = field(default_factory=dict)
    moved: frozenset[ir.Value] = frozenset()
    witnesses: frozenset[ir.Node] = frozenset()
    direction: str = "backward"

    @property
    def has_price(self) -> bool:
        """Whether it was found only because something was allowed."""
        return any(step.price is not None for step in self.steps.values())

    @property
    def added_nodes(self) -> int:
        """How many nodes the graph has more afterwards, those left aside that nobody reads."""
        steps = self.steps.values()
        new = sum(len(step.nodes) - 1 for step in steps if step.nodes is not None)
        return new - sum(step.drops is not None or step.removes for step in steps)

    @property
    def fresh_constants(self) -> tuple[Exact, ...]:
        """The tensors that it makes."""
        steps = (step.nodes or () for step in self.steps.values())
        operands = (operand for nodes in steps for new in nodes for operand in new.inputs)
        made = (operand for operand in operands if isinstance(operand, Exact))
        return (*self.constants.values(), *made)

    @property
    def absorbers(self) -> tuple[ir.Node, ...]:
        """The nodes whose constants change."""
        changed = [node for node, step in self.steps.items() if step.absorbs]
        return tuple(dict.fromkeys([*changed, *(node for node, _ in self.constants)]))
