"""Decisions inside: what a rounding turns in a correct fold, and what it does not turn."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest
from onnx import numpy_helper

import bnfold

DECISIONS = {
    "a mask": ("q = Greater (n, c)  a = Cast <to = 10> (q)", 7),
    "a choice": ("q = Greater (n, c)  a = Where (q, n, z)", 1),
    "signs": ("a = Sign (n)", 11),
    "a jump": ("a = ThresholdedRelu <alpha = 0.5> (n)", 1),
}
"""What is decided behind the batch norm, and a seed with which a correct fold turns some."""


def network(decision, seed, *, off=1.0, shifted=0.0):
    """In float16: a convolution with its batch norm, a decision, another convolution.

    `off` multiplies the weights behind the decision, and `shifted` is added before it.
    """
    rng = np.random.default_rng(seed)
    model = onnx.parser.parse_model(f"""<ir_version: 9, opset_import: ["" : 17]>
        g (float16[N,3,16,16] x) => (float16[N,8,16,16] y) {{
            h = Conv <pads = [1,1,1,1]> (x, w)
            n = BatchNormalization (h, scale, bias, mean, variance)
            {decision}
            k = Conv <pads = [1,1,1,1]> (a, v)
            y = Relu (k)
        }}""")
    w, v = (rng.normal(size=(out, each, 3, 3)) for out, each in ((16, 3), (8, 16)))
    norm = {"scale": rng.uniform(0.5, 1.5, 16), "bias": rng.normal(size=16)}
    norm |= {"mean": rng.normal(size=16), "variance": rng.uniform(0.5, 2.0, 16)}
    norm["bias"] = norm["bias"] + shifted
    stored = {"w": w, "v": v * off, **norm, "c": np.array(0.5), "z": np.array(0.0)}
    for name, array in stored.items():
        model.graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), name))
    return model


def folded(model):
    return bnfold.fold(model, check=False).to_proto()


@pytest.mark.parametrize("kind", DECISIONS)
def test_decisions_that_a_correct_fold_turns_are_no_difference(kind):
    model = network(*DECISIONS[kind])
    found = bnfold.verify(model, folded(model))
    assert found.is_equivalent, found.reason
    assert "decisions inside turn, no more than rounding turns" in found.reason


@pytest.mark.parametrize("kind", DECISIONS)
@pytest.mark.parametrize("fault", [{"off": 1.05}, {"shifted": 0.05}])
def test_a_fault_beside_such_decisions_is_found(kind, fault):
    model = network(*DECISIONS[kind])
    assert bnfold.verify(model, folded(network(*DECISIONS[kind], **fault))).verdict == "different"


def test_what_no_rounding_turns_is_a_difference_however_little_it_takes():
    """Behind a Relu most numbers are 0, and no rounding makes 1e-12 of that."""
    rows = "g (float[N,8] x) => (float[N,5] y)"
    text = f"""<ir_version: 9, opset_import: ["" : 17]> {rows} {{
        h = MatMul (x, w)  r = Relu (h)  s = Add (r, e)  q = Greater (s, z)
        m = Cast <to = 1> (q)  y = MatMul (m, v)
    }}"""
    models = []
    for least in (0.0, 1e-12):
        rng = np.random.default_rng(0)
        stored = {"w": rng.normal(size=(8, 8)), "v": rng.normal(size=(8, 5)), "z": 0.0, "e": least}
        model = onnx.parser.parse_model(text)
        for name, number in stored.items():
            array = np.array(number, np.float32)
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        models.append(model)
    assert bnfold.verify(*models).verdict == "different"
    assert bnfold.verify(models[0], models[0]).is_equivalent
