"""MobileOne in its training form: several like branches, each with a batch norm of its own."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights

BRANCHES = 3


def conv_norm(c_in: int, c_out: int, kernel: int, stride: int, groups: int) -> nn.Sequential:
    """A convolution and its batch norm."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class Branches(nn.Module):
    """Relu of the sum of like convolutions, one of 1 x 1 for a wider kernel, and a batch norm."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.like = nn.ModuleList(
            conv_norm(c_in, c_out, kernel, stride, groups) for _ in range(BRANCHES)
        )
        if kernel > 1:
            self.like.append(conv_norm(c_in, c_out, 1, stride, groups))
        if c_in == c_out and stride == 1:
            self.like.append(nn.BatchNorm2d(c_in))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, c_in, H, W]` to `[N, c_out, H / stride, W / stride]`."""
        summed: torch.Tensor = self.like[0](x)
        for branch in self.like[1:]:
            summed = summed + branch(x)
        return torch.relu(summed)


def separable(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    """Each channel by itself, then all channels at each position."""
    return nn.Sequential(Branches(c_in, c_in, 3, stride, groups=c_in), Branches(c_in, c_out, 1))


class MobileOne(nn.Module):
    """`image [N, 1, H, W]` to logits `[N, 10]`; thirty-five batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Branches(1, 16, 3),
            separable(16, 24, 2),
            separable(24, 24, 1),
            separable(24, 48, 2),
            separable(48, 64, 1),
        )
        self.classify = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.blocks(image).mean(dim=(2, 3)))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return MobileOne()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("mobileone")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
