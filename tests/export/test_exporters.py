"""Which of torch's exporters is used, and what a trace may not decide unsaid."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import ModelError
from bnfold.torch_code.foreign import reason
from tests.runtime_oracle import in_onnxruntime


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x).mean((2, 3))


class Deciding(nn.Module):
    """Its answer depends on a number that is not known before it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        return y if float(y.sum()) >= 0 else 2 * y


class Opaque(Plain):
    """What torch.export cannot look into, and a trace need not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_exporting():
            raise RuntimeError("not here")
        return super().forward(x)


def test_a_trace_keeps_batch_norms_names_and_the_dynamic_batch():
    torch.manual_seed(0)
    module = Plain().eval()
    result = bnfold.export(module, (1, 3, 8, 8), exporter="torchscript")
    nodes = {node.name: node.op_type for node in result.model.graph}
    assert nodes["features.1"] == "BatchNormalization"
    assert "features.0.weight" in result.model.graph.initializers
    x = torch.randn(5, 3, 8, 8)
    (answer,) = in_onnxruntime(bnfold.fold(result.model).to_proto(), {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(answer), module(x).detach(), rtol=1e-5, atol=1e-5)


def test_where_one_exporter_fails_the_other_is_used_and_told():
    result = bnfold.export(Opaque().eval(), (2, 3, 8, 8))
    assert result.warnings[0].startswith("it was traced, as Opaque cannot be exported")
    assert result.check is not None
    assert result.check.verdict == "equivalent"


def test_the_one_that_was_asked_for_names_the_other():
    with pytest.raises(ModelError, match=r"cannot be exported.*--exporter torchscript may do it"):
        bnfold.export(Opaque().eval(), (2, 3, 8, 8), exporter="dynamo")


def test_a_trace_decides_nothing_unless_it_is_told_to():
    """The graph of one branch would be right on half of all inputs, and pass a check on few."""
    with pytest.raises(ModelError, match=r"test_exporters.py:\d+ once and for all"):
        bnfold.export(Deciding().eval(), (2, 3))
    result = bnfold.export(Deciding().eval(), (2, 3), exporter="torchscript", check=False)
    assert "once and for all" in result.warnings[0]


@torch.library.custom_op("bnfold_tests::squared", mutates_args=())
def squared(x: torch.Tensor) -> torch.Tensor:
    """An operator that torch's exporters do not know."""
    return x * x


@squared.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class Squared(nn.Module):
    """A batch norm before the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return squared(self.norm(self.conv(x)))


@pytest.mark.filterwarnings("ignore")  # of torch's own exporter, called as a user would
def test_an_operator_without_a_translation_tells_the_way_around_it_which_works(tmp_path):
    from onnxscript import opset20

    module, inputs = Squared().eval(), torch.ones(1, 3, 4, 4)
    with pytest.raises(ModelError, match=r"custom_translation_table.*give the file to bnfold fold"):
        bnfold.export(module, inputs)
    program = torch.onnx.export(
        module,
        (inputs,),
        dynamo=True,
        optimize=False,
        verbose=False,
        custom_translation_table={
            torch.ops.bnfold_tests.squared.default: lambda x: opset20.Mul(x, x)
        },
    )
    program.save(tmp_path / "own.onnx")
    assert bnfold.fold(tmp_path / "own.onnx").ledger.batch_norms_after == 0


def test_a_bracket_that_torch_did_not_open_is_left_out():
    assert reason(RuntimeError("size (3) at dimension 2)\n\nWhile")).endswith("(3) at dimension 2")


def test_an_export_is_judged_in_its_own_words():
    found = bnfold.export(Plain().eval(), torch.ones(1, 3, 8, 8)).check
    assert found is not None
    assert found.reason.startswith("the graph's error is at most ")
    assert "times the module's own rounding error" in found.reason
