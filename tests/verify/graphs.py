"""Small models for these tests, in ONNX text."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper


def parsed(text: str, **weights: object) -> onnx.ModelProto:
    """The model of a graph in ONNX text (opset 17), with initializers added by name."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    for name, value in weights.items():
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def two_convs(*, factor: float = 1.0) -> onnx.ModelProto:
    """Conv, batch norm, Relu, Conv, batch norm; `factor` multiplies the last scale."""
    rng = np.random.default_rng(7)
    norms = {
        f"{name}{i}": value
        for i in (1, 2)
        for name, value in (
            ("s", rng.uniform(0.5, 1.5, 4) * (factor if i == 2 else 1.0)),
            ("t", rng.normal(size=4)),
            ("m", rng.normal(size=4)),
            ("v", rng.uniform(0.5, 1.5, 4)),
        )
    }
    model = parsed(
        """g (float[N,3,8,8] x) => (float[N,4,8,8] y) {
            a = Conv <pads = [1,1,1,1]> (x, w1)
            b = BatchNormalization (a, s1, t1, m1, v1)
            c = Relu (b)
            d = Conv <pads = [1,1,1,1]> (c, w2)
            y = BatchNormalization (d, s2, t2, m2, v2)
        }""",
        w1=rng.normal(size=(4, 3, 3, 3)),
        w2=rng.normal(size=(4, 4, 3, 3)),
        **norms,
    )
    for node, name in zip(model.graph.node, ("conv1", "bn1", "relu", "conv2", "bn2"), strict=True):
        node.name = name
    return model


def classifier(*, nudge: float = 0.0) -> onnx.ModelProto:
    """[N,4] to scores of 6 classes; `nudge` moves the score of the first."""
    rng = np.random.default_rng(3)
    bias = rng.normal(size=6)
    bias[0] += nudge
    text = "g (float[N,4] x) => (float[N,6] y) { y = Gemm (x, w, c) }"
    return parsed(text, w=rng.normal(size=(4, 6)), c=bias)
