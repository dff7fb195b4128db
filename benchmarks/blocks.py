"""Networks in the style of well-known ones, with batch norms where those have them.

Small enough to time in seconds; weights and statistics are random, since time does not depend on
them. `x [N, 3, 32, 32]` goes in.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

SHAPE = (1, 3, 32, 32)
CHANNELS = 32
BLOCKS = 4


class Residual(nn.Module):
    """What it holds, added to its input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Branches(nn.Module):
    """The sum of parallel branches, then an activation: RepVGG and MobileOne while they train."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *others = (branch(x) for branch in self.branches)
        return torch.relu(sum(others, first))


class Joined(nn.Module):
    """The input and what is made of it, one after the other along the channels: DenseNet."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], dim=1)


def conv(
    c_in: int, c_out: int, size: int = 3, groups: int = 1, padding: int | None = None
) -> nn.Conv2d:
    """A convolution that keeps the spatial extent, unless its padding is said."""
    pads = size // 2 if padding is None else padding
    return nn.Conv2d(c_in, c_out, size, padding=pads, groups=groups, bias=False)


def conv_norm(c_in: int, c_out: int, size: int = 3, groups: int = 1) -> nn.Sequential:
    """A convolution and its batch norm."""
    return nn.Sequential(conv(c_in, c_out, size, groups), nn.BatchNorm2d(c_out))


def resnet_like() -> nn.Module:
    """Conv, batch norm, Relu, with shortcuts: what every runtime folds by itself."""
    c = CHANNELS
    blocks = [
        Residual(conv_norm(c, c), nn.ReLU(), conv_norm(c, c), nn.ReLU()) for _ in range(BLOCKS)
    ]
    return _network(conv_norm(3, c), *blocks)


def preresnet_like() -> nn.Module:
    """Batch norm and Relu before each convolution; the first of each block reads a sum."""
    c = CHANNELS
    blocks = [
        Residual(nn.BatchNorm2d(c), nn.ReLU(), conv_norm(c, c), nn.ReLU(), conv(c, c))
        for _ in range(BLOCKS)
    ]
    return _network(conv(3, c), *blocks)


def post_activation(padding: int | None = None) -> nn.Module:
    """Convolution, Relu, batch norm, pooling: the order of CREPE."""
    c = CHANNELS
    layers: list[nn.Module] = []
    for i in range(BLOCKS):
        layers += [conv(3 if i == 0 else c, c, padding=padding), nn.ReLU(), nn.BatchNorm2d(c)]
        layers += [nn.MaxPool2d(2)] if i % 2 else []
    return _network(*layers)


def mobileone_like() -> nn.Module:
    """Four depthwise branches and a batch norm of the input, then the same with 1 x 1 kernels."""
    c = CHANNELS
    blocks = []
    for _ in range(BLOCKS):
        depthwise = [conv_norm(c, c, 3, c) for _ in range(4)]
        blocks.append(Branches(*depthwise, conv_norm(c, c, 1, c), nn.BatchNorm2d(c)))
        blocks.append(Branches(*(conv_norm(c, c, 1) for _ in range(4)), nn.BatchNorm2d(c)))
    return _network(conv_norm(3, c), *blocks)


def _network(*layers: nn.Module) -> nn.Module:
    """The layers, pooled to ten numbers, with statistics as training leaves them."""
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))
    network(torch.zeros(SHAPE))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "as ResNet": resnet_like,
    "as PreResNet": preresnet_like,
    "as CREPE": post_activation,
    "as MobileOne in training": mobileone_like,
}
