"""Linear operators over a large weight, a few rows of it in float64 at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bnfold.float64 import run_op
from bnfold.fold.facts.constants import Constant
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact

_LARGE = 1 << 22  # elements: 32 MiB in float64
_PART = 1 << 20  # of them at a time: each product reads all of the other factor


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
        parts = [
            run_op("Conv", [x, weight.rows(a, b)], attributes, opset=11)[0]
            for a, b in weight.chunks(_PART)
        ]
        y = np.concatenate(parts, axis=1)
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


def _summed(x: Array, weight: Exact) -> Array:
    return np.asarray(sum(x[..., a:b] @ weight.rows(a, b) for a, b in weight.chunks(_PART)))


def _columns(x: Array, weight: Exact) -> Array:
    parts = [weight.rows(a, b) @ x.T for a, b in weight.chunks(_PART)]
    return np.concatenate(parts).T


def _number(attributes: Mapping[str, object], name: str) -> float:
    value = attributes.get(name, 1.0)
    assert isinstance(value, float)
    return value
