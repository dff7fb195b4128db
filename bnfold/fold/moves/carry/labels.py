"""The axes of a product that is summed, by labels: as an Einsum spells them, and of a MatMul."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.numbers.affine import Affine, Array


@dataclass(frozen=True)
class Labels:
    """One character for each axis; y = sum over what y does not name of the operands' product.

    Attributes:
        operands: of each operand, in order; none has a label twice.
        output: of y.
    """

    operands: tuple[str, ...]
    output: str

    @property
    def summed(self) -> frozenset[str]:
        """The labels that y does not name."""
        return frozenset("".join(self.operands)) - frozenset(self.output)


def labels_of(node: ir.Node, facts: Facts) -> Labels | None:
    """The labels of an Einsum or MatMul; None where they are not known, or name a diagonal."""
    ranks = [facts.rank(value) for value in node.inputs]
    if any(rank is None for rank in ranks):
        return None
    known = [rank or 0 for rank in ranks]
    found = _of_matmul(known) if is_op(node, "MatMul") else _of_einsum(node, known)
    if found is None or any(
        len(set(terms)) != len(terms) for terms in (*found.operands, found.output)
    ):
        return None
    lengths = [len(terms) for terms in found.operands]
    return found if lengths == known else None


def _of_matmul(ranks: Sequence[int]) -> Labels | None:
    """[*, M, K] @ [*, K, N]: leading axes are right-aligned."""
    if min(ranks) < 2:
        return None
    batch = ascii_letters[: max(ranks) - 2]
    first, second = (batch[len(batch) - (rank - 2) :] for rank in ranks)
    return Labels((f"{first}MK", f"{second}KN"), f"{batch}MN") if len(batch) < _LEAST else None


_LEAST = 24  # leading axes: lower-case letters stand for them


def _of_einsum(node: ir.Node, ranks: Sequence[int]) -> Labels | None:
    equation = str(attribute_of(node, "equation", "")).replace(" ", "")
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        return None
    if not arrow:  # what occurs once, in alphabetical order
        once = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    free = [c for c in ascii_letters if c not in equation]
    hidden = [rank - len(term) + 3 for term, rank in zip(terms, ranks, strict=True) if "." in term]
    count = max(hidden, default=0)
    if count > len(free) or min(hidden, default=0) < 0:
        return None
    batch = "".join(free[:count])
    spelt = tuple(
        term.replace("...", batch[len(batch) - (rank - len(term) + 3) :])
        for term, rank in zip(terms, ranks, strict=True)
    )
    whole = output.replace("...", batch)
    return Labels(spelt, whole) if "." not in "".join((*spelt, whole)) else None


def laid(affine: Affine, here: str, there: str) -> Affine:
    """The affine of axes `here` for axes `there`, constant along those that they do not share."""
    return Affine(_laid(affine.scale, here, there), _laid(affine.shift, here, there))


def _laid(array: Array, here: str, there: str) -> Array:
    kept = [label for label in there if label in here]
    dropped = tuple(i for i, label in enumerate(here) if label not in there)
    moved = array.squeeze(dropped)
    rest = [label for label in here if label in there]
    moved = moved.transpose([rest.index(label) for label in kept])
    return np.expand_dims(moved, tuple(i for i, label in enumerate(there) if label not in here))


def varying(affine: Affine, labels: str) -> frozenset[str]:
    """Along which of its axes the affine differs."""
    return frozenset(label for i, label in enumerate(labels) if affine.varies_along(i))
