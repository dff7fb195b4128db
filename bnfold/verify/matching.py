"""Which tensor of one graph stands for which of the other: by value, by name where that fits.

Every exporter numbers its tensors anew, and optimisers keep a convolution's name for what their
fused convolution makes. So a tensor of the original is matched with one of the same shape and
numbers; where there is none, as behind a fault, with what has its own name or, if that is nearer to
what the next nodes make of it, with those. Outputs stand for each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.measure import scale_of, ulp_of

NEAR = 1e-3
"""Prints of one tensor in two models differ by less, as a part of its size; rounding apart."""

_NEAR_ULP = 64.0

_FOLLOWERS = frozenset({"Add", "BatchNormalization", "Clip", "Div", "Mul", "Relu", "Sub"})
_FOLLOWED = 3  # nodes in a row that one fused convolution may stand for
_FREQUENCIES = (0.1234, 1.0, 2.5)


@dataclass(frozen=True)
class Print:
    """A tensor in a few numbers: its shape, its size, and its products with cosines."""

    shape: tuple[int, ...]
    size: float
    products: tuple[float, ...]
    near: float

    def distance(self, other: Print) -> float:
        """How far apart, as a part of the larger one; infinite for another shape."""
        if self.shape != other.shape:
            return float("inf")
        size = max(self.size, other.size)
        apart = np.abs(np.subtract((self.size, *self.products), (other.size, *other.products)))
        return float(apart.max() / size) if size else 0.0


def print_of(array: Array) -> Print | None:
    """The print of a float tensor; None for any other, and where not all of it is finite."""
    if is_exact_dtype(array.dtype) or not array.size:
        return None
    flat = array.astype(np.float64).reshape(-1)
    if not np.isfinite(flat).all():
        return None
    size = scale_of(flat)  # squares of 1e155 are no float64
    part = flat / size / np.sqrt(flat.size)
    products = [size * float(part @ cosines) for cosines in _cosines(flat.size)]
    return Print(array.shape, size, tuple(products), max(NEAR, _NEAR_ULP * ulp_of(array.dtype)))


@lru_cache(maxsize=2)  # neighbours in a network are of one size, or of two in turn
def _cosines(elements: int) -> tuple[Array, ...]:
    places = np.arange(elements, dtype=np.float64)
    return tuple(np.cos(w * places) for w in _FREQUENCIES)


Prints = Mapping[str, Print]


@dataclass(frozen=True)
class Match:
    """A tensor of the original, the one of the other model that stands for it, and how large."""

    ours: str
    theirs: str
    elements: int


def matches(a: ir.Model, b: ir.Model, ours: Prints, theirs: Prints) -> list[Match]:
    """What stands for what, in the order of the original's graph; outputs among them."""
    outputs = {value.name for value in a.graph.outputs}
    named = {value.name or "": value for node in a.graph for value in node.outputs}
    by_value = dict(_by_value(named, ours, theirs))
    taken = set(by_value.values())
    producers = {value.name: node for node in b.graph for value in node.outputs}
    found: list[tuple[str, str]] = []
    for name, value in named.items():
        if name in outputs and name in producers:
            found.append((name, name))
        elif name in by_value:
            found.append((name, by_value[name]))
        elif name in theirs and name not in taken and name in ours:
            nearest = min(_with_followers(value), key=lambda n: _distance(n, name, ours, theirs))
            if nearest == name and ours[name].shape == theirs[name].shape:
                found.append((name, name))
            elif nearest != name and nearest not in by_value and nearest not in outputs:
                found.append((nearest, name))
    order = {name: index for index, name in enumerate(named)}
    return [
        Match(name, other, math.prod(ours[name].shape) if name in ours else 0)
        for name, other in sorted(found, key=lambda pair: order[pair[0]])
    ]


def _by_value(
    named: Mapping[str, ir.Value], ours: Prints, theirs: Prints
) -> Iterator[tuple[str, str]]:
    """Tensors of the same numbers; of several, that of the same name."""
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for name, each in theirs.items():
        by_shape.setdefault(each.shape, []).append(name)
    for name in named:
        if name not in ours:
            continue
        own = ours[name]
        near = [n for n in by_shape.get(own.shape, ()) if own.distance(theirs[n]) < own.near]
        if near:
            yield name, name if name in near else min(near, key=lambda n: own.distance(theirs[n]))


def _distance(ours: str, theirs: str, a: Prints, b: Prints) -> float:
    return a[ours].distance(b[theirs]) if ours in a and theirs in b else float("inf")


def _with_followers(value: ir.Value) -> list[str]:
    """The tensor, and what the nodes make of it that one fused convolution may stand for."""
    found = [value.name or ""]
    for _ in range(_FOLLOWED):
        readers = [node for node, _ in value.uses()]
        if len(readers) != 1 or readers[0].op_type not in _FOLLOWERS:
            break
        value = readers[0].outputs[0]
        found.append(value.name or "")
    return found
