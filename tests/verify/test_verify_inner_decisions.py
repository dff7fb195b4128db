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


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *((kind, {"off": 1.05}) for kind in DECISIONS),
        # the same sums for all kinds: where what is added is off, one of them tells
        ("a mask", {"shifted": 0.05}),
        *(
            pytest.param(kind, {"shifted": 0.05}, marks=pytest.mark.slow)
            for kind in DECISIONS
            if kind != "a mask"
        ),
    ],
)
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


def detector(*, overlap=0.5, off=1.0):
    """Of boxes the 60 with the best scores, almost all of which are 1, and of these some."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model("""<ir_version: 9, opset_import: ["" : 17]>
        g (float[N,3,12,12] x) => (float[K,4] y) {
            h = Conv <pads = [1,1,1,1]> (x, w)
            n = BatchNormalization (h, scale, bias, mean, variance)
            r = Relu (n)
            b = Conv (r, u)  c = Reshape (b, four)  boxes = Transpose <perm = [0,2,1]> (c)
            s = Conv (r, v)  t = Reshape (s, flat)  p = Sigmoid (t)
            best, places = TopK (p, k)
            i = Unsqueeze (places, last)  chosen = GatherND <batch_dims = 1> (boxes, i)
            scores = Unsqueeze (best, one)
            kept = NonMaxSuppression (chosen, scores, most, overlap, least)
            j = Gather <axis = 1> (kept, columns)
            y = GatherND (chosen, j)
        }""")
    norm = {"scale": rng.uniform(0.5, 1.5, 16), "bias": rng.normal(size=16)}
    norm |= {"mean": rng.normal(size=16), "variance": rng.uniform(0.5, 2.0, 16)}
    stored = {
        "w": rng.normal(size=(16, 3, 3, 3)),
        "u": off * rng.normal(size=(4, 16, 1, 1)),
        **norm,
    }
    stored |= {"v": 2 * np.abs(rng.normal(size=(1, 16, 1, 1)))}
    stored |= {"overlap": np.array([overlap]), "least": np.array([0.1])}
    numbers = {"four": [0, 4, -1], "flat": [0, -1], "k": [60], "last": [-1], "one": [1]}
    numbers |= {"most": [20], "columns": [0, 2]}
    for name, array in stored.items():
        model.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
    for name, each in numbers.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(each), name))
    return model


@pytest.mark.parametrize("fault", [{"overlap": 0.6}, {"off": 1.02}])
def test_what_turned_decisions_make_of_a_rounding_hides_no_fault(fault):
    """Copies of the original choose other boxes among equal scores, which is an error of 1."""
    assert bnfold.verify(detector(), folded(detector(**fault))).verdict == "different"
    assert bnfold.verify(detector(), folded(detector())).is_equivalent
