"""Which models a release of onnxruntime loads, and what is done so that it does."""

from __future__ import annotations

import onnx_ir as ir
import onnxruntime
import pytest

import bnfold
from bnfold.errors import ModelError, UsageError
from bnfold.runtime.engine import runtime_errors
from bnfold.runtime.releases import LOADS, release


def model_of(*, ir_version: int = 10, opset: int = 17, dtype: ir.DataType = ir.DataType.FLOAT):
    x = ir.Value(name="x", shape=ir.Shape([1]), type=ir.TensorType(dtype))
    node = ir.Node("", "Identity", [x])
    graph = ir.Graph([x], node.outputs, nodes=[node], opset_imports={"": opset}, name="g")
    return ir.Model(graph, ir_version=ir_version)


@pytest.mark.parametrize(
    "text", ["onnxruntime==1.17", "onnxruntime==1.17.3", "onnxruntime 1.17", "1.17", "v1.17.1"]
)
def test_a_release_is_named_as_people_write_it(text):
    found = release(text)
    assert (found.name, found.ir_version, found.opset) == ("onnxruntime 1.17", 9, 20)


@pytest.mark.parametrize("text", ["", "new", "tensorrt==10.1", "onnxruntime", "onnxruntime>=1.17"])
def test_what_is_no_release_is_refused(text):
    with pytest.raises(UsageError, match=r"is no release that is known; write onnxruntime==1\.17"):
        release(text)


def test_releases_too_old_to_know_are_refused_and_newer_ones_load_what_the_last_one_does():
    with pytest.raises(UsageError, match=r"the oldest release that is known is onnxruntime 1\.15"):
        release("onnxruntime==1.4")
    newest = release("onnxruntime==9.0")
    assert (newest.ir_version, newest.opset) == LOADS[max(LOADS)]


def test_later_releases_load_all_that_earlier_ones_do():
    rows = [LOADS[number] for number in sorted(LOADS)]
    assert rows == sorted(rows)
    assert [opset for _, opset in rows] == sorted(opset for _, opset in rows)


def test_the_installed_release_is_as_the_table_says():
    """Its own word: it loads the highest numbers of its row, and not the next ones."""
    found = release(onnxruntime.__version__)
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) > max(LOADS):
        pytest.skip("newer than the table")

    def loads(**numbers: int) -> bool:
        data = ir.to_proto(model_of(**numbers)).SerializeToString()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except runtime_errors():
            return False
        return True

    assert loads(ir_version=found.ir_version)
    assert not loads(ir_version=found.ir_version + 1)
    assert loads(opset=found.opset)
    assert not loads(opset=found.opset + 1)


def test_the_ir_version_goes_down_and_nothing_else():
    model = model_of(ir_version=10)
    said = release("1.17").fit(model, "m")
    assert said == "IR version 9 (it was 10) and opset 17, which onnxruntime 1.17 loads"
    assert model.ir_version == 9
    low = model_of(ir_version=8)
    assert (
        release("1.17").fit(low, "m") == "IR version 8 and opset 17, which onnxruntime 1.17 loads"
    )
    assert low.ir_version == 8


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (model_of(opset=21), "m: it has opset 21, and onnxruntime 1.17 loads 20 at most"),
        (model_of(dtype=ir.DataType.INT4), "m: the type int4 needs IR version 10, .* loads 9"),
    ],
)
def test_a_model_that_needs_more_is_refused_and_stays(model, words):
    with pytest.raises(ModelError, match=words):
        release("1.17").fit(model, "m")
    assert model.ir_version == 10


def test_a_fold_is_for_a_release():
    result = bnfold.fold(model_of(ir_version=10), runtime="onnxruntime==1.17")
    assert result.model.ir_version == 9
    assert "which onnxruntime 1.17 loads" in result.loads
    assert bnfold.fold(model_of()).loads == ""
