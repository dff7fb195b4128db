"""One statement that is proven: a rule, a direction, a node with symbols, what arrives there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy

from bnfold.fold.numbers.affine import Affine
from tests.fold.proofs.asking import prove
from tests.fold.proofs.question import Question
from tests.fold.proofs.symbols import affine

Extents = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """What is asked.

    Attributes:
        rule: by name.
        text: an ONNX graph; its last node is asked about.
        at: input or output index to the extents of the affine there.
        floats, integers: constants.
        computed: integers that the graph makes of its inputs, to numbers of a run.
        backward: the affine follows the node; else it precedes it.
        shift: whether it has a shift; else t = 0.
        positive: s > 0 is assumed; else only s != 0.
        negative: s < 0 is assumed.
        assumed: float constants to what they are, e.g. "positive".
        given: of the symbols.
    """

    rule: str
    text: str
    at: Mapping[int, Extents]
    floats: Mapping[str, Extents] = field(default_factory=dict)
    integers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    backward: bool = True
    shift: bool = True
    positive: bool = False
    negative: bool = False
    opset: int = 18
    assumed: Mapping[str, str] = field(default_factory=dict)
    given: Sequence[sympy.Basic] = ()
    computed: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def op(self) -> str:
        """The operator that is asked about."""
        return self.question().node.op_type

    def question(self) -> Question:
        """The node with its symbols."""
        return Question(
            self.text,
            self.floats,
            self.integers,
            self.opset,
            self.assumed,
            self.given,
            self.computed,
        )

    def affines(self) -> dict[int, Affine]:
        """What arrives: symbols of its own at each place."""
        sign = {"positive": True} if self.positive else {"negative": True} if self.negative else {}
        if self.rule == "forgets":  # a shift alone
            return {i: affine(extents).only_shift() for i, extents in self.at.items()}
        return {
            i: affine(extents, shift=self.shift, name=f"{i}", **sign)
            for i, extents in self.at.items()
        }

    def prove(self) -> int:
        """How many alternatives of the rule were proven."""
        return prove(self.question(), self.rule, self.affines(), backward=self.backward)

    def __str__(self) -> str:
        way = "backward" if self.backward else "forward"
        return f"{self.rule}, {way}: {self.text.partition('{')[2].strip(' }')}"


def both(case: Case) -> tuple[Case, Case]:
    """The same statement for an affine behind the node and for one before it."""
    return case, Case(**{**case.__dict__, "backward": False})
