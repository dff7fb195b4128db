"""RepVGG in its training form: three linear branches, each with a batch norm, before each Relu."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


def conv_norm(c_in: int, c_out: int, kernel: int, stride: int) -> nn.Sequential:
    """A convolution and its batch norm."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class Block(nn.Module):
    """`Relu(norm(conv 3 x 3) + norm(conv 1 x 1) + norm(x))`, the last where sizes allow."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.wide = conv_norm(c_in, c_out, 3, stride)
        self.narrow = conv_norm(c_in, c_out, 1, stride)
        self.same = nn.BatchNorm2d(c_in) if stride == 1 and c_in == c_out else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, c_in, H, W]` to `[N, c_out, H / stride, W / stride]`."""
        summed: torch.Tensor = self.wide(x) + self.narrow(x)
        if self.same is not None:
            summed = summed + self.same(x)
        return torch.relu(summed)


class RepVgg(nn.Module):
    """`image [N, 1, H, W]` to logits `[N, 10]`; fifteen batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Block(1, 16),
            Block(16, 16),
            Block(16, 32, 2),
            Block(32, 32),
            Block(32, 32),
            Block(32, 48, 2),
        )
        self.classify = nn.Linear(48, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.blocks(image).mean(dim=(2, 3)))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return RepVgg()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("repvgg")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
