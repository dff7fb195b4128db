"""A torch module as the original, and originals that have no float64 reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

import bnfold
from bnfold.errors import ModelError
from tests.verify.graphs import parsed


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 6)
        self.norm = torch.nn.BatchNorm1d(6)

    def forward(self, x):
        return self.norm(self.linear(x))


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        net.norm.running_mean.normal_()
        net.norm.running_var.uniform_(0.5, 1.5)
    return net


def as_onnx(net, *, epsilon=1e-5):
    """The same network by hand: a wrong exporter would not hide a wrong verifier."""
    text = f"""g (float[N,4] x) => (float[N,6] y) {{
        a = Gemm <transB = 1> (x, w, b)
        y = BatchNormalization <epsilon = {epsilon}> (a, s, t, m, v)
    }}"""
    stored = {
        "w": net.linear.weight,
        "b": net.linear.bias,
        "s": net.norm.weight,
        "t": net.norm.bias,
        "m": net.norm.running_mean,
        "v": net.norm.running_var,
    }
    return parsed(text, **{name: tensor.detach().numpy() for name, tensor in stored.items()})


def test_a_module_is_compared_with_its_export_in_eval_mode(net):
    net.train()
    found = bnfold.verify(net, as_onnx(net))
    assert found.is_equivalent
    assert "torch float64" in found.method
    assert net.training
    assert net.linear.weight.dtype == torch.float32


def test_a_module_with_another_epsilon_is_different(net):
    assert bnfold.verify(net, as_onnx(net, epsilon=1e-4)).verdict == "different"


def test_a_module_with_another_number_of_outputs_is_refused(net):
    class Two(Net):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ModelError, match="returns 2 tensors, the ONNX model 1"):
        bnfold.verify(Two(), as_onnx(net))


def test_a_module_that_rounds_by_itself_is_compared_as_a_range(net):
    class Narrow(Net):
        def forward(self, x):
            return super().forward(x).float()

    narrow = Narrow()
    narrow.load_state_dict(net.state_dict())
    found = bnfold.verify(narrow, as_onnx(net))
    assert found.is_equivalent
    assert found.method.startswith("range")


@pytest.fixture
def unknown():
    """A model with an operator that onnxruntime has and the float64 reference has not."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'
        "g (float[N,4] x) => (float[N,4] y) {"
        " a = MatMul (x, w)  y = com.microsoft.QuickGelu <alpha = 1.702> (a) }"
    )
    weight = rng.normal(size=(4, 4)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return model


def test_without_a_reference_the_comparison_is_a_range_and_says_so(unknown):
    found = bnfold.verify(unknown, unknown)
    assert found.is_equivalent
    assert found.method.startswith("range")
    assert any("QuickGelu" in note and "range" in note for note in found.notes)


def test_a_range_comparison_still_catches_a_fault(unknown):
    wrong = onnx.ModelProto()
    wrong.CopyFrom(unknown)
    weight = onnx.numpy_helper.to_array(wrong.graph.initializer[0]) * np.float32(1.0001)
    wrong.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "w"))
    assert bnfold.verify(unknown, wrong).verdict == "different"


def test_a_spec_is_loaded_the_way_export_does(net, tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(4, 6))\n"
    )
    linear = bnfold.export(torch.nn.Linear(4, 6), (torch.ones(2, 4),)).model
    found = bnfold.verify(f"{tmp_path / 'net.py'}:build", linear, samples=2)
    assert found.verdict == "different"
