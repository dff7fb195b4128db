"""Quantised models whose difference is smaller than what a flipped step makes of a rounding."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bnfold
from benchmarks.factor.networks import NETWORKS
from bnfold.model_io import load
from bnfold.verify.seen_operators import stepped_outputs
from bnfold.verify.subject import OnnxSubject
from bnfold.verify.without_steps import without_steps
from tests.verify.graphs import parsed

TWO_STEPS = """g (float[N,6] x) => (float[N,4] y) {
    q = QuantizeLinear (x, s1, z1)  d = DequantizeLinear (q, s1, z1)
    w = DequantizeLinear (w_int, sw)
    h = MatMul (d, w)  r = Relu (h)
    p = QuantizeLinear (r, s2, z2)  e = DequantizeLinear (p, s2, z2)
    y = MatMul (e, v)
}"""


def two_steps(*, swapped: bool = False, change: int = 0, factor: float = 1.0) -> onnx.ModelProto:
    """A perceptron with quantised activations; `change` is of one stored integer of 48."""
    rng = np.random.default_rng(0)
    w = rng.integers(-100, 100, (6, 8)).astype(np.int8)
    v = rng.normal(size=(8, 4))
    v[3] *= factor
    w[2, 3] += np.int8(change)
    scales = (np.float32(0.02), np.float32(0.03))
    one, two = reversed(scales) if swapped else scales
    return parsed(
        TWO_STEPS,
        s1=one, z1=np.uint8(128), s2=two, z2=np.uint8(0),
        w_int=w, sw=np.float32(0.01), v=v,
    )  # fmt: skip


def with_epsilon(epsilon: float, seed: int) -> onnx.ModelProto:
    model = NETWORKS["8 bits"](seed)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "epsilon":
                attribute.f = epsilon
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_lost_epsilon_is_found_behind_flips(seed):
    """The flips of a correct fold move the output by as much."""
    found = bnfold.verify(NETWORKS["8 bits"](seed), with_epsilon(0.0, seed), levels="none")
    assert found.verdict == "different"
    assert found.reason.startswith("without the steps of quantised activations")


@pytest.mark.parametrize("factor", [1.00002, 1.001])
def test_a_weight_behind_steps_that_is_off_is_found(factor):
    assert bnfold.verify(two_steps(), two_steps(factor=factor)).verdict == "different"


def test_a_stored_integer_that_is_off_by_one_is_found():
    assert bnfold.verify(two_steps(), two_steps(change=1)).verdict == "different"


def test_scales_that_changed_places_are_different():
    assert bnfold.verify(two_steps(), two_steps(swapped=True)).verdict == "different"


def test_the_same_network_is_equivalent_with_steps_and_without():
    found = bnfold.verify(two_steps(), two_steps())
    assert found.is_equivalent
    assert {row.level for row in found.outputs} == {"none", "all"}


def test_weights_that_are_stored_the_other_way_round_are_equivalent():
    model = two_steps()
    stored = next(t for t in model.graph.initializer if t.name == "w_int")
    turned = numpy_helper.from_array(numpy_helper.to_array(stored).T.copy(), "w_int")
    stored.CopyFrom(turned)
    node = next(n for n in model.graph.node if n.output[0] == "w")
    node.output[0] = "w_turned"
    index = list(model.graph.node).index(node) + 1
    model.graph.node.insert(index, onnx.helper.make_node("Transpose", ["w_turned"], ["w"]))
    assert bnfold.verify(two_steps(), model).is_equivalent


def test_what_is_clipped_by_a_step_is_clipped_without_it():
    """From -128 to 127 steps of 0.02, with everything between."""
    model = two_steps()
    smooth = without_steps(*(OnnxSubject(load(model), "m") for _ in range(2)))
    assert smooth is not None
    x = np.random.default_rng(1).normal(size=(5, 6))
    (plain,) = OnnxSubject(load(model), "m").reference({"x": x})
    (without,) = smooth[0].reference({"x": x})
    assert not stepped_outputs(smooth[0].model)
    assert 0 < np.abs(plain - without).max() < 0.2 * np.abs(plain).max()
    most = np.float32(0.02) * (255 - 128)
    edge, far = (smooth[0].reference({"x": np.full((1, 6), end)})[0] for end in (most, 1e6))
    assert np.array_equal(edge, far)
