"""How many random vectors have gone through a weight, and how many it takes to see a fault.

A linear operator is tried as Freivalds tries a product: by random vectors through the whole weight.
Letters: D, the difference of one row of two weights (what makes one output); x, a vector of
independent normal numbers, so that D x is normal with the standard deviation |D|; r, |D| over the
largest value of the output. One vector leaves D x below 1e-10 of that value with a probability
below 0.8e-10 / r, and k vectors that share no number with the k-th power of it:

    k = 4     below 1e-9 for each r above 1.5e-8
    k = 2     below 1e-9 for each r above 2.6e-6
    k = 32    where a rectifier lets half of the numbers through, all of them are 0 with 2^-32

Rows of a batch share no number, and one tap of a kernel meets another number at each place. So a
fault in one tap is seen by as many vectors as there are places where the tap lies within the value,
and a fault in several taps by one for each entry of the batch: two or more.

Source: R. Freivalds, Probabilistic machines can use less running time, IFIP 1977.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.node import is_op
from bnfold.fold.proof.chunked import conv_window

FEW = 2
"""Entries of a batch at least: a fault in several taps shows once in each."""

_ENOUGH = 4
_BEHIND_ZEROS = 32
_CORNERS = 4
_CUTS = ("Relu", "Clip", "Max", "Min", "Where", "ThresholdedRelu")


@dataclass(frozen=True)
class Readings:
    """How often a weight was read.

    Attributes:
        vectors: that share no number, through each tap.
        parts: of them, in which each tap takes part.
    """

    vectors: int
    parts: int

    def and_of(self, other: Readings) -> Readings:
        """Of two weights, the fewer."""
        return Readings(min(self.vectors, other.vectors), min(self.parts, other.parts))

    def __add__(self, more: Readings) -> Readings:
        return Readings(self.vectors + more.vectors, self.parts + more.parts)

    def suffice(self, enough: int) -> bool:
        """Whether a fault would have been seen."""
        return self.vectors >= enough and self.parts >= FEW


NONE = Readings(0, 0)
UNLIMITED = Readings(1 << 30, 1 << 30)
"""Of a region without a weight."""


def enough(nodes: Iterable[ir.Node]) -> int:
    """How many vectors have to go through each weight of a region of these nodes."""
    return _BEHIND_ZEROS if any(is_op(node, *_CUTS) for node in nodes) else _ENOUGH


def batch_of(nodes: Collection[ir.Node], *, is_lean: bool) -> int:
    """How large a batch makes it so many vectors in one run, for the most part.

    The corner of a kernel has two places along each axis at the least where values are lean.
    """
    if any(is_op(node, "Gemm", "MatMul") for node in nodes):
        return enough(nodes)
    return max(FEW, enough(nodes) // _CORNERS) if is_lean else FEW


Shape = Sequence[int]


def readings_of(
    op_type: str, x: Shape, weight: Shape, attributes: Mapping[str, object], *, is_first: bool
) -> Readings:
    """How often one run of the operator reads its weight.

    Args:
        op_type: Conv, ConvTranspose, Gemm or MatMul; any other reads no weight.
        x: the shape of what is multiplied by the weight.
        weight: its shape.
        attributes: of the node.
        is_first: whether the weight is the first factor of a Gemm or MatMul.
    """
    count = _COUNTS.get(op_type)
    return UNLIMITED if count is None else count(x, weight, attributes, is_first)


def _conv(x: Shape, weight: Shape, attributes: Mapping[str, object], _is_first: bool) -> Readings:
    window = conv_window(attributes, weight[2:], x[2:])
    places = 1
    for axis, out in enumerate(window.output_sizes(x[2:])):
        begin, step = window.pads_begin[axis], window.strides[axis]
        within = [
            _places_within(x[2 + axis], out, step, offset)
            for offset in range(-begin, window.extents()[axis] - begin, window.dilations[axis])
        ]
        # a tap that lies in the padding at every place multiplies nothing
        places *= min((count for count in within if count), default=1)
    return Readings(x[0] * places, x[0])


def _places_within(size: int, out: int, step: int, offset: int) -> int:
    """Of `place * step + offset` for `out` places, how many lie in `[0, size)`."""
    first, last = max(0, -(offset // step)), min(out - 1, (size - 1 - offset) // step)
    return max(0, last - first + 1)


def _conv_transpose(
    x: Shape, _weight: Shape, _attributes: Mapping[str, object], _is_first: bool
) -> Readings:
    return Readings(x[0], x[0])


def _gemm(x: Shape, _weight: Shape, attributes: Mapping[str, object], is_first: bool) -> Readings:
    is_transposed = bool(attributes.get("transB" if is_first else "transA", 0))
    rows = x[1 if is_first != is_transposed else 0]
    return Readings(rows, rows)


def _matmul(x: Shape, weight: Shape, _attributes: Mapping[str, object], is_first: bool) -> Readings:
    if len(x) < 2:
        return Readings(1, 1)
    rows = x[-1] if is_first else x[-2]
    shared = math.prod(x[:-2]) if len(weight) <= 2 else 1
    return Readings(rows * shared, rows * shared)


_COUNTS: Mapping[str, Callable[[Shape, Shape, Mapping[str, object], bool], Readings]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
