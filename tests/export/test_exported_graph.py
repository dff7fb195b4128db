"""The graph that comes out: every batch norm in it, and nothing that is known before it runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

import bnfold

LEFTOVERS = {"Shape", "CastLike", "Expand", "Identity", "Constant", "Squeeze", "Cast", "Concat"}

EXPECTED = {
    "conv1d": {"Conv": 1, "ConvTranspose": 1, "BatchNormalization": 2},
    "conv2d": {
        **{"Conv": 2, "ConvTranspose": 1, "BatchNormalization": 4, "Gemm": 1},
        **{"Relu": 2, "Add": 1, "Reshape": 1},
    },
    "conv3d": {"Conv": 1, "ConvTranspose": 1, "BatchNormalization": 2},
    "shuffle": {"Reshape": 2, "Transpose": 1, "BatchNormalization": 1, "Split": 1},
    "named": {"BatchNormalization": 1, "Add": 1, "Sub": 1},
    "tokens": {"MatMul": 1, "Reshape": 2, "BatchNormalization": 1},
}
EACH = pytest.mark.parametrize("name", EXPECTED)


@EACH
def test_holds_the_operators_that_the_network_needs_and_no_other(exported, operators, name):
    model = exported(name).model
    assert operators(model) == Counter(EXPECTED[name])
    assert not model.functions
    assert not LEFTOVERS & set(operators(model))


@EACH
def test_counts_the_batch_norms_of_the_module(exported, network, name):
    module, _ = network(name)
    layers = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    assert exported(name).batch_norms == sum(isinstance(part, layers) for part in module.modules())


@EACH
def test_is_valid_onnx_in_the_default_opset(exported, name):
    proto = ir.to_proto(exported(name).model)
    onnx.checker.check_model(proto, full_check=True)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 20)]


@EACH
def test_computes_what_the_module_computes_at_any_batch_size(exported, network, run, name):
    module, inputs = network(name)
    shapes = [inputs["left"], inputs["right"]] if isinstance(inputs, dict) else [inputs]
    generator = torch.Generator().manual_seed(3)
    for batch in (1, 2, 7):
        tensors = [torch.randn((batch, *shape[1:]), generator=generator) for shape in shapes]
        answers = run(exported(name).model, *(tensor.numpy() for tensor in tensors))
        with torch.no_grad():
            expected = module.eval()(*tensors)
        flat = expected.values() if isinstance(expected, dict) else expected
        flat = [flat] if isinstance(flat, torch.Tensor) else list(flat)
        assert len(answers) == len(flat)
        for answer, tensor in zip(answers, flat, strict=True):
            scale = float(tensor.abs().max())
            np.testing.assert_allclose(answer, tensor.numpy(), rtol=1e-5, atol=1e-5 * scale)


def test_names_nodes_and_tensors_after_the_modules(exported):
    graph = exported("conv2d").model.graph
    names = [(node.op_type, node.name) for node in graph]
    assert names[:6] == [
        ("Conv", "0"),
        ("BatchNormalization", "1"),
        ("Relu", "2"),
        ("Conv", "3.conv"),
        ("BatchNormalization", "3.bn"),
        ("Add", "3/Add"),
    ]
    assert graph[3].outputs[0].name == "3.conv"


def test_names_initializers_after_the_state_dict_or_after_what_they_feed(exported, network):
    module, _ = network("conv1d")
    initializers = set(exported("conv1d").model.graph.initializers)
    state = {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}
    assert initializers == state | {"1.weight", "1.bias"}  # affine=False: ones and zeros


def test_names_the_outputs_after_the_keys_of_a_dictionary(exported):
    record = exported("named").to_dict()
    assert [value["name"] for value in record["inputs"]] == ["left", "right"]
    assert [value["name"] for value in record["outputs"]] == ["sum", "difference"]
    assert exported("conv1d").to_dict()["outputs"] == [
        {"name": "output", "dtype": "FLOAT", "shape": ["batch", 2, 8]}
    ]


def test_keeps_a_bias_that_the_module_has_even_if_it_is_zero():
    convolution = nn.Conv2d(1, 2, 3)
    nn.init.zeros_(convolution.bias)
    model = bnfold.export(convolution, (1, 1, 4, 4)).model
    assert "bias" in model.graph.initializers


def test_says_nothing_of_the_machine_that_it_was_made_on(exported):
    text = ir.to_proto(exported("conv2d").model).SerializeToString()
    assert b"pkg.torch" not in text
    assert str(Path(__file__).parent).encode() not in text


def test_gives_the_same_bytes_for_the_same_network(exported, network):
    module, inputs = network("conv2d")
    again = ir.to_proto(bnfold.export(module, inputs).model)
    assert again.SerializeToString() == ir.to_proto(exported("conv2d").model).SerializeToString()


def test_does_not_share_memory_with_the_module(network):
    module, inputs = network("tokens")
    model = bnfold.export(module, inputs).model
    before = model.graph.initializers["bn.weight"].const_value.numpy().copy()
    with torch.no_grad():
        module.bn.weight.add_(1)
    assert np.array_equal(model.graph.initializers["bn.weight"].const_value.numpy(), before)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [18, 19, 20, 21, 22, 23])
def test_writes_each_opset_that_it_accepts(network, opset):
    module, inputs = network("conv2d")
    result = bnfold.export(module, inputs, opset=opset)
    assert result.model.opset_imports == {"": opset}
    assert result.opset == opset
    assert result.check is not None
    assert result.batch_norms == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_cnn", "digits_cnn_post", "digits_mlp", "digits_denoiser"])
def test_exports_the_networks_of_the_project_by_name(name, tmp_path):
    result = bnfold.export(f"models.{name}:build", path=tmp_path / "m.onnx")
    assert result.warnings == ()
    assert result.batch_norms > 2
    assert (tmp_path / "m.onnx").is_file()


class Masked(nn.Module):
    """Attention over sequences of several lengths, the mask as long as the longest."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.conv, self.bn = nn.Conv1d(8, 8, 3, padding=1), nn.BatchNorm1d(8)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        places = torch.arange(int(lengths.max()), dtype=lengths.dtype)
        mask = places.expand(lengths.shape[0], -1) >= lengths.unsqueeze(1)
        y = self.attention(x, x, x, key_padding_mask=mask, need_weights=False)[0]
        return self.bn(self.conv(y.transpose(1, 2)))


@pytest.mark.slow
def test_lengths_and_sequences_that_fit_each_other_are_made_up_from_the_examples(tmp_path):
    inputs = {"x": torch.randn(2, 12, 8), "lengths": torch.tensor([12, 7])}
    exported = bnfold.export(Masked().eval(), inputs, tmp_path / "net.onnx")
    assert exported.check is not None
    assert len(exported.check.feeds) == 3
    folded = bnfold.fold(exported.path)
    assert folded.ledger.opinion.runtime
    assert bnfold.verify(exported.path, folded.model, samples=2).verdict == "equivalent"
