"""What a rule answers: a step of a plan, or a refusal. Frozen facts, nothing acts here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from bnfold.errors import BnfoldError
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import op_of
from bnfold.fold.facts.operator_facts import ADDENDS
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import Exact
from bnfold.record import Row

_LONGEST = 200  # characters of an error that a message repeats

MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BnfoldError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a bug in a rule raises: it ends that plan, and is told; a full disk or memory is none."""


def told(error: BaseException) -> str:
    """The error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_LONGEST]}"


Report = Callable[[str], None]
"""Is told of each bug of ours."""


@dataclass(frozen=True)
class Refusal(Row):
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
        reshapes: whether what it makes, a temporary or all that stands in the node's place, has
            another shape than that output.
    """

    op_type: str
    inputs: tuple[Operand, ...]
    attributes: Mapping[str, Any] | None = None
    output: str | None = None
    reshapes: bool = False


EXCHANGE = ""
"""The price of a node for which another one goes: nothing, where nothing better is found."""


@dataclass(frozen=True)
class Price:
    """What a rewrite costs.

    Attributes:
        name: under which a user allows it, as `--allow` spells it; EXCHANGE where it is one node,
            for which another one has to go.
        otherwise: what to say where it is not allowed.
    """

    name: str
    otherwise: Refusal


@dataclass(frozen=True)
class Leave:
    """The node stays as it is, and the affine moves on.

    Attributes:
        passes: backward: input index to the affine that the producer must apply instead;
            forward: output index to the affine that the readers must apply instead.
        wants: forward: these inputs must arrive with this affine; backward: these outputs must
            be asked for it. Where they do not, the others there are asked for what is missing.
    """

    passes: Mapping[int, Affine]
    wants: Mapping[int, Affine] = field(default_factory=dict)


@dataclass(frozen=True)
class Replace:
    """Other nodes, or the same one with other constants, stand in the node's place.

    Attributes:
        nodes: what stands there; the last one makes the node's output.
        passes, wants: as in Leave; nothing passes where the node absorbs all of the affine.
        price: None where it costs nothing.
    """

    nodes: tuple[NewNode, ...]
    passes: Mapping[int, Affine] = field(default_factory=dict)
    wants: Mapping[int, Affine] = field(default_factory=dict)
    price: Price | None = None


@dataclass(frozen=True)
class PassBy:
    """The node goes, and its readers read one input of it.

    Attributes:
        index: of that input.
        passes: as in Leave.
    """

    index: int
    passes: Mapping[int, Affine] = field(default_factory=dict)


@dataclass(frozen=True)
class Remove:
    """The node goes, and nobody reads it any more."""


Move = Leave | Replace | PassBy
"""What one node does when an affine arrives at it."""

Step = Move | Remove
"""What one node does in a plan."""

Answer = Sequence[Move] | Refusal
"""Alternatives, best first; or why there is none."""

Question = Callable[[ir.Node, Mapping[int, Affine], Facts], Answer]
"""Backward: output index to the affine demanded. Forward: input index to the one that arrives."""


@dataclass(frozen=True)
class Rule:
    """One operator's answers; a row of the table in README.md.

    Attributes:
        name: as `--skip` and the ledger spell it.
        ops: the operators that it speaks for.
        backward: for an affine that follows the operator; None where it never moves back.
        forward: for an affine that precedes it.
        copied: whether the operator may be copied where others read it too, with the affine in the
            copy: it is worth doing twice, and what takes the place of the affine.
    """

    name: str
    ops: tuple[str, ...]
    backward: Question | None = None
    forward: Question | None = None
    copied: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that one fold does, each node once.

    Attributes:
        steps: node to what it does; the sources among them, as passed by.
        constants: (node, input index) to the fresh constant that takes that input's place.
        moved: values that will carry something else than they did, with the affine between.
        context: nodes that stay as they are next to it: the proof runs them too.
        direction: "backward", "forward", "both" or "merge".
        rules: by name, those that answered, in the order in which they were asked.
    """

    steps: Mapping[ir.Node, Step]
    constants: Mapping[tuple[ir.Node, int], Exact] = field(default_factory=dict)
    moved: frozenset[ir.Value] = frozenset()
    context: frozenset[ir.Node] = frozenset()
    direction: str = "backward"
    rules: tuple[str, ...] = ()

    @property
    def replaced(self) -> dict[ir.Node, Replace]:
        """The nodes in whose place others stand."""
        return {node: step for node, step in self.steps.items() if isinstance(step, Replace)}

    @property
    def passed_by(self) -> dict[ir.Node, int]:
        """The nodes that go, with the input that is read in their place."""
        return {node: step.index for node, step in self.steps.items() if isinstance(step, PassBy)}

    @property
    def removed(self) -> tuple[ir.Node, ...]:
        """The nodes that go and that nobody reads any more."""
        return tuple(node for node, step in self.steps.items() if isinstance(step, Remove))

    @property
    def prices(self) -> tuple[str, ...]:
        """What had to be allowed for it, as `--allow` spells it, each once."""
        names = dict.fromkeys(price.name for price in self._asked)
        return tuple(name for name in names if name != EXCHANGE)

    @property
    def unpaid(self) -> Refusal | None:
        """What to say of a node that it adds for none that goes."""
        left = [price for price in self._asked if price.name == EXCHANGE]
        return left[0].otherwise if left and self.added_nodes > 0 else None

    @property
    def _asked(self) -> list[Price]:
        prices = (step.price for step in self.replaced.values())
        return list(dict.fromkeys(price for price in prices if price is not None))

    @property
    def has_price(self) -> bool:
        """Whether it was found only because something was allowed."""
        return bool(self.prices)

    @property
    def added_nodes(self) -> int:
        """How many nodes the graph has more afterwards, those left aside that nobody reads."""
        new = sum(len(step.nodes) - 1 for step in self.replaced.values())
        return new - len(self.passed_by) - len(self.removed)

    @property
    def fresh_constants(self) -> tuple[tuple[Exact, bool], ...]:
        """The tensors that it makes, each with whether it is added (it multiplies otherwise)."""
        changed = [
            (exact, index in ADDENDS.get(op_of(node), ()))
            for (node, index), exact in self.constants.items()
        ]
        made = [
            (operand, index in ADDENDS.get(new.op_type, ()))
            for step in self.replaced.values()
            for new in step.nodes
            for index, operand in enumerate(new.inputs)
            if isinstance(operand, Exact)
        ]
        return (*changed, *made)

    @property
    def absorbers(self) -> tuple[ir.Node, ...]:
        """The nodes whose constants change."""
        return tuple(dict.fromkeys([*self.replaced, *(node for node, _ in self.constants)]))
