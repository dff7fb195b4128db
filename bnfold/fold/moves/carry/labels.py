"""The axes of a product that is summed, by labels: as an Einsum spells them, and of a MatMul."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.einsum_terms import einsum_terms
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
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
    found = _of_matmul(known) if is_op(node, "MatMul") else einsum_terms(node, known)
    if found is None or any(len(set(terms)) != len(terms) for terms in (*found[0], found[1])):
        return None
    return Labels(*found)


def _of_matmul(ranks: Sequence[int]) -> tuple[tuple[str, ...], str] | None:
    """[*, M, K] @ [*, K, N]: leading axes are right-aligned."""
    if min(ranks) < 2:
        return None
    batch = ascii_letters[: max(ranks) - 2]
    first, second = (batch[len(batch) - (rank - 2) :] for rank in ranks)
    return ((f"{first}MK", f"{second}KN"), f"{batch}MN") if len(batch) < _LEAST else None


_LEAST = 24  # leading axes: lower-case letters stand for them


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
