"""A network whose layers read all layers before them, each through a batch norm of its own."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights

GROWTH = 8


def norm_relu_conv(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    """Batch norm, Relu, and a convolution that keeps the size."""
    return nn.Sequential(
        nn.BatchNorm2d(c_in),
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False),
    )


class DenseBlock(nn.Module):
    """Layers of `GROWTH` channels; what comes out is all of them beside what came in."""

    def __init__(self, c_in: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            norm_relu_conv(c_in + i * GROWTH, GROWTH, 3) for i in range(layers)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, c_in, H, W]` to `[N, c_in + layers * GROWTH, H, W]`."""
        for layer in self.layers:
            x = torch.cat((x, layer(x)), dim=1)
        return x


class DenseNet(nn.Module):
    """`image [N, 1, H, W]` to logits `[N, 10]`; ten batch norms, eight of them behind a Concat."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            DenseBlock(16, 4),
            norm_relu_conv(48, 24, 1),
            nn.AvgPool2d(2),
            DenseBlock(24, 4),
            nn.BatchNorm2d(56),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(56, 10),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.layers(image)
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return DenseNet()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("densenet")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
