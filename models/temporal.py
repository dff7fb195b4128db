"""A temporal network: dilated convolutions over a signal, batch norm behind the sum of branches."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights

WIDTH = 32


class Dilated(nn.Module):
    """`norm(Relu(x + conv(x)))`, where the convolution sees `dilation` frames to each side."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, WIDTH, T]` to the same."""
        normalised: torch.Tensor = self.norm(torch.relu(x + self.conv(x)))
        return normalised


class Temporal(nn.Module):
    """`signal [N, 12, T]` to logits `[N, 9]`; six batch norms, the first on the signal itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(12),
            nn.Conv1d(12, WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            Dilated(1),
            Dilated(2),
            Dilated(4),
            nn.AdaptiveMaxPool1d(1),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(WIDTH, WIDTH, bias=False),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, 9),
        )

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 9]`."""
        logits: torch.Tensor = self.layers(signal)
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return Temporal()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("temporal")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 12, 29),)
