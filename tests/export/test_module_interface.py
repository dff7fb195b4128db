"""What a module takes and gives: dictionaries, keywords, structures, Python's own sizes."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import pytest
import torch
from torch import nn

import bnfold

PAIR = {"image": torch.randn(1, 3, 8, 8), "scale": torch.ones(1, 4, 1, 1)}
Boxes = namedtuple("Boxes", "boxes scores")


@dataclass
class Answer:
    logits: torch.Tensor
    features: list[torch.Tensor]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, batch: dict[str, torch.Tensor]) -> Any:
        return self.norm(self.conv(batch["image"])) * batch["scale"]


class Keywords(Net):
    def forward(self, **batch: torch.Tensor) -> Any:
        return super().forward(batch)


class Both(Net):
    def forward(self, image: torch.Tensor, **others: torch.Tensor) -> Any:
        return super().forward({"image": image, **others})


@pytest.mark.parametrize(
    ("module", "given", "names"),
    [
        (Net(), (PAIR,), ["batch_image", "batch_scale"]),
        (Net(), {"batch": PAIR}, ["batch_image", "batch_scale"]),
        (Keywords(), PAIR, ["image", "scale"]),
        (Both(), PAIR, ["image", "scale"]),
    ],
    ids=["dictionary", "dictionary by name", "keywords", "one by name and keywords"],
)
def test_inputs_in_dictionaries_and_keywords_have_a_dynamic_batch(module, given, names):
    model = bnfold.export(module, given).model
    assert [value.name for value in model.graph.inputs] == names
    assert all(str(value.shape[0]) == "batch" for value in model.graph.inputs)
    assert bnfold.verify(module, model)


@pytest.mark.parametrize(
    "flatten",
    [
        lambda y, x: y.reshape(len(x), -1),
        lambda y, x: y.reshape(int(x.shape[0]), -1),
        lambda y, x: y.reshape(int(y.shape[0]), int(y.shape[1]) * int(y.shape[2] * y.shape[3])),
    ],
    ids=["len", "int", "sizes multiplied"],
)
def test_a_size_that_the_code_makes_an_integer_stays_dynamic(flatten):
    class Flat(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return flatten(self.norm(self.conv(x)), x)

    result = bnfold.export(Flat(), (1, 3, 6, 6))
    assert result.warnings == ()
    assert str(result.model.graph.inputs[0].shape[0]) == "batch"


def test_a_batch_that_is_walked_through_is_fixed_and_told():
    class Walk(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return torch.stack([image.mean(0) for image in self.norm(self.conv(x))])

    result = bnfold.export(Walk(), (1, 3, 6, 6))
    assert result.warnings == ("not dynamic: dimension 0 of x is fixed by the network",)
    assert result.model.graph.inputs[0].shape == ir.Shape([1, 3, 6, 6])


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (lambda y: {"out": y, "feature": [y, y + 1]}, ["out", "feature_0", "feature_1"]),
        (lambda y: Answer(y, [y + 1]), ["logits", "features_0"]),
        (lambda y: Boxes(y, y + 1), ["boxes", "scores"]),
        (lambda y: (y, {"a": y + 1}), ["output_0", "output_1_a"]),
        (lambda y: [y, y + 1], ["output_0", "output_1"]),
        (lambda y: y, ["output"]),
    ],
    ids=["dictionary", "dataclass", "named tuple", "dictionary in a tuple", "list", "tensor"],
)
def test_outputs_have_the_names_that_the_module_gives_them(given, names):
    class Structured(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return given(self.norm(self.conv(x)))

    model = bnfold.export(Structured(), (2, 3, 8, 8), check=False).model
    assert [value.name for value in model.graph.outputs] == names


@pytest.mark.slow
def test_attention_with_a_computed_bias_is_exported_as_it_runs_without_gradients():
    class Biased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(8)
            self.bias = nn.Linear(1, 2)

        def forward(self, x: torch.Tensor) -> Any:
            q = self.norm(x.flatten(0, 1)).reshape(x.shape[0], x.shape[1], 2, 4).transpose(1, 2)
            bias = self.bias(x[..., :1]).transpose(1, 2).unsqueeze(2)
            out = nn.functional.scaled_dot_product_attention(q, q, q, bias)
            return out.transpose(1, 2).flatten(2)

    module = Biased().eval()
    assert bnfold.verify(module, bnfold.export(module, (2, 5, 8)).model)
