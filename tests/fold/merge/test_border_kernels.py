"""Which position of x each entry of a Pad or Slice is, in every run, by numpy."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.merge.border_kernel import border_kernel
from bnfold.fold.merge.kernel import Axis, Kernel
from bnfold.fold.numbers.affine import Array

CHANNELS = 2
_ENDS = [2**31 - 1, 2**31 - 2, 2**31, 2**63 - 1]
Inputs = list[Any]


def kernel(
    op: str,
    inputs: Inputs,
    attributes: dict[str, Any],
    dims: tuple[int | None, ...] | None,
    **more: Any,
) -> Kernel | None:
    """The kernel of the node, whose further inputs are constants, left out, or "fed"."""
    x = ir.Value(name="x")
    values = [None if c is None else ir.Value(name=f"c{i}") for i, c in enumerate(inputs)]
    node = ir.node(op, [x, *values], attributes)
    stored = {v: np.asarray(c) for v, c in zip(values, inputs, strict=True) if v and c is not FED}
    facts: Any = SimpleNamespace(
        rank=lambda v: None if dims is None else len(dims),
        dim=lambda v, axis: None if dims is None else dims[axis],
        dtype=lambda v: more.get("dtype", ir.DataType.FLOAT),
        constant=stored.get,
    )
    return border_kernel(node, facts)


FED = "fed"


def applied(axis: Axis, x: Array) -> Array:
    """What a kernel of one tap makes of a row: zeros beside it."""
    places = np.arange(axis.positions(x.size)) * axis.stride - axis.begin
    inside = (places >= 0) & (places < x.size)
    return np.where(inside, x[np.clip(places, 0, x.size - 1)], 0)


def _slice(draw: random.Random, rank: int) -> tuple[Inputs, dict[str, Any], dict[int, slice]]:
    axes = draw.sample(range(2, rank), draw.randrange(1, rank - 1))
    if draw.random() < 0.15:
        axes = list(range(draw.randrange(1, rank + 1)))
    starts = [draw.choice([0, 0, 1, 2, -1, -2, -9, 9]) for _ in axes]
    ends = [draw.choice([*_ENDS, -1, -2, 0, 1, 3, 4, 5, 100, -9]) for _ in axes]
    steps = [draw.choice([1, 1, 2, 3, -1]) for _ in axes]
    if draw.random() < 0.4:
        return (
            [],
            {"starts": starts, "ends": ends, "axes": axes},
            _bounds(axes, starts, ends, [1] * rank),
        )
    written = [a - rank if draw.random() < 0.5 else a for a in axes]
    inputs: Inputs = [starts, ends, written, steps]
    if draw.random() < 0.3:
        inputs = inputs[:3]
        steps = [1] * rank
    if axes == list(range(len(axes))) and draw.random() < 0.5:
        inputs[2] = None
    return inputs, {}, _bounds(axes, starts, ends, steps)


def _bounds(
    axes: list[int], starts: list[int], ends: list[int], steps: list[int]
) -> dict[int, slice]:
    return {a: slice(*bounds) for a, *bounds in zip(axes, starts, ends, steps, strict=False)}


def test_a_slice_is_a_tap_where_numpy_reads() -> None:
    draw, count = random.Random(2), 0
    for _ in range(1500):
        rank = draw.choice([3, 4])
        inputs, attributes, bounds = _slice(draw, rank)
        sizes = (3, CHANNELS, *(draw.choice([3, 4, 5, 6]) for _ in range(rank - 2)))
        dims = tuple(n if draw.random() < 0.6 or i == 1 else None for i, n in enumerate(sizes))
        found = kernel("Slice", inputs, attributes, dims)
        rows = [np.arange(1.0, n + 1)[bounds.get(a, slice(None))] for a, n in enumerate(sizes)]
        if found is None:
            # of a known size, forward and of something, it is one; of an open one the start tells
            is_space = all(rows[a].size == sizes[a] for a in (0, 1)) and not {0, 1} & set(bounds)
            plain = all(
                bounds[a].step > 0 and rows[a].size and bounds[a].start >= -n
                for a, n in enumerate(sizes)
                if a in bounds
            )
            assert not (is_space and plain and None not in (dims[a] for a in bounds))
            continue
        count += 1
        assert rows[1].size == CHANNELS
        # of open sizes some have less to take than it begins at: then nothing runs behind it
        if all(row.size for row in rows):
            for axis, row, n in zip(found.axes, rows[2:], sizes[2:], strict=True):
                np.testing.assert_array_equal(applied(axis, np.arange(1.0, n + 1)), row)
    assert count > 300


@pytest.mark.parametrize(
    ("inputs", "open_size", "axis"),
    [
        ([[1], [2**31 - 1], [2]], True, Axis(begin=-1)),
        ([[1], [2**31 - 2], [2]], True, None),
        ([[1], [-1], [2]], True, Axis(begin=-1, end=-1)),
        ([[1], [0], [2]], True, None),
        ([[-1], [2**31 - 1], [2]], True, None),
        ([[0], [5], [2]], True, None),
        ([[0], [5], [2], [2]], False, Axis(stride=2)),
        ([[5], [5], [2]], False, None),
        ([[4], [5], [2]], False, Axis(begin=-4)),
        ([[-9], [5], [2]], False, None),
        ([[4], [0], [2], [-1]], False, None),
        ([FED, [2], [2]], False, None),
        ([[1], FED, [2]], False, None),
        ([[1], [2], FED], False, None),
        ([[1], [2], [2], FED], False, None),
        ([[0], [1], [1]], False, None),
        ([[0], [2], [1]], False, Axis()),
        ([[1], [2], [0]], False, None),
    ],
)
def test_what_a_slice_leaves(inputs: Inputs, open_size: bool, axis: Axis | None) -> None:
    found = kernel("Slice", inputs, {}, (3, CHANNELS, None if open_size else 5))
    assert (None if found is None else found.axes) == (None if axis is None else (axis,))


@pytest.mark.parametrize(
    ("inputs", "attributes", "axes"),
    [
        ([[0, 0, 1, 0, 0, 2]], {}, (Axis(begin=1, end=2),)),
        ([[0, 0, -1, 0, 0, 2]], {"mode": "constant"}, (Axis(begin=-1, end=2),)),
        ([[0, 0, 1, 0, 0, 2], 0.0], {}, (Axis(begin=1, end=2),)),
        ([[1, 2], None, [2]], {}, (Axis(begin=1, end=2),)),
        ([[1, 2], 0.0, [-1]], {}, (Axis(begin=1, end=2),)),
        ([], {"pads": [0, 0, 1, 0, 0, 2]}, (Axis(begin=1, end=2),)),
        ([], {"pads": [0, 0, 1, 0, 0, 2], "value": 0.0}, (Axis(begin=1, end=2),)),
        ([], {"pads": [0, 0, 1, 0, 0, 2], "value": 1.5}, None),
        ([], {"pads": [0, 0, 1, 0, 0, 2], "mode": "edge"}, None),
        ([[0, 0, 1, 0, 0, 2]], {"mode": "reflect"}, None),
        ([[0, 0, 1, 0, 0, 2], 1.5], {}, None),
        ([[0, 0, 1, 0, 0, 2], FED], {}, None),
        ([FED], {}, None),
        ([[1, 2], None, FED], {}, None),
        ([[0, 1, 1, 0, 0, 2]], {}, None),
        ([[0, 0, 1, 1, 0, 2]], {}, None),
        ([[1, 2], None, [1]], {}, None),
        # what does not fit each other runs nowhere
        ([[0, 0, 1, 0, 0]], {}, None),
        ([[1, 2, 3], None, [2]], {}, None),
    ],
)
def test_zeros_around(
    inputs: Inputs, attributes: dict[str, Any], axes: tuple[Axis, ...] | None
) -> None:
    found = kernel("Pad", inputs, attributes, (None, CHANNELS, None))
    assert (None if found is None else found.axes) == axes


@pytest.mark.parametrize(
    ("dims", "dtype"),
    [
        (None, ir.DataType.FLOAT),
        ((3, CHANNELS), ir.DataType.FLOAT),
        ((3, None, 5), ir.DataType.FLOAT),
        ((3, CHANNELS, 5), None),
        ((3, CHANNELS, 5), ir.DataType.INT64),
    ],
)
def test_of_what_there_is_none(dims: tuple[int | None, ...] | None, dtype: Any) -> None:
    assert kernel("Slice", [[0], [CHANNELS], [1]], {}, dims, dtype=dtype) is None


def test_of_unknown_channels_there_is_none() -> None:
    assert kernel("Pad", [[1, 2], None, [2]], {}, (3, None, 5)) is None
