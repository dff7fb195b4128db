"""Rows that meet the leaves of trees, and what lies next to thresholds which only one model has.

A row meets one leaf of each tree, so boxes of many trees are met at once: from one that is left,
those are taken in, one after the other, that have something in common with all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import onnx_ir as ir

from bnfold.runtime.domains import ML_DOMAIN
from bnfold.runtime.signature import Array
from bnfold.verify.sides import numbers_of
from bnfold.verify.trees import Ensemble, ensembles_of

_MOST_BOXES = 8192

_STEP = 2.0**-20
"""Of a threshold, and of what is added to a feature: what is nearer may be a rounding."""

_VISITS = 300_000
"""Of nodes, in all rows: the reference goes from node to node in Python."""

_LEAST_ROWS, _MOST_ROWS = 64, 2048

Boxes = tuple[Array, Array]
"""The least and the most of each feature, [K, F]."""


@dataclass(frozen=True)
class Column:
    """A feature x = a v + b of the input's column v."""

    input: str
    place: int
    is_integer: bool
    a: float = 1.0
    b: float = 0.0


def tree_rows(
    models: Sequence[ir.Model], rng: np.random.Generator
) -> Iterator[tuple[list[Column], Array]]:
    """For each ensemble of two models whose features are columns of inputs: rows [R, F] of these.

    An ensemble that both have is met once.
    """
    done: list[list[tuple[int, int, float]]] = []
    found = [list(ensembles_of(model.graph)) for model in models]
    for place, trees in enumerate(found):
        theirs = [each for _, each in found[1 - place]] if len(found) > 1 else []
        asked = Counter(q for each in theirs if each is not None for q in each.questions())
        for node, ensemble in trees:
            columns = None if node.inputs[0] is None else columns_of(node.inputs[0])
            if (
                ensemble is None
                or not ensemble.is_small
                or columns is None
                or len(columns) <= int(ensemble.feature.max(initial=0))
            ):
                continue
            if ensemble.questions() in done:
                continue
            done.append(ensemble.questions())
            boxes = _boxes(ensemble, asked, columns)
            yield columns, _meeting(boxes, _afforded(ensemble), columns, rng)


def fed_rows(columns: Sequence[Column], rows: Array, base: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of a set, with the columns of these inputs from rows, which may be fewer."""
    fed = dict(base)
    for feature, column in enumerate(columns):
        if feature < rows.shape[1]:
            array = fed[column.input]
            fed[column.input] = array = array.copy() if array is base[column.input] else array
            told = (rows[:, feature] - column.b) / column.a
            array[: len(rows), column.place] = told.astype(array.dtype)
    return fed


def _afforded(ensemble: Ensemble) -> int:
    depth = max(1.0, float(np.log2(max(2, ensemble.leaves / max(1, ensemble.roots.size)))))
    return int(np.clip(_VISITS / (ensemble.roots.size * depth), _LEAST_ROWS, _MOST_ROWS))


def _boxes(
    ensemble: Ensemble, asked: Counter[tuple[int, int, float]], columns: Sequence[Column]
) -> Boxes:
    """Those next to thresholds that the other model has not, first, and those of leaves."""
    steps = partial(_step, columns)
    least, most, at_least, at_most = ensemble.boxes(steps)
    left, lows, highs = Counter(asked), [], []
    for node, question in enumerate(ensemble.questions()):
        if left[question]:
            left[question] -= 1
            continue
        feature, _, threshold = question
        step = steps(feature, threshold)
        for low, high in _sides(threshold, step, is_integer=columns[feature].is_integer):
            lows.append(at_least[node].copy())
            highs.append(at_most[node].copy())
            lows[-1][feature] = max(low, lows[-1][feature])
            highs[-1][feature] = min(high, highs[-1][feature])
    low_ends, high_ends = np.array([*lows, *least]), np.array([*highs, *most])
    is_there = (low_ends <= high_ends).all(axis=1)
    return low_ends[is_there][:_MOST_BOXES], high_ends[is_there][:_MOST_BOXES]


def _step(columns: Sequence[Column], feature: int, threshold: float) -> float:
    """How far from a threshold no rounding of it, or of what makes the feature, goes."""
    shift = columns[feature].b
    return _STEP * max(abs(threshold), abs(shift), abs(threshold - shift), _STEP)


def _sides(
    threshold: float, step: float, *, is_integer: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """What is next to a threshold, below and above; integers are within 1 of it."""
    far = 1.0 if is_integer else step
    return (threshold - far, threshold - step), (threshold + step, threshold + far)


def _meeting(
    boxes: Boxes, most_rows: int, columns: Sequence[Column], rng: np.random.Generator
) -> Array:
    """Rows that meet the boxes, as many of them at once as a row can."""
    lows, highs = boxes
    rows: list[Array] = []
    while len(lows) and len(rows) < most_rows:
        low, high = lows[0], highs[0]
        is_met = np.zeros(len(lows), np.bool_)
        is_met[0] = True
        able = np.arange(1, len(lows))
        while able.size:
            able = able[(np.maximum(lows[able], low) <= np.minimum(highs[able], high)).all(axis=1)]
            if able.size:
                taken, able = able[0], able[1:]
                low, high = np.maximum(low, lows[taken]), np.minimum(high, highs[taken])
                is_met[taken] = True
        rows.append(_point(low, high, columns, rng))
        lows, highs = lows[~is_met], highs[~is_met]
    return np.array(rows).reshape(-1, boxes[0].shape[1])


def _point(low: Array, high: Array, columns: Sequence[Column], rng: np.random.Generator) -> Array:
    """A row within the box; where it has no end, about as far as its thresholds are from 0."""
    reach = 1.0 + np.maximum(*(np.where(np.isfinite(x), np.abs(x), 0.0) for x in (low, high)))
    first = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high - reach, -reach))
    last = np.where(np.isfinite(high), high, first + reach + np.isinf(low) * reach)
    row = rng.uniform(first, np.maximum(first, last))
    is_whole = np.array([c.is_integer for c in columns[: len(row)]])
    return np.asarray(np.where(is_whole, np.clip(np.round(row), np.ceil(low), np.floor(high)), row))


def columns_of(value: ir.Value) -> list[Column] | None:
    """The inputs' columns that a tensor [N, F] is made of, each by itself; None of any other."""
    node = value.producer()
    if node is None:
        return _of_input(value)
    x = node.inputs[0] if node.inputs else None
    if x is None:
        return None
    if node.op_type in ("Cast", "Identity"):
        return columns_of(x)
    if node.op_type == "Concat" and node.attributes.get_int("axis", 0) in (1, -1):
        parts = [None if v is None else columns_of(v) for v in node.inputs]
        known = [part for part in parts if part is not None]
        return [c for part in known for c in part] if len(known) == len(parts) else None
    columns = columns_of(x)
    return None if columns is None else _moved(node, columns)


def _of_input(value: ir.Value) -> list[Column] | None:
    shape, dtype = value.shape, value.dtype
    if not value.is_graph_input() or shape is None or len(shape) != 2 or dtype is None:
        return None
    if not isinstance(shape[1], int) or not (dtype.is_integer() or dtype.is_floating_point()):
        return None
    is_integer = dtype.is_integer()
    return [Column(value.name or "", i, is_integer) for i in range(shape[1])]


def _moved(node: ir.Node, columns: Sequence[Column]) -> list[Column] | None:
    """The columns behind a Scaler, or behind a sum or product with constants."""
    told = _scaled(node) if node.domain == ML_DOMAIN else _computed(node)
    if told is None or any(part.size not in (1, len(columns)) for part in told):
        return None
    factors, shifts = (np.broadcast_to(part.reshape(-1), len(columns)) for part in told)
    if not (np.isfinite(factors) & np.isfinite(shifts)).all() or not factors.all():
        return None
    return [
        replace(c, a=float(factor * c.a), b=float(factor * c.b + shift))
        for c, factor, shift in zip(columns, factors, shifts, strict=True)
    ]


Affine = tuple[Array, Array]
"""Factors and shifts, one each or one of each column."""


def _scaled(node: ir.Node) -> Affine | None:
    if node.op_type != "Scaler" or not {"offset", "scale"} <= node.attributes.keys():
        return None
    offset, scale = (np.array(node.attributes[name].as_floats()) for name in ("offset", "scale"))
    return scale, -offset * scale


def _computed(node: ir.Node) -> Affine | None:
    constant = node.inputs[1] if len(node.inputs) == 2 else None
    given = None if constant is None else numbers_of(constant)
    if given is None or given.dtype.kind not in "fiu" or not given.all():
        return None
    c, one, zero = given.astype(np.float64), np.ones(1), np.zeros(1)
    affines = {"Add": (one, c), "Sub": (one, -c), "Mul": (c, zero), "Div": (1.0 / c, zero)}
    return affines.get(node.op_type)
