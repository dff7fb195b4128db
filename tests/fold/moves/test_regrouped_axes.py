"""What a Reshape makes of a scale along some axes, whatever its open sizes turn out to be."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.moves.carry.layout import (
    reshape_after,
    reshape_before,
    transpose_after,
    transpose_before,
)
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.plan import Leave

Extents = tuple[int | str | None, ...]


def passed(scale: Array, here: Extents, there: Extents, *, backward: bool) -> Array | None:
    """The scale at the other end of a Reshape from `here` to `there`; None where it stays."""
    node = ir.node("Reshape", [ir.Value(name="x"), ir.Value(name="shape")])
    near, far = (node.outputs[0], node.inputs[0])[:: 1 if backward else -1]
    facts: Any = SimpleNamespace(dims={near: here, far: there}.get)
    rule = reshape_after if backward else reshape_before
    one = np.ones((1,) * scale.ndim)
    found = rule(node, {0: Affine(scale, one)}, facts)
    by_shift = rule(node, {0: Affine(one, scale)}, facts)
    assert isinstance(found, list) is isinstance(by_shift, list)
    if not isinstance(found, list):
        return None
    assert isinstance(by_shift, list)
    (move,), (other,) = found, by_shift
    assert isinstance(move, Leave)
    assert isinstance(other, Leave)
    assert isinstance(move.passes[0].scale, np.ndarray)
    np.testing.assert_array_equal(other.passes[0].shift, move.passes[0].scale)
    return move.passes[0].scale


def runs(here: Extents, there: Extents) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All sizes below 6 for what is open, of which both sides hold as many numbers."""
    keys = [
        [extent if extent is not None else (side, i) for i, extent in enumerate(extents)]
        for side, extents in enumerate((here, there))
    ]
    names = sorted({k for side in keys for k in side if not isinstance(k, int)}, key=str)
    for sizes in itertools.product(range(1, 6), repeat=len(names)):
        told = dict(zip(names, sizes, strict=True))
        mine, theirs = (tuple(k if isinstance(k, int) else told[k] for k in s) for s in keys)
        if math.prod(mine) == math.prod(theirs):
            yield mine, theirs


def _factors(total: int, draw: random.Random) -> list[int]:
    found = []
    while total > 1 and len(found) < 3:
        factor = draw.choice([d for d in range(1, total + 1) if total % d == 0])
        found.append(factor)
        total //= factor
    return [*found, total] if total > 1 or not found else found


def _case(draw: random.Random) -> tuple[Array, Extents, Extents]:
    total = draw.choice([4, 6, 8, 12, 24])
    mine, theirs = _factors(total, draw), _factors(total, draw)
    first, last = draw.choice([[], [2], [3]]), draw.choice([[], [], [2], [3]])
    mine, theirs = ([*first, *side, *last] for side in (mine, theirs))
    opened = draw.choice([0.1, 0.3, 0.5])
    here, there = (
        tuple(draw.choice([None, f"s{n}", f"t{n}"]) if draw.random() < opened else n for n in side)
        for side in (mine, theirs)
    )
    shape = [
        n if isinstance(e, int) and draw.random() < 0.6 else 1
        for n, e in zip(mine, here, strict=True)
    ]
    scale = np.array([draw.randrange(4) for _ in range(math.prod(shape))], float)
    return scale.reshape(shape), here, there


@pytest.mark.parametrize("backward", [True, False])
def test_every_number_keeps_its_scale_in_every_run(backward: bool) -> None:
    draw, count = random.Random(5), 0
    for _ in range(1200):
        scale, here, there = _case(draw)
        found = passed(scale, here, there, backward=backward)
        if found is None or scale.size == 1:
            continue
        count += 1
        for mine, theirs in itertools.islice(runs(here, there), 200):
            wanted = np.broadcast_to(scale, mine).reshape(theirs)
            np.testing.assert_array_equal(np.broadcast_to(found, theirs), wanted)
    assert count > 300


@pytest.mark.parametrize(
    ("shape", "here", "there", "wanted"),
    [
        # a layer of 36 rows tells that 9 numbers lie behind each of 4 channels
        ((1, 4, 1, 1), ("N", 4, "H", "W"), ("N", 36), (1, 36)),
        # what repeats itself every 3 numbers does so every 6
        ((1, 3), ("N", 3), ("M", 6), (1, 6)),
        ((1, 4), ("N", 4), ("N", 2, 2), (1, 2, 2)),
        ((2, 3), (2, 3), (3, 2), (3, 2)),
        ((1, 4, 1), (None, 4, None), (None, 4, None), None),
        ((1, 4, 1), ("N", 4, "H"), ("H", 4, "N"), None),
        ((1, 3), ("N", 3), ("M", 2), None),
        ((1, 3), ("N", 3), ("M", "L"), None),
        ((1, 4, 1), (2, 4, "H"), (2, "K"), None),
        # sizes that contradict one another are told of no run
        ((1, 4, 1), ("N", 4, "H"), ("N", 6), None),
        ((4,), (4,), (5,), None),
        ((1, 4, 1), (0, 4, "H"), (3, 1, 1), None),
    ],
)
def test_where_a_scale_comes_out(
    shape: tuple[int, ...], here: Extents, there: Extents, wanted: tuple[int, ...] | None
) -> None:
    scale = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    found = passed(scale, here, there, backward=False)
    assert (None if found is None else found.shape) == wanted


@pytest.mark.parametrize("unknown", ["here", "there"])
def test_of_an_unknown_shape_nothing_passes(unknown: str) -> None:
    dims: dict[str, Any] = {"here": (2, 3), "there": (3, 2), unknown: None}
    assert passed(np.ones((1, 3)), dims["here"], dims["there"], backward=True) is None


@pytest.mark.parametrize("perm", [None, [0, 2, 1], [2, 0, 1], [1, 2, 0]])
def test_a_scale_is_transposed_as_the_value_is(perm: list[int] | None) -> None:
    node = ir.node("Transpose", [ir.Value(name="x")], {} if perm is None else {"perm": perm})
    facts: Any = None
    x, scale = np.arange(24.0).reshape(2, 3, 4), np.arange(1.0, 25).reshape(2, 3, 4)
    ahead = transpose_before(node, {0: Affine(scale, -scale)}, facts)
    assert isinstance(ahead, list)
    (move,) = ahead
    assert isinstance(move, Leave)
    made = x.transpose(perm) * move.passes[0].scale + move.passes[0].shift
    np.testing.assert_array_equal(made, (x * scale - scale).transpose(perm))
    back = transpose_after(node, {0: move.passes[0]}, facts)
    assert isinstance(back, list)
    (move,) = back
    assert isinstance(move, Leave)
    np.testing.assert_array_equal(move.passes[0].scale, scale)
    np.testing.assert_array_equal(move.passes[0].shift, -scale)
