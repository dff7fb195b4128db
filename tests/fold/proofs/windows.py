"""Convolutions and pools, position by position and tap by tap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy

from tests.fold.proofs.places import Attributes, Inputs
from tests.fold.proofs.symbols import Symbols, constant, symbols


def _ints(attributes: Attributes, name: str, default: Sequence[int]) -> list[int]:
    found = attributes.get(name)
    return list(default if found is None else found)  # type: ignore[call-overload]


def _windows(
    size: Sequence[int], kernel: Sequence[int], attributes: Attributes
) -> Iterator[tuple[tuple[int, ...], list[tuple[tuple[int, ...], tuple[int, ...]]]]]:
    """Each output position with the (tap, place) pairs that lie inside."""
    rank = len(kernel)
    strides, dilations = (_ints(attributes, n, [1] * rank) for n in ("strides", "dilations"))
    pads = _ints(attributes, "pads", [0] * 2 * rank)
    counts = [
        (n + pads[i] + pads[i + rank] - (k - 1) * d - 1) // s + 1
        for i, (n, k, s, d) in enumerate(zip(size, kernel, strides, dilations, strict=True))
    ]
    for position in itertools.product(*map(range, counts)):
        taps = []
        for tap in itertools.product(*map(range, kernel)):
            place = tuple(
                p * s + k * d - b
                for p, s, k, d, b in zip(position, strides, tap, dilations, pads, strict=False)
            )
            if all(0 <= q < n for q, n in zip(place, size, strict=True)):
                taps.append((tap, place))
        yield position, taps


def conv(inputs: Inputs, attributes: Attributes) -> Symbols:
    x, w = inputs[0], inputs[1]
    assert x is not None and w is not None
    b = inputs[2] if len(inputs) > 2 else None
    group = int(attributes.get("group", 1))  # type: ignore[call-overload]
    out, width = w.shape[:2]
    found = list(_windows(x.shape[2:], w.shape[2:], attributes))
    space = tuple(max(p[i] for p, _ in found) + 1 for i in range(w.ndim - 2))
    y = constant(0, (x.shape[0], out, *space))
    for n, o in itertools.product(range(x.shape[0]), range(out)):
        first = o // (out // group) * width
        for position, taps in found:
            total = 0 if b is None else b[o]
            for tap, place in taps:
                for i in range(width):
                    total = total + w[(o, i, *tap)] * x[(n, first + i, *place)]
            y[(n, o, *position)] = total
    return y


def deformed(inputs: Inputs, attributes: Attributes) -> Symbols:
    """A Conv of one tap over samples of x: any sums of its entries, as nothing is known of them."""
    x = inputs[0]
    assert x is not None
    places = math.prod(x.shape[2:])
    sampled = symbols("sample", (places, places))
    moved = np.einsum("ncq,pq->ncp", x.reshape(*x.shape[:2], places), sampled)
    return conv([moved.reshape(x.shape), inputs[1], *inputs[3:4]], attributes)


def conv_transpose(inputs: Inputs, attributes: Attributes) -> Symbols:
    x, w = inputs[0], inputs[1]
    assert x is not None and w is not None
    b = inputs[2] if len(inputs) > 2 else None
    group = int(attributes.get("group", 1))  # type: ignore[call-overload]
    rank, width = w.ndim - 2, w.shape[1]
    strides, dilations = (_ints(attributes, n, [1] * rank) for n in ("strides", "dilations"))
    pads = _ints(attributes, "pads", [0] * 2 * rank)
    more = _ints(attributes, "output_padding", [0] * rank)
    size = [
        (n - 1) * strides[i] + (k - 1) * dilations[i] + 1 - pads[i] - pads[i + rank] + more[i]
        for i, (n, k) in enumerate(zip(x.shape[2:], w.shape[2:], strict=True))
    ]
    y = constant(0, (x.shape[0], width * group, *size))
    if b is not None:
        y = y + b.reshape(1, -1, *[1] * rank)
    per = x.shape[1] // group
    places = itertools.product(*map(range, x.shape[2:]))
    for place, tap in itertools.product(list(places), list(np.ndindex(*w.shape[2:]))):
        at = tuple(
            p * s + k * d - b
            for p, s, k, d, b in zip(place, strides, tap, dilations, pads, strict=False)
        )
        if not all(0 <= q < n for q, n in zip(at, size, strict=True)):
            continue
        for n, i, j in itertools.product(range(x.shape[0]), range(x.shape[1]), range(width)):
            y[(n, i // per * width + j, *at)] += w[(i, j, *tap)] * x[(n, i, *place)]
    return y


def pool(largest: bool, power: int = 0) -> Callable[[Inputs, Attributes], Symbols]:
    def run(inputs: Inputs, attributes: Attributes) -> Symbols:
        x = inputs[0]
        assert x is not None
        kernel = _ints(attributes, "kernel_shape", x.shape[2:])
        found = list(_windows(x.shape[2:], kernel, attributes))
        space = tuple(max(p[i] for p, _ in found) + 1 for i in range(len(kernel)))
        y = constant(0, (*x.shape[:2], *space))
        whole = math.prod(kernel) if attributes.get("count_include_pad", 0) else None
        for n, c in itertools.product(*map(range, x.shape[:2])):
            for position, taps in found:
                part = [x[(n, c, *place)] for _, place in taps]
                if power:
                    y[(n, c, *position)] = sum(sympy.Abs(v) ** power for v in part)
                elif largest:
                    y[(n, c, *position)] = sympy.Max(*part)
                else:
                    y[(n, c, *position)] = sum(part) / sympy.Integer(whole or len(part))
        return y

    return run


def unpooled(inputs: Inputs, attributes: Attributes) -> Symbols:
    """Each entry to its place among all of the output's."""
    x, places = (np.asarray(value) for value in inputs[:2])
    kernel = _ints(attributes, "kernel_shape", [])
    strides = _ints(attributes, "strides", [1] * len(kernel))
    sizes = zip(x.shape[2:], strides, kernel, strict=True)
    y = constant(0, (*x.shape[:2], *((n - 1) * s + k for n, s, k in sizes)))
    y.reshape(-1)[places.reshape(-1)] = x.reshape(-1)
    return y
