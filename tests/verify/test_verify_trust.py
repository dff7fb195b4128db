"""A reference that is wrong is found out: each operator of the evaluator is broken on purpose.

Slow, as a network is verified for each operator; but a verdict is worth what its reference is.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.backend.test.case.node import collect_testcases

import bnfold
from bnfold.errors import BnfoldError
from bnfold.float64 import graph
from bnfold.float64.operators import OPERATORS, run_op
from tests.verify.graphs import parsed, two_convs

FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}


def broken(monkeypatch, op_type, factor=1.1):
    """The evaluator from now on gives the floats of this operator times a factor."""

    def run(kind, inputs, attributes, **rest):
        results = run_op(kind, inputs, attributes, **rest)
        if kind != op_type:
            return results
        return [y * factor if getattr(y, "dtype", None) == np.float64 else y for y in results]

    monkeypatch.setattr(graph, "run_op", run)


def weighed(model, factor):
    """The model with its first float output times a weight."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    last = next(o for o in found.graph.output if o.type.tensor_type.elem_type in FLOATS)
    dtype = helper.tensor_dtype_to_np_dtype(last.type.tensor_type.elem_type)
    weight = onnx.numpy_helper.from_array(np.array([1.5 * factor], dtype), "the weight")
    found.graph.initializer.append(weight)
    kept = helper.make_tensor_value_info("weighed", last.type.tensor_type.elem_type, None)
    found.graph.node.append(helper.make_node("Mul", [last.name, "the weight"], ["weighed"]))
    del found.graph.output[:]
    found.graph.output.append(kept)
    return found


@cache
def cases():
    """Models of one operator with a float output and some data for them, by operator."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    for case in collected:
        nodes = case.model.graph.node if case.model is not None else ()
        if len(nodes) != 1 or case.data_sets is None or nodes[0].op_type == "Mul":
            continue
        inputs, outputs = case.data_sets[0]
        types = [o.type.tensor_type.elem_type for o in case.model.graph.output]
        sizes = [np.size(y) for y in outputs if isinstance(y, np.ndarray)]
        if not FLOATS.intersection(types) or max(sizes, default=0) < 4:
            continue
        data = {i.name: x for i, x in zip(case.model.graph.input, inputs, strict=False)}
        found.setdefault(nodes[0].op_type, []).append((case.model, data))
    return found


def verdicts(op_type):
    """What verify says of a model whose weight is off by 5 %, for the cases that it can judge."""
    for model, data in cases().get(op_type, [])[:6]:
        right, wrong = weighed(model, 1.0), weighed(model, 1.05)
        try:
            if not bnfold.verify(right, right, data=data, samples=1).is_equivalent:
                continue
            yield bnfold.verify(right, wrong, data=data, samples=1)
        except BnfoldError:
            continue  # the runtime has no kernel for it


RNG = np.random.default_rng(0)
SOME = {
    "AveragePool": "a = AveragePool <kernel_shape = [2, 2]> (x)",
    "Conv": "a = Conv (x, k)",
    "GlobalAveragePool": "a = GlobalAveragePool (x)",
    "MatMul": "a = MatMul (x, m)",
    "ReduceMean": "a = ReduceMean (x)",
    "Sigmoid": "a = Sigmoid (x)",
    "Softmax": "a = Softmax <axis = 1> (x)",
    "Transpose": "a = Transpose (x)",
}


@pytest.mark.parametrize("dtype", ["float", "float16"])
@pytest.mark.parametrize("op_type", SOME)
def test_other_weights_are_never_equivalent_where_the_reference_is_wrong(
    op_type, dtype, monkeypatch
):
    kind = np.float16 if dtype == "float16" else np.float32
    arrays = {"k": RNG.normal(size=(4, 3, 3, 3)), "m": RNG.normal(size=(8, 8))}
    right, wrong = (
        parsed(
            f"g ({dtype}[N,3,8,8] x) => ({dtype} y) {{ {SOME[op_type]}  y = Mul (a, w) }}",
            w=kind(1.5 * factor),
            **{name: array.astype(kind) for name, array in arrays.items()},
        )
        for factor in (1.0, 1.05)
    )
    for model in (right, wrong):
        model.graph.output[0].type.tensor_type.ClearField("shape")
    broken(monkeypatch, op_type)
    assert bnfold.verify(right, wrong).verdict == "different"


@pytest.mark.slow
@pytest.mark.parametrize("op_type", sorted(OPERATORS))
def test_each_operator_of_the_evaluator_may_be_wrong(op_type, monkeypatch):
    broken(monkeypatch, op_type)
    for verdict in verdicts(op_type):
        assert not verdict.is_equivalent, verdict


@pytest.mark.parametrize("op_type", ["Conv", "BatchNormalization", "Relu"])
def test_the_operator_at_which_runtime_and_reference_part_is_named(op_type, monkeypatch):
    broken(monkeypatch, op_type)
    found = bnfold.verify(two_convs(), two_convs(factor=1.05))
    assert found.verdict == "different"
    assert found.doubt is not None
    assert found.doubt.operator.startswith(op_type)
    assert found.to_dict()["doubt"]["operator"] == found.doubt.operator
    assert any("not trusted" in note and op_type in note for note in found.notes)


def test_it_is_named_where_a_sequence_stands_inside(monkeypatch):
    """Of several shapes, so that it is no tensor by any reading."""
    text = """g (float[2,6] x) => (float[2,6] y) {
        t = Concat <axis = 0> (x, x)  s = SequenceConstruct (t, x)  e = SequenceAt (s, k)
        a = MatMul (e, w)  y = Mul (a, c)
    }"""
    weights = {"w": np.random.default_rng(2).normal(size=(6, 6)), "k": np.array(1)}
    broken(monkeypatch, "MatMul")
    found = bnfold.verify(parsed(text, **weights, c=1.0), parsed(text, **weights, c=1.05))
    assert found.verdict == "different"
    assert found.doubt is not None
    assert found.doubt.operator.startswith("MatMul")


def test_a_correct_fold_is_equivalent_by_the_range_where_the_reference_is_broken(monkeypatch):
    model = two_convs()
    folded = bnfold.fold(model).to_proto()
    broken(monkeypatch, "Conv")
    found = bnfold.verify(model, folded)
    assert found.is_equivalent
    assert found.method.startswith("range comparison")


def test_a_reference_that_is_nothing_but_nan_is_no_evidence(monkeypatch):
    broken(monkeypatch, "Conv", factor=np.nan)
    assert bnfold.verify(two_convs(), two_convs(factor=1.05)).verdict == "different"


def test_a_right_reference_is_trusted():
    assert bnfold.verify(two_convs(), two_convs()).doubt is None


def test_a_step_over_constants_is_taken_as_the_runtime_takes_it():
    """In float32 0.3 / 0.1 is 3 and a bit, in float64 the same constants give less than 3."""
    text = """g (float[N,8,8] x) => (float[N,6] y) {
        q = Div (p, r)  f = Floor (q)  i = Cast <to = 7> (f)
        c = Gather <axis = 1> (x, i)  y = MatMul (c, w)
    }"""
    quotients = np.arange(1, 100, dtype=np.float32) / np.float32(10)
    tenth = np.float32(0.1)
    apart = np.floor(quotients / tenth) != np.floor(np.float64(quotients) / np.float64(tenth))
    p = quotients[apart & (quotients < 0.8)][0]
    weights = np.random.default_rng(0).normal(size=(8, 6))
    model = parsed(text, p=p, r=tenth, w=weights)
    found = bnfold.verify(model, model)
    assert found.is_equivalent
    assert found.doubt is None
    assert max(row.error_original for row in found.outputs) < 1e-6
    assert bnfold.verify(model, parsed(text, p=p, r=tenth, w=weights * 1.01)).verdict == "different"
