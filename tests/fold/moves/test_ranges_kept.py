"""Of which moves float16 is sure to hold what is computed in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.moves.range import halves_out_of_range, keeps_range, out_of_range
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Leave, Move, NewNode, PassBy, Replace

SMALL = 65504 / 256
HALF: Any = SimpleNamespace(dtype=lambda _: ir.DataType.FLOAT16)
SINGLE: Any = SimpleNamespace(dtype=lambda _: ir.DataType.FLOAT)


def affine(scale: float, shift: float = 0.0) -> Affine:
    return Affine(np.array([[1.0, scale]]), np.array([[0.0, shift]]))


@pytest.mark.parametrize(
    ("scale", "shift", "backward", "forward"),
    [
        (1, 0, True, True),
        (-1, 0, True, True),
        (0.5, 0, True, False),
        (-1.5, 0, False, True),
        (1, SMALL, True, True),
        (1, -1.01 * SMALL, False, False),
        (2, 1.5 * SMALL, False, True),
        (2, 2 * SMALL, False, True),
        (2, 2.01 * SMALL, False, False),
        (0.5, SMALL, True, False),
    ],
)
def test_no_number_becomes_larger(
    scale: float, shift: float, backward: bool, forward: bool
) -> None:
    assert keeps_range(affine(scale, shift), True) == backward
    assert keeps_range(affine(scale, shift), False) == forward


def node(op: str, **attributes: Any) -> ir.Node:
    return ir.node(op, [ir.Value(name="x")], attributes)


@pytest.mark.parametrize(
    ("made", "shrinks"),
    [
        (node("Resize"), True),
        (node("Resize", mode="linear"), True),
        (node("Resize", mode="cubic"), False),
        (node("Upsample", mode="nearest"), True),
        (node("LeakyRelu"), True),
        (node("LeakyRelu", alpha=-1.0), True),
        (node("LeakyRelu", alpha=1.5), False),
        (node("AveragePool", kernel_shape=[2]), True),
        (node("ReduceMean"), True),
        (node("ReduceSum"), False),
        (node("Conv"), False),
    ],
)
@pytest.mark.parametrize("replaced", [True, False])
def test_an_operator_between(made: ir.Node, shrinks: bool, replaced: bool) -> None:
    """Forward nothing is larger where it makes nothing larger; backward it is given larger ones."""

    def move(scale: float) -> Move:
        passes = {0: affine(scale)}
        return Replace((NewNode("Neg", ("x",)),), passes) if replaced else Leave(passes)

    for scale, backward, fits in [
        (0.5, True, True),
        (2, True, False),
        (0.5, False, shrinks),
        (2, False, True),
    ]:
        assert (out_of_range(made, move(scale), HALF, backward=backward) is None) == fits
        assert out_of_range(made, move(scale), SINGLE, backward=backward) is None


@pytest.mark.parametrize("backward", [True, False])
def test_what_moves_numbers_about_computes_none(backward: bool) -> None:
    for scale in (0.5, 2):
        moved = Leave({0: affine(scale, 1000)})
        assert out_of_range(node("Transpose"), moved, HALF, backward=backward) is None
        gone = PassBy(0, {0: affine(scale, 1000)})
        assert out_of_range(node("Mul"), gone, HALF, backward=backward) is None


def test_what_nobody_reads_is_as_the_rest() -> None:
    unread = Affine(np.array([[1.0, np.nan]]), np.array([[0.0, np.nan]]))
    for backward in (True, False):
        assert out_of_range(node("Conv"), Leave({0: unread}), HALF, backward=backward) is None


@pytest.mark.parametrize(
    ("first", "then", "fits"),
    [(0.5, 0.5, True), (2, 2, True), (0.5, 2, True), (2, 0.5, False)],
)
def test_between_the_halves_of_an_affine(first: float, then: float, fits: bool) -> None:
    value = ir.Value(name="v")
    assert halves_out_of_range(value, affine(first), affine(then), HALF) != fits
    assert not halves_out_of_range(value, affine(first), affine(then), SINGLE)
