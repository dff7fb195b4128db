"""Linear operators over a large weight, a few rows of it in float64 at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bnfold.float64.call import Call
from bnfold.float64.spatial import Window, pad_spatial, read_window, windows
from bnfold.fold.facts.constants import Constant
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact, reduced

_LARGE = 1 << 22  # elements: 32 MiB in float64


def run_in_chunks(
    op_type: str,
    inputs: Sequence[Constant | Exact | None],
    attributes: Mapping[str, object],
) -> Constant | None:
    """The output of a Conv, Gemm or MatMul with a large constant weight; None for anything else.

    Conv, and Gemm with transB: each row of the weight makes one channel of the output. MatMul, and
    Gemm without: the rows' contributions are added up.
    """
    weight = inputs[1] if len(inputs) > 1 else None
    x = inputs[0]
    if not isinstance(weight, Exact) or weight.size <= _LARGE or not isinstance(x, np.ndarray):
        return None
    rest = [x.value() if isinstance(x, Exact) else x for x in inputs[2:]]
    if op_type == "Conv" and attributes.get("group", 1) == 1:
        y = _convolved(x, weight, attributes)
        bias = rest[0] if rest else None
        return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))
    if op_type == "MatMul" and len(weight.shape) == 2:
        return _summed(x, weight)
    if op_type == "Gemm":
        a = x.T if attributes.get("transA", 0) else x
        product = _columns(a, weight) if attributes.get("transB", 0) else _summed(a, weight)
        product = _number(attributes, "alpha") * product
        addend = rest[0] if rest else None
        return product if addend is None else product + _number(attributes, "beta") * addend
    return None


def conv_window(
    attributes: Mapping[str, object], kernel: Sequence[int], sizes: Sequence[int]
) -> Window:
    """The window of a Conv with these attributes, over a value of these extents in space."""
    call = Call(
        op_type="Conv",
        inputs=(),
        attributes=attributes,
        opset=11,
        n_outputs=1,
        round_casts=False,
        output_dtype=None,
    )
    return read_window(call, kernel, sizes)


def _convolved(x: Array, weight: Exact, attributes: Mapping[str, object]) -> Array:
    """The windows are unrolled once: all rows of the weight meet the same ones."""
    window = conv_window(attributes, weight.shape[2:], x.shape[2:])
    sizes, rank = window.output_sizes(x.shape[2:]), x.ndim - 2
    view = windows(pad_spatial(x, window.pads_begin, window.pads_end, 0.0), window, sizes)
    order = (1, *range(2 + rank, 2 + 2 * rank), 0, *range(2, 2 + rank))  # C, kernel, N, places
    columns = view.transpose(order).reshape(-1, x.shape[0] * math.prod(sizes))

    def product(rows: Array, start: int, stop: int) -> Array:
        return np.asarray(rows.reshape(stop - start, -1) @ columns)

    made = reduced(weight, product, concatenate=True)
    return made.reshape(weight.shape[0], x.shape[0], *sizes).swapaxes(0, 1)


def _summed(x: Array, weight: Exact) -> Array:
    def product(rows: Array, start: int, stop: int) -> Array:
        return np.asarray(x[..., start:stop] @ rows)

    return reduced(weight, product, concatenate=False)


def _columns(x: Array, weight: Exact) -> Array:
    def product(rows: Array, _start: int, _stop: int) -> Array:
        return np.asarray(rows @ x.T)

    return reduced(weight, product, concatenate=True).T


def _number(attributes: Mapping[str, object], name: str) -> float:
    value = attributes.get(name, 1.0)
    assert isinstance(value, float)
    return value
