"""What verify puts into its copies runs at every opset that onnxruntime knows."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from bnfold.fold.api import fold
from bnfold.verify import verify
from bnfold.verify.jitter import jitter
from tests.verify.graphs import parsed

OPSETS = range(7, 27)


def _session(model: ir.Model) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _product(opset: int, kind: str = "float") -> onnx.ModelProto:
    model = parsed(f"g ({kind}[N,M] x) => ({kind}[N,M] y) {{ a = Abs (x) y = Mul (a, a) }}")
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", opset))
    model.ir_version = 8 if opset < 19 else 13 if opset > 24 else 10
    return model


def _runs(opset: int, kind: str, seed: int, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """How far a jittered y is from y, in roundings of the type."""
    model = ir.from_proto(_product(opset, kind))
    jitter(model, seed, strength=1024)
    session = _session(model)
    dtype = np.float32 if kind == "float" else np.float64
    x = (np.full(shape, 1.5, dtype) for shape in shapes)
    eps = np.finfo(dtype).eps
    return [(session.run(None, {"x": each})[0] / 2.25 - 1) / eps / 1024 for each in x]


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("opset", OPSETS)
def test_a_jittered_graph_draws_for_each_element_at_every_opset(opset: int, kind: str) -> None:
    shapes = [(300, 400), (300, 400), (1, 1), (0, 3), (3, 0)]
    first, second, one, *nothing = _runs(opset, kind, 1, shapes)
    assert [empty.size for empty in nothing] == [0, 0]
    assert 0 < abs(one[0, 0]) <= 2.01
    # the sum of two uniform numbers in (-1, 1)
    assert np.abs(first).max() <= 2.01
    assert abs(first.mean()) < 0.02
    assert abs(first.std() - np.sqrt(2 / 3)) < 0.02
    assert np.mean(first != second) > 0.9  # each run has its own
    again, _, _, *_ = _runs(opset, kind, 1, shapes)
    np.testing.assert_array_equal(again, first)
    other, _, _, *_ = _runs(opset, kind, 3, shapes)
    assert abs(np.corrcoef(other.ravel(), first.ravel())[0, 1]) < 0.02


STEPS = {
    "floor": ("float", "y = Floor (s)"),
    "round": ("int64", "f = Round (s) y = Cast <to = 7> (f)"),
}


def _stepped(opset: int, kind: str, epsilon: float) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    dtype, step = STEPS[kind]
    model = parsed(
        f"g (float[N,3,16,16] x) => ({dtype} y) {{ c = Conv (x, w) "
        f"n = BatchNormalization <epsilon = {epsilon}> (c, g, b, m, v) s = Mul (n, t) {step} }}",
        w=rng.normal(size=(4, 3, 3, 3)),
        g=rng.uniform(0.5, 2, 4),
        b=rng.normal(size=4),
        m=rng.normal(size=4),
        v=rng.uniform(0.5, 2, 4),
        t=20.0,
    )
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", opset))
    model.ir_version = 13 if opset > 24 else 10
    return model


QUICK = ((21, "floor"), (22, "round"))
"""On either side of where the noise is drawn by another operator, each step once."""


@pytest.mark.parametrize(
    ("opset", "kind"),
    [
        pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.slow)
        for pair in itertools.product(range(13, 27), STEPS)
    ],
)
def test_a_fold_before_steps_is_equivalent_and_another_model_is_not(opset: int, kind: str) -> None:
    model = _stepped(opset, kind, 1e-5)
    assert verify(model, fold(model).to_proto()).verdict == "equivalent"
    assert verify(model, _stepped(opset, kind, 1e-2)).verdict == "different"
