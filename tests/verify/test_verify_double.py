"""Float64 models: the reference rounds as much as they do, and that is no difference."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

import bnfold


def product(seed: int, order: str, factor: float = 1.0) -> onnx.ModelProto:
    """A MatMul with 256 terms, in halves or from the last to the first."""
    weight = np.random.default_rng(seed).normal(size=(256, 64))
    weight[:, 5] *= factor
    halves = "a, b = Split <axis = 1> (x)  c = MatMul (a, u)  d = MatMul (b, v)  y = Add (c, d)"
    back = "p = Gather <axis = 1> (x, i)  y = MatMul (p, w)"
    body, stored = {
        "halves": (halves, {"u": weight[:128], "v": weight[128:]}),
        "backward": (back, {"i": np.arange(255, -1, -1), "w": weight[::-1]}),
    }[order]
    text = '<ir_version: 8, opset_import: ["" : 17]> g (double[N,256] x) => (double[N,64] y)'
    model = onnx.parser.parse_model(f"{text} {{ {body} }}")
    for name, array in stored.items():
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return model


@pytest.mark.parametrize("seed", range(2))
def test_a_sum_in_another_order_is_rounding(seed):
    """Each of these was different: the reference adds in the order of the original."""
    a, b = product(seed, "halves"), product(seed, "backward")
    found = bnfold.verify(a, b, seed=seed)
    assert found.is_equivalent, found.reason
    assert bnfold.verify(a, product(seed, "backward", 1 + 1e-12)).verdict == "different"
