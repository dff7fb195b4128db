"""Graphs that take or give bfloat16, which is no type of NumPy's."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.verify.graphs import parsed

KINDS = {
    "out": ("float[N,8] x", "bfloat16[N,6] y", "z = MatMul (x, w)  y = Cast <to = 16> (z)"),
    "in": ("bfloat16[N,8] x", "float[N,6] y", "z = Cast <to = 1> (x)  y = MatMul (z, w)"),
    "both": (
        "bfloat16[N,8] x",
        "bfloat16[N,6] y, bfloat16[N,8] x",
        "z = Cast <to = 1> (x)  h = MatMul (z, w)  y = Cast <to = 16> (h)",
    ),
}


def model(kind: str, factor: float = 1.0) -> onnx.ModelProto:
    taken, given, body = KINDS[kind]
    weight = np.random.default_rng(0).normal(size=(8, 6))
    weight[:, 2] *= factor
    return parsed(f"g ({taken}) => ({given}) {{ {body} }}", w=weight)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_at_the_ends_is_compared(kind):
    assert bnfold.verify(model(kind), model(kind)).is_equivalent
    assert bnfold.verify(model(kind), model(kind, 1.1)).verdict == "different"
