"""Every motif of the algebra: exact in double, right in float, in a body, and by name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.checker
import onnx.parser
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as state

import bnfold
from benchmarks.motifs import GROUPS, Motif
from bnfold import model_io
from bnfold.float64 import run_graph
from tests.runtime_oracle import in_onnxruntime

MOTIFS = [motif for motifs in GROUPS.values() for motif in motifs]
FREE = [motif for motif in MOTIFS if not motif.price]
FLOAT = [m for m in MOTIFS if m.dtype == "float" and not m.functions and "float16" not in m.text]
SEEN = ("DequantizeLinear", "Identity", "Constant")  # left out of the best rewrites
BETTER = {
    "matmul-add": "one Gemm, where MatMul and Add are as good",
    "counted-padding": "the shift stays a batch norm: an Add would break blocked layouts",
    "shift-behind-a-product": "the shift stays a batch norm: an Add would break blocked layouts",
}


def _mostly_slow(motifs: list[Motif]) -> list[Any]:
    """Every fourth, and the others where time does not count: what is asked is asked elsewhere."""
    return [
        motif if i % 4 == 0 else pytest.param(motif, marks=pytest.mark.slow)
        for i, motif in enumerate(motifs)
    ]


def _allow(motif: Motif) -> list[str]:
    return [motif.price] if motif.price else []


class Fold(NamedTuple):
    """A motif as a caller has it, and what one fold of it gave."""

    before: bytes
    model: onnx.ModelProto
    folded: onnx.ModelProto
    bugs: tuple[str, ...]


@functools.cache
def _fold(name: str) -> Fold:
    """One fold serves all tests of a motif: nothing here changes what it gave."""
    (motif,) = (motif for motif in MOTIFS if motif.name == name)
    model = motif.model()
    before = model.SerializeToString()
    result = bnfold.fold(model, allow=_allow(motif))
    return Fold(before, model, result.to_proto(), result.ledger.bugs)


def _operators(graph: onnx.GraphProto) -> list[str]:
    names = []
    for node in graph.node:
        if node.op_type not in SEEN:
            names.append(node.op_type)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                names.extend(_operators(attribute.g))
    return sorted(names)


def _assert_close(new: np.ndarray, old: np.ndarray, tolerance: float, name: str = "") -> None:
    """Within the tolerance of the largest finite value; NaN and infinity at the same places."""
    a, b = np.asarray(old, np.float64), np.asarray(new, np.float64)
    finite = np.isfinite(a)
    np.testing.assert_array_equal(b[~finite], a[~finite], err_msg=name)
    scale = np.max(np.abs(a[finite]), initial=1e-12)
    np.testing.assert_allclose(b[finite], a[finite], rtol=0, atol=tolerance * scale, err_msg=name)


def _assert_same_in_onnxruntime(
    original: onnx.ModelProto, folded: onnx.ModelProto, feeds: Mapping[str, np.ndarray]
) -> None:
    """Both compute the same; a test ends here where onnxruntime does not take the original."""
    try:
        wanted = in_onnxruntime(original, feeds)
    except (state.Fail, RuntimeError):
        pytest.skip("onnxruntime does not take the wrapped original")
    for old, new in zip(wanted, in_onnxruntime(folded, feeds), strict=True):
        _assert_close(new, old, 1e-5)


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.name)
def test_reaches_the_best_exact_rewrite(motif: Motif) -> None:
    """Nothing is left that the algebra could take away, and nothing is taken that it could not."""
    found = _fold(motif.name)
    folded = found.folded
    if motif.name in BETTER:
        assert len(folded.graph.node) <= len(found.model.graph.node), BETTER[motif.name]
        return
    wanted = [sorted(op for op in best.split() if op not in SEEN) for best in motif.best.split("|")]
    assert _operators(folded.graph) in wanted


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.name)
def test_computes_the_same_in_the_runtime(motif: Motif) -> None:
    """Float32 within 1e-5 of the largest output; the checker accepts it; the ledger is clean."""
    _, model, folded, bugs = _fold(motif.name)
    assert not bugs
    if motif.name != "unknown-rank-input":  # the checker wants a shape for each output
        onnx.checker.check_model(folded, full_check=True)
    tolerance = 2e-3 if "float16" in motif.dtype else 1e-5
    for feeds in motif.feeds():
        try:
            wanted = in_onnxruntime(model, feeds)
        except state.NotImplemented:
            pytest.skip("onnxruntime has no kernel for the original")
        for old, new in zip(wanted, in_onnxruntime(folded, feeds), strict=True):
            _assert_close(new, old, tolerance)


def _in_double(motif: Motif) -> tuple[onnx.ModelProto, list[dict[str, np.ndarray]]]:
    """The motif with every float a double, so that rounding cannot hide a mistake."""
    model = motif.model()
    text = re.sub(r"\bfloat(?=\[)|\bfloat(?= (\w+)[,)])", "double", onnx.printer.to_text(model))
    double = onnx.parser.parse_model(text)
    del double.graph.initializer[:]
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        wide = array.astype(np.float64) if array.dtype == np.float32 else array
        double.graph.initializer.append(onnx.numpy_helper.from_array(wide, tensor.name))
    feeds = [
        {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in feed.items()}
        for feed in motif.feeds()
    ]
    return double, feeds


@pytest.mark.parametrize("motif", FLOAT, ids=lambda m: m.name)
def test_is_exact_where_nothing_is_rounded(motif: Motif) -> None:
    """In double both agree to 1e-11, and so does every tensor that kept its name."""
    if motif.name in ("loop-body", "scan-body", "if-body"):
        pytest.skip("their bodies are covered in float")
    if "Cast" in motif.text or "qdq" in motif.name or "int8" in motif.name:
        pytest.skip("it rounds by itself")
    model, samples = _in_double(motif)
    folded = bnfold.fold(model, allow=_allow(motif)).to_proto()
    for feeds in samples:
        before: dict[str, np.ndarray] = {}
        after: dict[str, np.ndarray] = {}
        run_graph(model_io.load(model), feeds, observe=before.__setitem__)
        run_graph(model_io.load(folded), feeds, observe=after.__setitem__)
        for name in set(before) & set(after):
            old, new = before[name], after[name]
            if old.dtype.kind == "f":
                _assert_close(new, old, 1e-11, name)


@pytest.mark.parametrize("motif", _mostly_slow(FREE), ids=lambda m: m.name)
def test_folding_again_changes_nothing(motif: Motif) -> None:
    """Once is enough, and the bytes are the same each time."""
    _, model, once, _ = _fold(motif.name)
    assert bnfold.fold(model).to_proto().SerializeToString() == once.SerializeToString()
    assert _operators(bnfold.fold(once).to_proto().graph) == _operators(once.graph)


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.name)
def test_keeps_the_interface_and_the_original(motif: Motif) -> None:
    """Inputs, outputs, opsets and metadata stay, and the caller's model is not touched."""
    before, model, folded, _ = _fold(motif.name)
    assert model.SerializeToString() == before
    assert list(folded.graph.output) == list(model.graph.output)
    stored = {t.name for t in (*model.graph.initializer, *folded.graph.initializer)}
    inputs = [i for i in model.graph.input if i.name not in stored or model.ir_version >= 4]
    kept = [i for i in folded.graph.input if i.name not in stored or model.ir_version >= 4]
    assert kept == inputs
    assert list(folded.opset_import) == list(model.opset_import)


def _inside_if(motif: Motif) -> onnx.ModelProto | None:
    """The motif's nodes as the body of an If that reads the inputs from outside."""
    model = motif.model()
    text = onnx.printer.to_text(model)
    if model.functions or motif.ir_version < 4 or "If (" in text or motif.listed:
        return None
    wrapped = onnx.ModelProto()
    wrapped.CopyFrom(model)
    del wrapped.graph.node[:]
    del wrapped.graph.output[:]
    body = onnx.GraphProto(name="body", node=model.graph.node, output=model.graph.output)
    renamed = []
    for output in model.graph.output:
        outer = onnx.ValueInfoProto()
        outer.CopyFrom(output)
        outer.name = f"{output.name}_outer"
        renamed.append(outer)
    other = onnx.GraphProto(name="other")
    for node in model.graph.node:  # the other branch computes the same by other names
        copy = other.node.add()
        copy.CopyFrom(node)
    made = {name for node in model.graph.node for name in node.output if name}
    for node in other.node:
        node.input[:] = [f"{n}_other" if n in made else n for n in node.input]
        node.output[:] = [f"{n}_other" if n else n for n in node.output]
    for output in model.graph.output:
        info = other.output.add()
        info.CopyFrom(output)
        info.name = f"{output.name}_other"
    condition = onnx.helper.make_tensor_value_info("chosen", onnx.TensorProto.BOOL, [])
    wrapped.graph.input.append(condition)
    names = [output.name for output in renamed]
    node = onnx.helper.make_node("If", ["chosen"], names, then_branch=body, else_branch=other)
    wrapped.graph.node.append(node)
    wrapped.graph.output.extend(renamed)
    return wrapped


@pytest.mark.parametrize(
    "motif", _mostly_slow([m for m in FLOAT if not m.price]), ids=lambda m: m.name
)
def test_folds_in_a_body_as_in_the_main_graph(motif: Motif) -> None:
    """Both branches of an If keep their meaning, and no batch norm is left that the graph loses."""
    wrapped = _inside_if(motif)
    if wrapped is None or any(n.op_type in ("Loop", "Scan") for n in motif.model().graph.node):
        pytest.skip("not a plain graph")
    folded = bnfold.fold(wrapped).to_proto()
    if motif.name != "unknown-rank-input":
        onnx.checker.check_model(folded)
    for feeds in motif.feeds():
        for chosen in (True, False):
            fed = {**feeds, "chosen": np.array(chosen)}
            _assert_same_in_onnxruntime(wrapped, folded, fed)


@pytest.mark.parametrize(
    "motif", _mostly_slow([m for m in FLOAT if not m.price]), ids=lambda m: m.name
)
def test_a_body_that_is_always_taken_is_the_main_graph(motif: Motif) -> None:
    """An If of a constant stands in nobody's way: the best rewrite is that of the nodes alone."""
    wrapped = _inside_if(motif)
    has_norm = any(node.op_type == "BatchNormalization" for node in motif.model().graph.node)
    if wrapped is None or not has_norm or motif.name in BETTER:
        pytest.skip("not a plain graph")
    (chosen,) = [info for info in wrapped.graph.input if info.name == "chosen"]
    wrapped.graph.input.remove(chosen)
    stored = onnx.numpy_helper.from_array(np.array(True), "chosen")
    wrapped.graph.initializer.append(stored)
    folded = bnfold.fold(wrapped).to_proto()
    wanted = [sorted(op for op in best.split() if op not in SEEN) for best in motif.best.split("|")]
    assert _operators(folded.graph) in wanted
    for feeds in motif.feeds():
        _assert_same_in_onnxruntime(wrapped, folded, feeds)
