"""Modules that are special: modes, precisions, layers that cannot be folded, odd forwards."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

import bnfold
from tests.runtime_oracle import in_onnxruntime


def modes(module: nn.Module) -> list[bool]:
    return [part.training for part in module.modules()]


def test_exports_in_eval_mode_says_so_and_restores_the_mode_of_each_part(network):
    module, inputs = network("conv2d")
    module.train()
    module[3].bn.eval()  # a frozen layer
    before, state = modes(module), {k: v.clone() for k, v in module.state_dict().items()}
    result = bnfold.export(module, inputs)
    assert any("training mode" in note for note in result.notes)
    assert "Dropout" not in {node.op_type for node in result.model.graph}
    assert modes(module) == before
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_restores_the_mode_when_the_export_fails(network):
    module, _ = network("conv2d")
    module.train()
    module[1].eval()
    before = modes(module)
    with pytest.raises(bnfold.BnfoldError):
        bnfold.export(module, (1, 3, 8, 8))  # one channel is wanted
    assert modes(module) == before


def test_says_nothing_when_the_module_is_in_eval_mode(exported, network):
    module, inputs = network("tokens")
    assert bnfold.export(module.eval(), inputs).notes == ()


def test_turns_synchronised_batch_norms_into_plain_ones(network):
    module, inputs = network("conv2d")
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    result = bnfold.export(synchronised, inputs)
    assert result.batch_norms == 4
    assert any("SyncBatchNorm becomes BatchNormalization: 1" in note for note in result.notes)


def test_exports_batch_statistics_with_a_warning_that_says_why_they_cannot_be_folded():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    result = bnfold.export(module, (2, 1, 8, 8))
    assert result.check is not None
    (warning,) = result.warnings
    assert "track_running_stats=False" in warning
    assert "those of each batch" in warning


def with_statistics(module: nn.Module) -> nn.Module:
    """In eval mode, with drawn means and variances."""
    torch.manual_seed(3)
    for name, values in module.named_buffers():
        if name.endswith("running_mean"):
            values.uniform_(-0.5, 0.5)
        elif name.endswith("running_var"):
            values.uniform_(0.5, 2.0)
    return module.eval()


def answers_like(module: nn.Module, model: ir.Model, x: torch.Tensor) -> None:
    """The model in onnxruntime gives what the module does in float64, and no batch norm is left."""
    assert "BatchNormalization" not in {node.op_type for node in model.graph}
    name = model.graph.inputs[0].name
    (found,) = in_onnxruntime(ir.to_proto(model), {name: x.numpy()})
    with torch.no_grad():
        wanted = copy.deepcopy(module).double()(x.double()).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


INSTANCE = [
    (nn.Conv1d, nn.InstanceNorm1d, True), (nn.Conv2d, nn.InstanceNorm2d, True),
    (nn.Conv2d, nn.InstanceNorm2d, False), (nn.Conv3d, nn.InstanceNorm3d, True),
]  # fmt: skip


@pytest.mark.parametrize(("conv", "norm", "affine"), INSTANCE)
def test_an_instance_norm_with_statistics_is_a_batch_norm_and_folds(conv, norm, affine):
    """With a dynamic batch too: torch's own graph repeats the statistics for each sample."""
    module = with_statistics(
        nn.Sequential(
            conv(3, 4, 3, bias=False), norm(4, 1e-3, affine=affine, track_running_stats=True)
        )
    )
    axes = 1 if conv is nn.Conv1d else 2 if conv is nn.Conv2d else 3
    exported = bnfold.export(module, (2, 3, *[5] * axes), dynamic={"input": {0: "batch"}})
    assert exported.batch_norms == 1
    assert "forward" not in vars(module[1])  # the caller's module is as it was
    folded = bnfold.fold(exported.model)
    for batch in (1, 3):
        answers_like(module, folded.model, torch.randn(batch, 3, *[5] * axes))


@pytest.mark.filterwarnings("default")  # torch warns of itself where a program is copied
def test_an_instance_norm_with_statistics_is_one_in_a_trace_and_in_a_program(tmp_path):
    conv = nn.Conv2d(3, 4, 3, bias=False)
    module = with_statistics(
        nn.Sequential(conv, nn.InstanceNorm2d(4, affine=True, track_running_stats=True))
    )
    x = torch.randn(2, 3, 5, 5)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "net.pt2")
    traced = bnfold.export(module, x, exporter="torchscript")
    program = bnfold.export(str(tmp_path / "net.pt2"), trust=True)
    for exported in (traced, program):
        answers_like(module, bnfold.fold(exported.model).model, x)


def test_an_instance_norm_of_one_sample_without_a_batch_keeps_its_shape():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.InstanceNorm1d(4, affine=True, track_running_stats=True)
            self.conv = nn.Conv1d(4, 2, 3)

        def forward(self, x):
            return self.conv(self.norm(x[0])[None])

    module = with_statistics(One())
    exported = bnfold.export(module, (1, 4, 5), dynamic={})
    answers_like(module, bnfold.fold(exported.model).model, torch.randn(1, 4, 5))


@pytest.mark.parametrize("kind", ["of each sample", "of a subclass"])
def test_other_instance_norms_stay_what_they_are(kind):
    class Doubled(nn.InstanceNorm2d):
        def forward(self, x):
            return 2 * super().forward(x)

    tracked = kind == "of a subclass"
    norm = (Doubled if tracked else nn.InstanceNorm2d)(3, track_running_stats=tracked)
    module = with_statistics(nn.Sequential(norm, nn.Conv2d(3, 2, 1)))
    exported = bnfold.export(module, (2, 3, 4, 4), dynamic={})
    kinds = {node.op_type for node in exported.model.graph}
    assert ("InstanceNormalization" in kinds) != tracked
    x = torch.randn(2, 3, 4, 4)
    (found,) = in_onnxruntime(ir.to_proto(exported.model), {"input": x.numpy()})
    with torch.no_grad():
        wanted = copy.deepcopy(module).double()(x.double()).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


class Ghost(nn.Module):
    """Virtual batches of a size, each through the same batch norm, as TabNet has them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer, self.norm, self.size = nn.Linear(6, 8), nn.BatchNorm1d(8), size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.layer(x).chunk(math.ceil(x.shape[0] / self.size), 0)
        return torch.cat([self.norm(part) for part in parts], dim=0).relu()


@pytest.mark.slow  # each is an export
@pytest.mark.parametrize(("rows", "size"), [(8, 4), (8, 3), (7, 4), (4, 4), (2, 8), (5, 1)])
def test_ghost_batch_norms_fold_for_the_batch_of_the_examples(rows, size):
    """The number of virtual batches is the code's, so the batch is fixed."""
    module = with_statistics(Ghost(size))
    exported = bnfold.export(module, (rows, 6), dynamic={})
    assert exported.batch_norms == math.ceil(rows / size)
    answers_like(module, bnfold.fold(exported.model).model, torch.randn(rows, 6))


@pytest.mark.parametrize("half", [False, True], ids=["float32 module", "float16 module"])
def test_exports_float16(network, half):
    module, inputs = network("conv1d")
    result = bnfold.export(module.half() if half else module, inputs, fp16=not half)
    tensors = [value.dtype for value in result.model.graph.initializers.values()]
    assert set(tensors) == {ir.DataType.FLOAT16}
    assert result.model.graph.inputs[0].dtype is ir.DataType.FLOAT16
    assert result.check is not None
    assert result.check.method == "torch float64 reference of the original"
    wanted = torch.float16 if half else torch.float32
    assert next(module.parameters()).dtype is wanted  # the caller's module is as it was


def test_refuses_weights_that_float16_cannot_hold(network):
    module, inputs = network("conv1d")
    with torch.no_grad():
        module[1].running_var.fill_(1e6)
    with pytest.raises(bnfold.BnfoldError, match="running_var has values beyond float16's 65504"):
        bnfold.export(module, inputs, fp16=True)


def test_checks_bfloat16_although_the_runtime_cannot_run_it(network):
    module, inputs = network("conv1d")
    result = bnfold.export(module.bfloat16(), inputs)
    assert result.check is not None
    assert result.check.is_equivalent
    assert re.search(r"off by at most [\de.-]+e-1\d of", result.check.reason)
    assert any("onnxruntime cannot run this graph" in warning for warning in result.warnings)


class Hard(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.float() + torch.ones(6, dtype=torch.float32)) * torch.tensor(1.5)


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, training=True)


class Passing(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.relu()


def test_measures_against_float64_where_the_code_asks_for_float32():
    check = bnfold.export(Hard(), (1, 6)).check
    assert check is not None
    assert check.method == "torch float64 reference of the original"
    assert 0 < check.outputs[0].error_original < 1e-6  # float32 does round here


def test_says_that_a_random_network_was_not_checked():
    result = bnfold.export(Random(), (1, 6))
    assert result.check is None
    assert "random" in result.warnings[0]


def test_returns_an_input_as_it_is():
    model = bnfold.export(Passing(), (1, 6)).model
    assert [node.op_type for node in model.graph] == ["Relu"]


def test_evaluates_a_weight_that_is_computed_from_parameters():
    module = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3))
    model = bnfold.export(nn.Sequential(module, nn.BatchNorm2d(4)), (1, 1, 8, 8)).model
    assert [node.op_type for node in model.graph] == ["Conv", "BatchNormalization"]
    assert "0.weight" in model.graph.initializers


def test_keeps_both_calls_of_a_layer_that_is_used_twice():
    layer = nn.BatchNorm2d(3)
    model = bnfold.export(nn.Sequential(layer, nn.ReLU(), layer), (1, 3, 4, 4)).model
    names = [node.name for node in model.graph]
    assert len(names) == len(set(names)) == 3
    assert len(model.graph.initializers) == 4


def test_reports_its_progress():
    seen: list[tuple[int, int, str]] = []
    bnfold.export(Hard(), (1, 6), progress=lambda *step: seen.append(step))
    told = list(dict.fromkeys((done, what.split(",")[0]) for done, _, what in seen))
    assert told == [
        (0, "loading the network"), (1, "running it once"), (2, "capturing the graph"),
        (3, "comparing it with the module"), (4, "saving it"), (5, "done"),
    ]  # fmt: skip
    assert {total for _, total, _ in seen} == {5}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it imports itself
@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_looks_inside_the_wrappers_of_training(network, wrap):
    module, inputs = network("tokens")
    graph = bnfold.export(wrap(module), inputs).model.graph
    assert "bn.weight" in graph.initializers


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit's own
def test_asks_for_the_module_instead_of_its_script(network):
    module, inputs = network("conv1d")
    scripted = torch.jit.trace(module.eval(), torch.zeros(inputs))
    with pytest.raises(bnfold.BnfoldError, match="use the module it was made from"):
        bnfold.export(scripted, inputs)


class Chatty(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("called")  # noqa: T201
        return x + 1


def test_what_a_module_prints_does_not_reach_the_output(capfd):
    bnfold.export(Chatty(), (1, 3))
    assert capfd.readouterr().out == ""


def test_prints_and_logs_nothing(network, capfd):
    module, inputs = network("tokens")
    bnfold.export(module, inputs)
    assert capfd.readouterr() == ("", "")
