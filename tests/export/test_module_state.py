"""A module is afterwards what it was, and its copies share nothing with it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import ModelError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.kept: dict[str, Any] = {}

    def forward(self, x: torch.Tensor) -> Any:
        return self.norm(self.conv(x))


class Counting(Net):
    """Counts its calls, in a buffer and in an attribute, and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.runs = 0

    def forward(self, x: torch.Tensor) -> Any:
        self.calls += 1
        self.runs += 1
        self.kept["last"] = x
        self.seen = x
        return super().forward(x)


class StuckInTraining(Net):
    def train(self, mode: bool = True) -> StuckInTraining:
        super().train(mode)
        self.norm.train(True)
        return self


class Tapped(Net):
    """Gives what its hooks keep; a hook is a closure over the module itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv.register_forward_hook(lambda _module, _args, out: self.kept.update(conv=out))

    def forward(self, x: torch.Tensor) -> Any:
        y = super().forward(x)
        return y, self.kept["conv"]


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_an_export_leaves_what_the_forward_counts_and_keeps():
    module = Counting().eval()
    before = state(module)
    bnfold.export(module, (2, 3, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert (module.runs, module.kept, hasattr(module, "seen")) == (0, {}, False)


def test_a_batch_norm_that_stays_in_training_mode_is_named_and_its_statistics_kept():
    module = StuckInTraining()
    before = state(module)
    with pytest.raises(ModelError, match="BatchNorm2d 'norm' is in training mode even after eval"):
        bnfold.export(module, (2, 3, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_dropout_that_stays_in_training_mode_is_named():
    class Random(Net):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x: torch.Tensor) -> Any:
            self.drop.train()
            return self.drop(super().forward(x))

    with pytest.raises(ModelError, match=r"Dropout 'drop'.*drops values at random"):
        bnfold.export(Random(), (2, 3, 8, 8))


def test_features_that_hooks_keep_come_through_and_are_checked():
    module = Tapped().eval()
    result = bnfold.export(module, (1, 3, 8, 8))
    assert result.check is not None
    assert result.check.verdict == "equivalent"
    other = Tapped().eval()
    assert bnfold.verify(other, result.model).verdict == "different"


def test_a_module_that_keeps_results_with_gradients_is_verified():
    module = Tapped().eval()
    model = bnfold.export(module, (1, 3, 8, 8)).model
    module(torch.randn(2, 3, 8, 8))
    assert bnfold.verify(module, model)
