"""A digit classifier as they are usually built: convolution, batch norm, activation."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


def conv_norm_relu(c_in: int, c_out: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, batch norm, Relu."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
    )


class DigitsCnn(nn.Module):
    """`image [N, 1, 8, 8]` to logits `[N, 10]`; five batch norms, one after a depthwise layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_norm_relu(1, 16, 3),
            conv_norm_relu(16, 32, 3),
            nn.MaxPool2d(2),
            conv_norm_relu(32, 32, 3, groups=32),
            conv_norm_relu(32, 64, 1),
            conv_norm_relu(64, 64, 3),
            nn.AvgPool2d(2),
        )
        self.classify = nn.Linear(64 * 2 * 2, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.features(image).flatten(1))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return DigitsCnn()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("digits_cnn")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
