"""Half-precision copies, judged by what rounding the original to half precision costs."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

import bnfold
from benchmarks.factor.networks import NETWORKS
from bnfold.errors import UsageError
from tests.verify.graphs import parsed


def network(tail: str = "y = MatMul (r, u)", *, returned: str = "float", **changed: float):
    """Two products with a Relu between; keywords multiply what they name."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(16, 32)) / 4,
        "b": rng.normal(size=32),
        "u": rng.normal(size=(32, 6)),
    }
    scaled = {name: array * changed.get(name, 1.0) for name, array in weights.items()}
    text = f"""g (float[N,16] x) => ({returned} y) {{
        h = MatMul (x, w)  a = Add (h, b)  r = Relu (a)  {tail}
    }}"""
    model = parsed(text, **scaled)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def halved(model: onnx.ModelProto, *, keep_io_types: bool = False) -> onnx.ModelProto:
    """What onnxruntime's converter makes of it; it appends a Cast that it does not sort."""
    half = convert_float_to_float16(copy.deepcopy(model), keep_io_types=keep_io_types)
    sorted_ = OnnxModel(half)
    sorted_.topological_sort()
    return sorted_.model


@pytest.mark.parametrize("keep_io_types", [False, True])
def test_a_converted_copy_is_equivalent_if_it_is_judged_as_one(keep_io_types):
    model = network()
    half = halved(model, keep_io_types=keep_io_types)
    assert bnfold.verify(model, half).verdict == "different"
    found = bnfold.verify(model, half, as_dtype="float16")
    assert found.is_equivalent, found.reason
    assert "the original's rounding error in float16" in found.reason
    assert found.as_dtype == found.to_dict()["as_dtype"] == "float16"
    assert 0.1 < found.worst_ratio < 2.0


@pytest.mark.parametrize("name", ["plain, 10 layers", "MobileNet", "perceptron"])
def test_a_folded_and_converted_network_is_equivalent(name):
    model = NETWORKS[name](0)
    found = bnfold.verify(model, halved(bnfold.fold(model).to_proto()), as_dtype="float16")
    assert found.is_equivalent, found.reason


FAULTS = {"a weight": {"w": 1.01}, "a bias": {"b": 0.97}, "the last weight": {"u": 1.01}}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_above_the_rounding_of_half_precision_is_different(fault):
    half = halved(network(**FAULTS[fault]))
    found = bnfold.verify(network(), half, as_dtype="float16")
    assert found.verdict == "different"


def test_a_copy_that_overflows_on_another_device_is_not_equivalent():
    """Beyond 65504 float16 has infinity; on a CPU onnxruntime computes it in float32."""
    model = network("d = Mul (r, k)  y = MatMul (d, u)")
    model.graph.initializer.append(numpy_helper.from_array(np.float32(3e4), "k"))
    half = halved(model)
    found = bnfold.verify(model, half, as_dtype="float16")
    assert found.verdict == "inconclusive"
    assert "overflows in half precision" in found.reason
    assert bnfold.verify(model, model, as_dtype="float16").is_equivalent


def in_bfloat16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Each value that a node makes is a bfloat16 for a moment, as are the weights."""
    found = copy.deepcopy(model)
    nodes = list(found.graph.node)
    del found.graph.node[:]
    for node in nodes:
        (name,) = node.output
        exact, narrow = f"{name} exact", f"{name} narrow"
        node.output[0] = exact
        found.graph.node.append(node)
        found.graph.node.append(helper.make_node("Cast", [exact], [narrow], to=16))
        found.graph.node.append(helper.make_node("Cast", [narrow], [name], to=1))
    for stored in found.graph.initializer:
        weight = numpy_helper.to_array(stored)
        rounded = weight.astype(onnx.helper.tensor_dtype_to_np_dtype(16)).astype(np.float32)
        stored.CopyFrom(numpy_helper.from_array(rounded, stored.name))
    return found


def test_a_bfloat16_copy_is_equivalent_as_bfloat16_and_not_as_float16():
    model = network()
    assert bnfold.verify(model, in_bfloat16(model), as_dtype="bfloat16").is_equivalent
    assert bnfold.verify(model, in_bfloat16(model), as_dtype="float16").verdict == "different"
    wrong = in_bfloat16(network(w=1.05))
    assert bnfold.verify(model, wrong, as_dtype="bfloat16").verdict == "different"


def test_decisions_of_a_copy_may_turn_where_half_precision_decides():
    model = network("l = MatMul (r, u)  y = ArgMax <axis = 1> (l)", returned="int64")
    assert bnfold.verify(model, halved(model), as_dtype="float16").is_equivalent
    wrong = halved(
        network("l = MatMul (r, u)  y = ArgMax <axis = 1> (l)", returned="int64", u=1.05)
    )
    assert bnfold.verify(model, wrong, as_dtype="float16").verdict == "different"


def test_scores_behind_a_saturated_softmax_are_compared():
    """Probabilities are 0 and 1 in both; class weights that are off by 10 % hide behind them."""
    tail = "v = Mul (u, k)  l = MatMul (r, v)  y = Softmax (l)"
    right, wrong = network(tail), network(tail, u=1.1)
    for model in (right, wrong):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(60), "k"))
    assert bnfold.verify(right, halved(right), as_dtype="float16").is_equivalent
    found = bnfold.verify(right, halved(wrong), as_dtype="float16")
    assert found.verdict == "different"


def test_a_copy_that_is_no_half_precision_is_equivalent_too():
    assert bnfold.verify(network(), network(), as_dtype="float16").is_equivalent


BEYOND = {
    "a bound": (
        "l = MatMul (r, u)  y = Clip (l, low, high)",
        {"low": -80.0, "high": 80.0},
        {"low": -80.0, "high": 90.0},
    ),
    "a Relu": ("l = MatMul (r, u)  s = Add (l, k)  y = Relu (s)", {"k": 200.0}, {"k": 200.0}),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_sides_that_the_usual_inputs_do_not_meet_are_looked_for_in_half_precision_too(kind):
    tail, *numbers = BEYOND[kind]
    right, wrong = (
        network(tail.replace("y = Relu", word)) for word in ("y = Relu", "y = Identity")
    )
    for model, chosen in zip((right, wrong), numbers, strict=True):
        for name, number in chosen.items():
            model.graph.initializer.append(numpy_helper.from_array(np.float32(number), name))
    found = bnfold.verify(right, halved(right), as_dtype="float16")
    assert found.is_equivalent, found.reason
    assert bnfold.verify(right, halved(wrong), as_dtype="float16").verdict == "different"


def test_what_has_no_rounding_in_half_precision_is_refused():
    torch = pytest.importorskip("torch")
    model = network()
    with pytest.raises(UsageError, match="float16 or bfloat16"):
        bnfold.verify(model, model, as_dtype="float32")
    with pytest.raises(UsageError, match="must be in float32"):
        bnfold.verify(halved(model), halved(model), as_dtype="float16")
    with pytest.raises(UsageError, match="must be ONNX"):
        bnfold.verify(torch.nn.Linear(16, 6), model, as_dtype="float16")
