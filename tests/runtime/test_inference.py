"""Inference of shapes ends no process, whatever the model says."""

from __future__ import annotations

import os

import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.runtime.inference import NotInferredError, infer_shapes

HEAD = '<ir_version: 8, opset_import: ["": 18]>'


def shapes(text: str) -> dict[str, list[int]]:
    inferred = infer_shapes(onnx.parser.parse_model(f"{HEAD} {text}")).graph
    return {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in (*inferred.value_info, *inferred.output)
    }


def test_a_slice_is_inferred_and_what_follows_from_its_numbers():
    found = shapes(
        """g (float[6,5,4] x) => (float[a,b,c] y)
        <int64[1] zero = {0}, int64[1] two = {2}, int64[1] rest = {-1}>
        { s = Shape (x) two_axes = Slice (s, zero, two) shape = Concat <axis = 0> (two_axes, rest)
          r = Reshape (x, shape) y = Slice (r, zero, two, zero) }"""
    )
    assert found["r"] == [6, 5, 4]
    assert found["y"] == [2, 5, 4]


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("place", ["graph", "branch", "function"])
def test_a_slice_of_an_extent_below_zero_ends_nothing(step, place):
    """Three rows, ten of which are cut off: the library's own inference ends the process here."""
    constants = f"""z = Constant <value_ints = [0]> () e = Constant <value_ints = [-5]> ()
        t = Constant <value_ints = [{step}]> ()
        p = Constant <value_ints = [0, 0, -10, 0]> ()"""
    cut = "q = Pad (x, p) w = Slice (q, z, e, z, t)"
    function = ""
    if place == "function":
        body = f"{constants} {cut.replace('(x', '(a').replace('w =', 'b =')}"
        cut = "w = own.cut (x)"
        function = f'<domain: "own", opset_import: ["": 18]> cut (a) => (b) {{ {body} }}'
    if place == "branch":
        branch = f"v () => (float[n,m] w) {{ {cut} }}"
        cut = f"w = If (c) <then_branch = {branch}, else_branch = {branch.replace('w', 'u')}>"
    head = HEAD.replace('"": 18', '"": 18, "own": 1')
    model = onnx.parser.parse_model(
        f"""{head} g (float[3,4] x, bool c) => (float[N,M] y)
        <float[4] s = {{1.0, 2.0, 3.0, 4.0}}>
        {{ {constants} n = BatchNormalization (x, s, s, s, s) {cut} y = Relu (n) }} {function}"""
    )
    inferred = infer_shapes(model).graph
    assert [dim.dim_value for dim in inferred.output[0].type.tensor_type.shape.dim][1] == 4
    assert bnfold.fold(model, check=False).ledger.batch_norms_after == 1


@pytest.mark.slow
def test_a_step_that_passes_32_bits_ends():
    found = shapes(
        """g (float[6] x) => (float[a] y) <int64[1] zero = {0}, int64[1] most = {5},
        int64[1] step = {9223372036854775807}>
        { s = Shape (x) one = Slice (s, zero, most, zero, step)
          back = Slice (s, zero, most, zero, step) y = Expand (x, one) z = Relu (x) }"""
    )
    assert found["z"] == [6]


@pytest.mark.slow
def test_an_einsum_with_one_dot_ends(monkeypatch):
    model = onnx.parser.parse_model(
        f"""{HEAD} g (float[1,4,6,6] x, float[4,6] w) => (float[1,4,6,6] z)
        <float[4] s = {{1.0, 2.0, 1.0, 1.0}}>
        {{ a = Einsum<equation = "bc.hw,co->bohw"> (x, w) y = Relu (x)
          z = BatchNormalization (y, s, s, s, s) }}"""
    )
    forked = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forked.append(1) or fork())
    assert bnfold.fold(model, check=False).ledger.batch_norms_before == 1
    assert len(forked) == 1  # it takes ten seconds of a child, which are not spent again


def test_more_parts_than_memory_holds_are_not_made():
    found = shapes(
        """g (float[6] x) => (float[a] y)
        { z = Relu (x) y = Split <num_outputs = 1099511627776> (x) }"""
    )
    assert found["z"] == [6]


@pytest.mark.parametrize("operator", ["Relu (x)", "Slice (x, x, x)"])
def test_what_onnx_does_not_take_is_told(operator):
    model = onnx.parser.parse_model(f"{HEAD} g (float[2] x) => (float[a] y) {{ y = {operator} }}")
    del model.opset_import[:]
    with pytest.raises(NotInferredError, match="opset"):
        infer_shapes(model)
