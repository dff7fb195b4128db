"""What Expand, Tile, DepthToSpace and SpaceToDepth make of a scale, in every run, by numpy."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.moves.carry.depth_to_space import block_after, block_before
from bnfold.fold.moves.carry.repeat import repeat_after, repeat_before
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.plan import Leave, Question, Refusal

Extents = tuple[int | str | None, ...]


def passed(
    node: ir.Node, scale: Array, here: Extents, there: Extents, rule: Question
) -> Array | Refusal:
    """The scale at the node's other end; a shift goes the same way."""
    known = {node.inputs[0]: here, node.outputs[0]: there}

    def dim(value: ir.Value, axis: int) -> int | None:
        extent = known[value][axis]
        return extent if isinstance(extent, int) else None

    facts: Any = SimpleNamespace(dims=known.get, dim=dim)
    one = np.ones((1,) * scale.ndim)
    answers = [rule(node, {0: a}, facts) for a in (Affine(scale, one), Affine(one, scale))]
    if any(isinstance(answer, Refusal) for answer in answers):
        assert answers[0] == answers[1]
        return answers[0]
    ((first,), (second,)) = answers
    assert isinstance(first, Leave)
    np.testing.assert_array_equal(second.passes[0].shift, first.passes[0].scale)
    found: Array = first.passes[0].scale
    return found


def opened(draw: random.Random, shape: tuple[int, ...], kept: tuple[int, ...]) -> Extents:
    """Sizes of the shape are left open, but for those along which the scale varies."""
    odds = draw.choice([0.0, 0.0, 0.4, 1.0])
    lead = len(shape) - len(kept)
    return tuple(
        n
        if (i >= lead and kept[i - lead] > 1) or draw.random() >= odds
        else draw.choice([None, "s"])
        for i, n in enumerate(shape)
    )


def drawn_scale(draw: random.Random, shape: tuple[int, ...]) -> Array:
    extents = tuple(n if draw.random() < 0.6 else 1 for n in shape)
    values = draw.choice([2, 5])
    count = int(np.prod(extents))
    return np.array([draw.randrange(values) for _ in range(count)], float).reshape(extents)


def _repeats(draw: random.Random) -> tuple[ir.Node, tuple[int, ...], tuple[int, ...]]:
    """Tile or Expand, and the shapes of x and y."""
    x = tuple(draw.choice([1, 2, 3, 4]) for _ in range(draw.choice([1, 2, 3])))
    if draw.random() < 0.5:
        y = tuple(n * draw.choice([1, 1, 2, 3]) for n in x)
        return ir.node("Tile", [ir.Value(name="x"), ir.Value(name="r")]), x, y
    lead = tuple(draw.choice([1, 2]) for _ in range(draw.choice([0, 0, 1, 2])))
    y = (*lead, *(draw.choice([1, 2, 4]) if n == 1 else n for n in x))
    return ir.node("Expand", [ir.Value(name="x"), ir.Value(name="r")]), x, y


def repeated(array: Array, x: tuple[int, ...], y: tuple[int, ...]) -> Array:
    """x as y."""
    lead = len(y) - len(x)
    whole = np.broadcast_to(array, x).reshape((1,) * lead + x)
    return np.tile(whole, [n // m for n, m in zip(y, whole.shape, strict=True)])


def test_a_scale_is_repeated_as_the_value_is() -> None:
    draw, count = random.Random(3), 0
    for _ in range(600):
        node, x, y = _repeats(draw)
        scale = drawn_scale(draw, x)
        here, there = opened(draw, x, scale.shape), opened(draw, y, ())
        found = passed(node, scale, here, there, repeat_before)
        lead = len(y) - len(x)
        varies = [lead + i for i, n in enumerate(scale.shape) if n > 1]
        is_told = all(isinstance(there[i], int) for i in varies)
        assert isinstance(found, Refusal) is not is_told
        if not isinstance(found, Refusal):
            count += bool(varies)
            wanted = repeated(scale, x, y)
            np.testing.assert_array_equal(np.broadcast_to(found, y), wanted)
    assert count > 200


def test_a_scale_of_repeats_is_that_of_what_is_repeated() -> None:
    draw, went, stayed = random.Random(4), 0, 0
    for _ in range(600):
        node, x, y = _repeats(draw)
        lead = len(y) - len(x)
        if draw.random() < 0.6:  # one that can be
            first = drawn_scale(draw, x)
            part = repeated(first, x, y)
            scale = part[tuple(slice(None if n > 1 else 1) for n in (*[1] * lead, *first.shape))]
        else:
            scale = drawn_scale(draw, y)
        here, there = opened(draw, x, ()), opened(draw, y, scale.shape)
        found = passed(node, scale, here, there, repeat_after)
        varies = [i for i, n in enumerate(scale.shape) if n > 1]
        if isinstance(found, Refusal):
            is_told = all(i >= lead and isinstance(here[i - lead], int) for i in varies)
            block = scale[tuple(slice(n) for n in (*[1] * lead, *x))]
            is_repeat = is_told and np.array_equal(
                repeated(block.reshape(block.shape[lead:]), x, y), np.broadcast_to(scale, y)
            )
            stayed += is_told
            assert not is_repeat
        else:
            went += bool(varies)
            np.testing.assert_array_equal(repeated(found, x, y), np.broadcast_to(scale, y))
    assert went > 150
    assert stayed > 30


@pytest.mark.parametrize(
    ("rule", "here", "there", "code"),
    [
        (repeat_before, (1, 2), None, "shape-unknown"),
        (repeat_after, (1, 2), None, "shape-unknown"),
        (repeat_after, None, (1, 2), "shape-unknown"),
        # sizes that contradict one another are told of no run
        (repeat_before, (1, 2), (1, 3), "not-per-channel"),
        (repeat_after, (1, 0), (1, 2), "not-per-channel"),
        (repeat_after, (1, 3), (1, 2), "not-per-channel"),
    ],
)
def test_where_no_scale_passes(
    rule: Question, here: Extents | None, there: Extents | None, code: str
) -> None:
    node = ir.node("Tile", [ir.Value(name="x"), ir.Value(name="r")])
    facts: Any = SimpleNamespace(dims={node.inputs[0]: here, node.outputs[0]: there}.get)
    found = rule(node, {0: Affine(np.array([[1.0, 2]]), np.zeros((1, 1)))}, facts)
    assert isinstance(found, Refusal)
    assert found.code == code


def spread(array: Array, block: int, mode: str) -> Array:
    """DepthToSpace as its document writes it."""
    n, c, h, w = array.shape
    if mode == "DCR":
        cut = array.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        cut = array.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return cut.reshape(n, c // block**2, h * block, w * block)


@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth"])
@pytest.mark.parametrize("mode", ["DCR", "CRD", ""])
@pytest.mark.parametrize("backward", [True, False])
def test_a_scale_goes_with_its_channels_into_space_and_back(
    op: str, mode: str, backward: bool
) -> None:
    draw, went, stayed = random.Random(5), 0, 0
    for _ in range(60):
        block, few = draw.choice([1, 2, 3]), draw.choice([1, 2, 3])
        many = few * block**2
        deep, wide = (2, many, 2, 1), (2, few, 2 * block, block)
        attributes: dict[str, Any] = {"blocksize": block, **({"mode": mode} if mode else {})}
        node = ir.node(op, [ir.Value(name="x")], attributes)
        near, far = (deep, wide) if (op == "DepthToSpace") != backward else (wide, deep)
        scale = np.array([draw.randrange(draw.choice([1, 2, 3])) for _ in range(near[1])], float)
        if near is deep and draw.random() < 0.7:  # one that can be
            whole = np.broadcast_to(scale[:few, None, None], (few, block, block))
            scale = (whole if mode == "CRD" else np.moveaxis(whole, 0, -1)).reshape(-1)
        scale = scale.reshape(1, -1, 1, 1)
        shapes = (far, near) if backward else (near, far)
        rule = block_after if backward else block_before
        found = passed(node, scale, *shapes, rule)
        here = np.broadcast_to(scale, near)
        if isinstance(found, Refusal):
            stayed += 1
            assert near is deep
            places = spread(here, block, mode or "DCR")
            assert np.any(places != places[:, :, :1, :1])
            continue
        went += 1
        there = np.broadcast_to(found, far)
        first, second = (here, there) if near is deep else (there, here)
        np.testing.assert_array_equal(spread(first, block, mode or "DCR"), second)
    assert went > 20
    # of a scale in space each channel makes several, of channels that differ none can be one
    assert (stayed > 3) == ((op == "DepthToSpace") != backward)


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth"])
@pytest.mark.parametrize(
    ("extents", "count", "code"),
    [
        ((1, 4, 1, 1), "C", "shape-unknown"),
        ((1, 4, 1, 1), 8, "shape-unknown"),
        ((2, 1, 1, 1), 4, "not-per-channel"),
        ((1, 1, 2, 1), 4, "not-per-channel"),
        ((1, 1, 1, 2), 4, "not-per-channel"),
    ],
)
def test_a_scale_that_stays_where_it_is(
    backward: bool, op: str, extents: tuple[int, ...], count: int | str, code: str
) -> None:
    node = ir.node(op, [ir.Value(name="x")], {"blocksize": 2})
    scale = np.arange(1.0, 1 + np.prod(extents)).reshape(extents)
    known = (2, count, 2, 2)
    rule = block_after if backward else block_before
    found = passed(node, scale, known, known, rule)
    assert isinstance(found, Refusal)
    assert found.code == code


@pytest.mark.parametrize(("backward", "what"), [(True, "positions"), (False, "channels")])
def test_what_differs_within_a_block(backward: bool, what: str) -> None:
    op = "SpaceToDepth" if backward else "DepthToSpace"
    node = ir.node(op, [ir.Value(name="x")], {"blocksize": 2})
    deep, wide = (1, 4, 1, 1), (1, 1, 2, 2)
    shapes = (wide, deep) if backward else (deep, wide)
    scale = np.arange(1.0, 5).reshape(1, 4, 1, 1)
    found = passed(node, scale, *shapes, block_after if backward else block_before)
    assert isinstance(found, Refusal)
    assert found.code == "blocks-differ"
    assert what in found.sentence
