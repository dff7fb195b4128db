"""Whole models: scopes, control flow, functions, and which values stay."""

import gc
import weakref

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from bnfold.errors import DataError
from bnfold.float64 import EvaluationError, UnsupportedOperatorError, run_graph
from tests.runtime_oracle import in_onnxruntime

CHAIN = """
<ir_version: 8, opset_import: ["": 17]>
g (float[N] x) => (float[N] y)
<float[1] two = {2.0}>
{
  a = Mul(x, two)
  b = Add(a, two)
  c = Relu(b)
  y = Sub(c, a)
}
"""
X = np.array([-3.0, 1.0, 0.1], np.float32)


def model(text):
    return ir.from_proto(onnx.parser.parse_model(text))


def agrees_with_runtime(text, feeds):
    """The outputs, after comparing them with those of onnxruntime."""
    proto = onnx.parser.parse_model(text)
    ours = run_graph(ir.from_proto(proto), feeds)
    for output, theirs in zip(proto.graph.output, in_onnxruntime(proto, feeds), strict=True):
        np.testing.assert_allclose(ours[output.name], theirs, rtol=1e-6, atol=1e-6)
    return ours


def test_outputs_come_by_name_and_in_float64():
    result = agrees_with_runtime(CHAIN, {"x": X})
    assert list(result) == ["y"]
    assert result["y"].dtype == np.float64


def test_kept_tensors_come_too():
    result = run_graph(model(CHAIN), {"x": X}, keep=["a", "two"])
    assert sorted(result) == ["a", "two", "y"]
    np.testing.assert_array_equal(result["a"], X.astype(np.float64) * 2)


def test_only_some_tensors_need_only_some_nodes():
    seen = []
    result = run_graph(
        model(CHAIN), {"x": X}, only=["b"], observe=lambda name, _: seen.append(name)
    )
    assert list(result) == ["b"]
    assert seen == ["a", "b"]


def test_every_computed_tensor_can_be_observed_in_order():
    seen = {}
    run_graph(model(CHAIN), {"x": X}, observe=seen.__setitem__)
    assert list(seen) == ["a", "b", "c", "y"]
    np.testing.assert_array_equal(seen["b"], X.astype(np.float64) * 2 + 2)


def test_a_value_dies_with_its_last_reader():
    """Memory follows the widest cut through the graph."""
    alive = {}

    def watch(name, array):
        alive[name] = weakref.ref(array)
        gc.collect()
        counts[name] = sum(ref() is not None for ref in alive.values())

    counts = {}
    text = ['<ir_version: 8, opset_import: ["": 17]> g (float[N] x) => (float[N] v9) {']
    text += [f"v{i} = Exp({'x' if i == 0 else f'v{i - 1}'})" for i in range(10)]
    run_graph(model("\n".join([*text, "}"])), {"x": X - 9}, observe=watch)
    assert max(counts.values()) <= 2


@pytest.mark.parametrize("x", [X, -X])
def test_if_takes_one_branch_and_reads_outer_values(x):
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[3] x) => (float[3] y)
    <float zero = {0.0}>
    {
      doubled = Add(x, x)
      total = ReduceSum<keepdims = 0>(x)
      positive = Greater(total, zero)
      y = If(positive) <
        then_branch = a () => (float[3] p) { p = Exp(doubled) },
        else_branch = b () => (float[3] n) { q = Neg(doubled) n = Mul(q, x) }
      >
    }
    """
    agrees_with_runtime(text, {"x": x})


def test_loop_carries_and_stacks():
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[3] x) => (float[3] last, float[N, 3] rows)
    <int64 limit = {5}, bool go = {1}, float two = {2.0}>
    {
      scaled = Mul(x, two)
      last, rows = Loop(limit, go, x) <body = b (int64 i, bool c, float[3] v)
        => (bool next, float[3] out, float[3] row)
        <int64 three = {3}>
        { out = Add(v, scaled) row = Neg(v) next = Less(i, three) }>
    }
    """
    result = agrees_with_runtime(text, {"x": X})
    assert result["rows"].shape == (4, 3)


def test_scan_carries_and_stacks_in_both_directions():
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[3] s, float[4, 3] xs) => (float[3] last, float[3, 4] rows)
    {
      last, rows = Scan<num_scan_inputs = 1, scan_input_directions = [1], scan_output_axes = [1],
        scan_output_directions = [1], body = b (float[3] state, float[3] x)
        => (float[3] out, float[3] row) { out = Add(state, x) row = Mul(out, x) }>(s, xs)
    }
    """
    xs = np.arange(12, dtype=np.float32).reshape(4, 3)
    agrees_with_runtime(text, {"s": X, "xs": xs})


def test_functions_get_their_attributes_and_may_call_each_other():
    text = """
    <ir_version: 9, opset_import: ["": 17, "own": 1]>
    g (float[3] x) => (float[3] y, float[3] z)
    {
      y = own.leak<slope = 0.25>(x)
      t = own.twice(x)
      z = own.twice(t)
    }
    <opset_import: ["": 17], domain: "own">
    leak <slope>(x) => (y) { y = LeakyRelu<alpha: float = @slope>(x) }
    <opset_import: ["": 17, "own": 1], domain: "own">
    twice (x) => (y) { t = own.leak<slope = 0.5>(x) y = Add(t, x) }
    """
    agrees_with_runtime(text, {"x": X})


def test_a_function_may_be_called_without_its_last_input():
    text = """
    <ir_version: 9, opset_import: ["": 17, "own": 1]>
    g (float[3] x) => (float[3] y) { y = own.bound(x) }
    <opset_import: ["": 17], domain: "own">
    bound (x, low) => (y) { y = Clip(x, low) }
    """
    assert run_graph(model(text), {"x": X})["y"].tolist() == X.astype(np.float64).tolist()


def test_a_fed_value_takes_the_place_of_an_initializer():
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[1] x, float[1] w = {3.0}) => (float[1] y) { y = Mul(x, w) }
    """
    one = np.ones(1, np.float32)
    assert run_graph(model(text), {"x": one})["y"].item() == 3
    assert run_graph(model(text), {"x": one, "w": one * 5})["y"].item() == 5


def test_inputs_and_initializers_can_be_outputs():
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[1] x) => (float[1] x, float[1] w, float[1] y) <float[1] w = {3.0}> { y = Neg(x) }
    """
    result = run_graph(model(text), {"x": np.ones(1, np.float32)})
    assert {name: value.item() for name, value in result.items()} == {"x": 1, "w": 3, "y": -1}


def test_bad_feeds_are_named():
    with pytest.raises(DataError, match="input 'x' is missing"):
        run_graph(model(CHAIN), {})
    with pytest.raises(DataError, match="no input 'z'; it has"):
        run_graph(model(CHAIN), {"x": X, "z": X})
    with pytest.raises(DataError, match="no tensor 'nothing'"):
        run_graph(model(CHAIN), {"x": X}, keep=["nothing"])


def test_a_node_that_cannot_be_computed_is_named():
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[N] x, float[M] z) => (float[N] y) { [sum] y = Add(x, z) }
    """
    with pytest.raises(EvaluationError, match="Add 'sum' cannot be computed"):
        run_graph(model(text), {"x": X, "z": X[:2]})


def test_custom_operators_are_named():
    text = """
    <ir_version: 8, opset_import: ["": 17, "my.domain": 1]>
    g (float[N] x) => (float[N] y) { y = my.domain.Thing(x) }
    """
    with pytest.raises(UnsupportedOperatorError, match=r"my\.domain\.Thing"):
        run_graph(model(text), {"x": X})


def test_sequences_pass_through():
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[3] x) => (float[6] y)
    {
      s = SequenceConstruct(x, x)
      y = ConcatFromSequence<axis = 0>(s)
    }
    """
    assert run_graph(model(text), {"x": X})["y"].shape == (6,)
