"""A residual network whose batch norms stand before the convolutions they belong to.

Identity mappings run from the first convolution to the last batch norm, so most of these have
neighbours on both sides that others read too: what folds depends on the signs that training left.
"""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


class Block(nn.Module):
    """Batch norm, Relu, convolution, twice; added to what came in."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(c_in), nn.ReLU())
        self.convolve = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
        )
        self.shortcut = None
        if stride != 1 or c_in != c_out:
            self.shortcut = nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, c_in, H, W]` to `[N, c_out, H / stride, W / stride]`."""
        active = self.activate(x)
        kept = x if self.shortcut is None else self.shortcut(active)
        summed: torch.Tensor = self.convolve(active) + kept
        return summed


class PreResNet(nn.Module):
    """`image [N, 1, H, W]` to logits `[N, 10]`; eleven batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(
            Block(16, 16, 1), Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 48, 2)
        )
        self.classify = nn.Sequential(
            nn.BatchNorm2d(48), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.blocks(self.stem(image)))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return PreResNet()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("preresnet")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
