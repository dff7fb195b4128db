"""What an Einsum's equation spells: one character for each axis of each operand, and of y."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

import onnx_ir as ir

from bnfold.fold.facts.node import attribute_of


def einsum_terms(node: ir.Node, ranks: Sequence[int]) -> tuple[tuple[str, ...], str] | None:
    """The terms of operands of these ranks, and of y; an ellipsis is spelt as free letters.

    None where the equation does not fit the operands, or has more axes than letters. A term may
    have one letter twice: a diagonal. Source: ONNX operators, Einsum-12.
    """
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
    if "." in "".join((*spelt, whole)) or [*map(len, spelt)] != [*ranks]:
        return None
    return spelt, whole
