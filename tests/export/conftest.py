"""Small networks of each kind, each exported once for all tests that look at it.

An export takes torch half a second, and these tests are the slowest part of the fast ones. What
they guard is torch's own work: no stand-in would tell what a new version of it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

import bnfold
from bnfold.export import ExportResult
from tests.runtime_oracle import in_onnxruntime

Network = tuple[nn.Module, Any]


class Block(nn.Module):
    """A residual block: its operators come from submodules and from its own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.bn(self.conv(x)) + x).relu()


class Shuffle(nn.Module):
    """Channel shuffle, split and batch norm, as ShuffleNet has them."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        first, second = self.bn(x).chunk(2, dim=1)
        return second, first


class Named(nn.Module):
    """Two inputs, one of them optional, and a dictionary of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(3)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": self.bn(left) + right, "difference": left - right}


class Tokens(nn.Module):
    """Linear on [N, L, C], its output flattened before the batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 6, bias=False)
        self.bn = nn.BatchNorm1d(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        return self.bn(x.flatten(0, 1)).reshape_as(x)


def _conv1d() -> Network:
    return (
        nn.Sequential(
            nn.Conv1d(2, 4, 3, groups=2, bias=False),
            nn.BatchNorm1d(4, affine=False),
            nn.ConvTranspose1d(4, 2, 2, bias=False),
            nn.BatchNorm1d(2),
        ),
        (1, 2, 9),
    )


def _conv3d() -> Network:
    layers = [nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.ConvTranspose3d(4, 2, 2), nn.BatchNorm3d(2)]
    return nn.Sequential(*layers), (1, 1, 5, 5, 5)


def _conv2d() -> Network:
    return (
        nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            Block(),
            nn.ConvTranspose2d(4, 2, 3, stride=2, bias=False),
            nn.BatchNorm2d(2),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(2 * 13 * 13, 3, bias=False),
            nn.BatchNorm1d(3),
        ),
        (1, 1, 8, 8),
    )


NETWORKS: dict[str, Callable[[], Network]] = {
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "conv3d": _conv3d,
    "shuffle": lambda: (Shuffle(), (1, 6, 4, 4)),
    "named": lambda: (Named(), {"right": (1, 3), "left": (1, 3)}),
    "tokens": lambda: (Tokens(), (1, 7, 5)),
}


def randomise(module: nn.Module) -> nn.Module:
    """Statistics and weights that are neither 0 nor 1, so that a dropped one shows."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.1)
    return module


def build(name: str) -> Network:
    module, inputs = NETWORKS[name]()
    return randomise(module), inputs


@pytest.fixture(scope="session")
def exported() -> Callable[[str], ExportResult]:
    """The export of a network of this file, by name."""

    @cache
    def export(name: str) -> ExportResult:
        module, inputs = build(name)
        return bnfold.export(module, inputs)

    return export


@pytest.fixture(scope="session")
def network() -> Callable[[str], Network]:
    """A network of this file with its inputs, by name; always the same weights."""
    return build


@pytest.fixture(scope="session")
def operators() -> Callable[[ir.Model], Counter[str]]:
    """How often each operator stands in a graph, bodies included."""
    return lambda model: Counter(node.op_type for node in model.graph.all_nodes())


@pytest.fixture(scope="session")
def run() -> Callable[..., list[np.ndarray]]:
    """A graph's answers in onnxruntime, its optimisations off."""

    def answers(model: ir.Model, *arrays: np.ndarray) -> list[np.ndarray]:
        names = [value.name for value in model.graph.inputs]
        return in_onnxruntime(ir.to_proto(model), dict(zip(names, arrays, strict=True)))

    return answers
