"""What an export leaves of its integers: used where the graph takes nothing else, never trusted."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

import bnfold
from bnfold.runtime.signature import inputs_of
from bnfold.runtime.told_integers import KEY, as_told, tell_integers, told_integers

MASKED = """
    <ir_version: 9, opset_import: ["" : 18]>
    net (float[B, T, 3] x, int64[B] lengths) => (float[B, 3, T] y)
    <float[3] scale = {1.5, -2.0, 0.5}, float[3] shift = {0.25, 1.0, -1.0},
     float[3] mean = {0.5, -1.0, 2.0}, float[3] variance = {2.0, 0.5, 1.0},
     float[3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 10}, int64 zero = {0}, int64 one = {1},
     int64[1] last = {-1}, int64[1] first = {0}>
    {
        longest = ReduceMax <keepdims = 0> (lengths)
        places = Range (zero, longest, one)
        row = Unsqueeze (places, first)
        ends = Unsqueeze (lengths, last)
        is_in = Less (row, ends)
        mask = Cast <to = 1> (is_in)
        sizes = Shape <start = 0, end = 2> (x)
        fitting = Reshape (mask, sizes)
        wide = Unsqueeze (fitting, last)
        kept = Mul (x, wide)
        mixed = MatMul (kept, w)
        h = Transpose <perm = [0, 2, 1]> (mixed)
        y = BatchNormalization (h, scale, shift, mean, variance)
    }
"""
"""It runs where the longest length is T, and nowhere else."""


def masked(told: object = None) -> onnx.ModelProto:
    proto = onnx.parser.parse_model(MASKED)
    if told is not None:
        text = told if isinstance(told, str) else json.dumps(told)
        onnx.helper.set_model_props(proto, {KEY: text})
    return proto


def test_lengths_that_fit_the_sequences_are_made_up_from_what_the_export_left():
    original = masked({"lengths": {"low": 2, "high": "x:1"}})
    folded = bnfold.fold(original)
    assert folded.ledger.batch_norms_after == 0
    assert folded.ledger.opinion.runtime
    found = bnfold.verify(original, folded.model)
    assert found.verdict == "equivalent"
    assert len(found.feeds) == 8
    assert any("integers as in the export" in feed.kind for feed in found.feeds)


def test_a_fault_is_found_on_inputs_that_only_the_export_tells():
    original = masked({"lengths": {"low": 2, "high": "x:1"}})
    other = onnx.ModelProto()
    other.CopyFrom(original)
    (weight,) = (w for w in other.graph.initializer if w.name == "shift")
    weight.CopyFrom(onnx.numpy_helper.from_array(np.array([0.25, 1.001, -1], np.float32), "shift"))
    assert bnfold.verify(original, other).verdict == "different"


@pytest.mark.parametrize(
    "told",
    ["no json", "[" * 100_000, [], {"lengths": 3}, {"lengths": {"low": 2, "high": "z:1"}},
     {"lengths": {"low": 2, "high": "x:7"}}, {"lengths": {"low": 2, "high": 1}},
     {"lengths": {"low": True, "high": 2}}, {"lengths": {"low": 0, "high": 10**12}},
     {"lengths": {"low": 1.5, "high": 3}}, {"x": {"low": 0, "high": 1}}, {"lengths": {}}],
    ids=lambda told: json.dumps(told)[:20],
)  # fmt: skip
def test_what_makes_no_sense_is_as_if_nothing_were_told(told):
    model = ir.from_proto(masked(told))
    assert told_integers([model], inputs_of(model)) == {}


def test_what_is_told_hides_no_fault_beyond_it():
    """The models differ at 0, and the file says that it was exported with 5 alone."""
    text = """
        <ir_version: 9, opset_import: ["" : 18]>
        net (float[N, 3] x, int64[N, 1] n) => (float[N, 3] y)
        <float factor = {2.0}, int64 zero = {0}>
        { is_more = Greater (n, zero)  large = Mul (x, factor)  y = Where (is_more, x, large) }
    """
    models = [onnx.parser.parse_model(text.replace("{2.0}", f)) for f in ("{2.0}", "{3.0}")]
    for model in models:
        onnx.helper.set_model_props(model, {KEY: json.dumps({"n": {"low": 5, "high": 5}})})
    assert bnfold.verify(*models).verdict == "different"


def test_rows_of_a_table_are_not_drawn_from_what_is_told():
    model = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18]>
        net (int64[N] ids) => (float[N, 2] y) <float[3, 2] table = {1, 2, 3, 4, 5, 6}>
        { y = Gather (table, ids) }
    """)
    onnx.helper.set_model_props(model, {KEY: json.dumps({"ids": {"low": 0, "high": 900}})})
    assert bnfold.verify(model, model).verdict == "equivalent"


def test_a_number_that_several_extents_have_is_that_of_a_dynamic_one():
    model = ir.from_proto(
        onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18]>
        net (float[N, 4, T] x, int64[N] lengths) => (float[N, 4, T] y) { y = Identity (x) }
    """)
    )
    examples = {"x": np.zeros((2, 4, 4), np.float32), "lengths": np.array([4, 3])}
    tell_integers(model, examples)
    told = told_integers([model], inputs_of(model))
    drawn = as_told(
        {"x": np.zeros((5, 4, 9), np.float32), "lengths": np.zeros(5, np.int64)},
        told, np.random.default_rng(0),
    )  # fmt: skip
    assert drawn["lengths"].max() == 9
    assert drawn["lengths"].min() >= 3
