"""Inverted residuals with depthwise convolutions and Relu6, as phones run them."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


def conv_norm(
    c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution and its batch norm."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class InvertedResidual(nn.Module):
    """Widen by a factor, convolve each channel by itself, narrow again; added where sizes allow."""

    def __init__(self, c_in: int, c_out: int, stride: int, widen: int = 3) -> None:
        super().__init__()
        wide = widen * c_in
        self.is_added = stride == 1 and c_in == c_out
        self.layers = nn.Sequential(
            conv_norm(c_in, wide, 1),
            nn.ReLU6(),
            conv_norm(wide, wide, 3, stride, groups=wide),
            nn.ReLU6(),
            conv_norm(wide, c_out, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, c_in, H, W]` to `[N, c_out, H / stride, W / stride]`."""
        narrow: torch.Tensor = self.layers(x)
        return x + narrow if self.is_added else narrow


class MobileNet(nn.Module):
    """`image [N, 1, H, W]` to logits `[N, 10]`; seventeen batch norms, five of them depthwise."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_norm(1, 16, 3),
            nn.ReLU6(),
            InvertedResidual(16, 16, 1),
            InvertedResidual(16, 24, 2),
            InvertedResidual(24, 24, 1),
            InvertedResidual(24, 32, 2),
            InvertedResidual(32, 32, 1),
            conv_norm(32, 96, 1),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classify = nn.Linear(96, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.features(image))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return MobileNet()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("mobilenet")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
