"""A digit classifier of linear layers, which also normalises its input by a batch norm."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


class DigitsMlp(nn.Module):
    """`image [N, 1, 8, 8]` to logits `[N, 10]`; three batch norms, the first on the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(64),
            nn.Linear(64, 64, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(64, 32),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Linear(32, 10),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.layers(image)
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return DigitsMlp()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("digits_mlp")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
