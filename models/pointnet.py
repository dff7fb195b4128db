"""A network on clouds of points: each point by itself, the maximum over all, then linear layers."""

from __future__ import annotations

import torch
from torch import nn

from models.points import POINTS
from models.stored import with_stored_weights


def each_point(c_in: int, c_out: int) -> list[nn.Module]:
    """A linear map of each point, batch norm, Relu."""
    return [nn.Conv1d(c_in, c_out, 1, bias=False), nn.BatchNorm1d(c_out), nn.ReLU()]


class PointNet(nn.Module):
    """`points [N, 3, P]` to logits `[N, 10]`; five batch norms, two behind linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Sequential(
            *each_point(3, 32), *each_point(32, 64), nn.Conv1d(64, 128, 1), nn.BatchNorm1d(128)
        )
        self.classify = nn.Sequential(
            nn.Linear(128, 64, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(64, 32),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Linear(32, 10),
        )

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`, whatever the order of the points."""
        logits: torch.Tensor = self.classify(self.points(points).amax(dim=2))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return PointNet()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("pointnet")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 3, POINTS),)
