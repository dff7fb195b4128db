"""The check finds what is wrong, and takes rounding for what it is."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
import torch

import bnfold
from bnfold.errors import ModelsDifferError
from bnfold.export.attempt import Attempt
from bnfold.export.check import check_export
from bnfold.export.inputs import example_inputs


def copy_of(result: bnfold.export.ExportResult) -> ir.Model:
    return ir.from_proto(ir.to_proto(result.model))


def rechecked(module, inputs, model: ir.Model):
    return check_export(
        model,
        module.eval(),
        example_inputs(module, inputs, "net"),
        dynamic_batch=True,
        seed=0,
    )


def test_records_the_errors_of_graph_and_module_against_float64(exported):
    check = exported("conv2d").check
    assert check.is_equivalent
    assert check.method == "torch float64 reference of the original"
    assert check.levels == ("none",)
    assert [feed.shapes["input"][0] for feed in check.feeds] == [1, 3]
    (row,) = check.outputs
    assert 0 < row.error_original < 1e-5
    assert 0 < row.error_other < 1e-5


FAULTS = {
    "a weight off by a thousandth": ("3.conv.weight", lambda value: value * 1.001),
    "a mean lost": ("1.running_mean", lambda value: value * 0),
    "a bias off by a millionth of a thousand": ("5.bias", lambda value: value + 1e-3),
}


def test_finds_nothing_wrong_with_a_good_graph(network, exported):
    module, inputs = network("conv2d")
    check, limits = rechecked(module, inputs, copy_of(exported("conv2d")))
    assert check == exported("conv2d").check
    assert limits == []


@pytest.mark.parametrize(("name", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_finds_a_fault_in_a_single_tensor(network, exported, name, fault):
    module, inputs = network("conv2d")
    model = copy_of(exported("conv2d"))
    value = model.graph.initializers[name]
    value.const_value = ir.tensor(fault(value.const_value.numpy()), name=name)
    with pytest.raises(ModelsDifferError, match="output 'output' is off by"):
        rechecked(module, inputs, model)


def test_finds_an_epsilon_that_was_changed(network, exported):
    module, inputs = network("conv2d")
    model = copy_of(exported("conv2d"))
    node = next(node for node in model.graph if node.op_type == "BatchNormalization")
    node.attributes["epsilon"] = ir.AttrFloat32("epsilon", 1e-4)
    with pytest.raises(ModelsDifferError):
        rechecked(module, inputs, model)


def test_finds_a_batch_size_that_is_built_in(network, exported):
    module, inputs = network("conv2d")
    model = copy_of(exported("conv2d"))
    value = next(node for node in model.graph if node.op_type == "Reshape").inputs[1]
    value.const_value = ir.tensor(np.array([1, 338]), name=value.name)
    with pytest.raises(ModelsDifferError, match="does not run on"):
        rechecked(module, inputs, model)


def test_writes_no_file_when_the_graph_differs(network, tmp_path, monkeypatch):
    captured = Attempt._captured

    def spoilt(*args, **kwargs):
        model, *rest = captured(*args, **kwargs)
        value = next(v for v in model.graph.initializers.values() if len(v.shape) == 3)
        value.const_value = ir.tensor(value.const_value.numpy() * 1.001, name=value.name)
        return model, *rest

    monkeypatch.setattr(Attempt, "_captured", spoilt)
    module, inputs = network("conv1d")
    with pytest.raises(ModelsDifferError):
        bnfold.export(module, inputs, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_saves_what_it_checked(network, tmp_path, run):
    module, inputs = network("conv1d")
    result = bnfold.export(module, inputs, tmp_path / "m.onnx")
    assert result.path == tmp_path / "m.onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    x = torch.ones(inputs).numpy()
    assert np.array_equal(run(ir.load(result.path), x)[0], run(result.model, x)[0])
