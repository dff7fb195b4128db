"""Blocks of real architectures as small torch modules, with batch norms as training leaves them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class PitchLayer(nn.Module):
    """CREPE: Pad, Conv, Relu, BatchNorm, MaxPool, twice, then Linear."""

    shape = (1, 64)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, (8, 1)), nn.Conv2d(6, 4, (4, 1))
        self.norm_1, self.norm_2 = nn.BatchNorm2d(6, eps=1e-3), nn.BatchNorm2d(4, eps=1e-3)
        self.classifier = nn.Linear(4 * 16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.pad(x[:, :, :, None], (0, 0, 3, 4))
        x = functional.max_pool2d(self.norm_1(functional.relu(self.first(x))), (2, 1))
        x = functional.pad(x, (0, 0, 1, 2))
        x = functional.max_pool2d(self.norm_2(functional.relu(self.second(x))), (2, 1))
        return self.classifier(x.permute(0, 2, 1, 3).reshape(x.shape[0], -1))


class Points(nn.Module):
    """PointNet: a Linear on [N, L, C], transposed before BatchNorm1d, and a maximum over points."""

    shape = (7, 6)

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(6, 8), nn.BatchNorm1d(8)
        self.head, self.head_norm = nn.Linear(8, 5), nn.BatchNorm1d(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.linear(x).transpose(1, 2)))
        return functional.relu(self.head_norm(self.head(x.amax(dim=2))))


class Attention(nn.Module):
    """LeViT: Linear without a bias, flattened to [N L, C] before BatchNorm1d, and back."""

    shape = (9, 6)

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8)
        self.out, self.out_norm = nn.Linear(8, 6, bias=True), nn.BatchNorm1d(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        y = functional.hardswish(self.norm(y.flatten(0, 1)).reshape_as(y))
        z = self.out(y)
        return x + self.out_norm(z.flatten(0, 1)).reshape_as(z)


class Shuffle(nn.Module):
    """ShuffleNet: grouped 1x1, channel shuffle, depthwise, grouped 1x1, and a residual."""

    shape = (8, 10, 10)

    def __init__(self) -> None:
        super().__init__()
        self.compress = nn.Conv2d(8, 8, 1, groups=2, bias=False)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.expand = nn.Conv2d(8, 8, 1, groups=2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.norms[0](self.compress(x)))
        n, c, h, w = y.shape
        y = y.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.norms[2](self.expand(self.norms[1](self.depthwise(y))))
        return functional.relu(x + y)


class Dense(nn.Module):
    """DenseNet: batch norm before the activation, features concatenated, and its transition."""

    shape = (4, 12, 12)

    def __init__(self) -> None:
        super().__init__()
        widths = (4, 7, 10)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in widths)
        self.inner = nn.ModuleList(nn.BatchNorm2d(6) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv2d(c, 6, 1, bias=False) for c in widths[:2])
        self.wide = nn.ModuleList(nn.Conv2d(6, 3, 3, padding=1, bias=False) for _ in range(2))
        self.transition = nn.Conv2d(10, 5, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(2):
            y = self.narrow[i](functional.relu(self.norms[i](x)))
            y = self.wide[i](functional.relu(self.inner[i](y)))
            x = torch.cat([x, y], dim=1)
        return functional.avg_pool2d(self.transition(functional.relu(self.norms[2](x))), 2)


class Decoder(nn.Module):
    """A decoder: ConvTranspose, batch norm, activation, twice, from a batch norm of the input."""

    shape = (6, 5, 5)

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(6)
        self.reduce = nn.Conv2d(6, 8, 1)
        self.up_1 = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, groups=2, bias=False)
        self.up_2 = nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1)
        self.norm_1, self.norm_2 = nn.BatchNorm2d(4), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.reduce(self.norm(x))
        x = functional.leaky_relu(self.norm_1(self.up_1(x)))
        return torch.sigmoid(self.norm_2(self.up_2(x)))


class SqueezeExcite(nn.Module):
    """An inverted residual with a gate: the batch norm after the gate scales, then shifts."""

    shape = (4, 9, 9)

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.project = nn.Conv2d(4, 8, 1, bias=False), nn.Conv2d(8, 4, 1, bias=False)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.down, self.up = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (8, 8, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self.norms[0](self.expand(x)))
        y = functional.silu(self.norms[1](self.depthwise(y)))
        gate = functional.relu(self.down(y.mean((2, 3), keepdim=True)))
        y = y * torch.sigmoid(self.up(gate))
        return x + self.norms[2](self.project(y))


class Inception(nn.Module):
    """Four branches, one behind an average pool that counts its padding, concatenated, normed."""

    shape = (4, 9, 9)

    def __init__(self) -> None:
        super().__init__()
        self.one, self.pooled = nn.Conv2d(4, 3, 1, bias=False), nn.Conv2d(4, 2, 1, bias=False)
        self.three_a = nn.Conv2d(4, 3, (1, 3), padding=(0, 1), bias=False)
        self.three_b = nn.Conv2d(3, 4, (3, 1), padding=(1, 0), bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (3, 2, 3, 4))
        self.joined = nn.BatchNorm2d(9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.norms[0](self.one(x))
        b = self.norms[1](self.pooled(functional.avg_pool2d(x, 3, 1, 1)))
        c = functional.relu(self.norms[2](self.three_a(x)))
        c = self.norms[3](self.three_b(c))
        return functional.relu(self.joined(torch.cat([a, b, c], dim=1)))


class RepVgg(nn.Module):
    """The training form of RepVGG: 3x3, 1x1 and identity, each with a batch norm; then strided."""

    shape = (4, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.three = nn.ModuleList(
            nn.Conv2d(4, c, 3, s, padding=1, bias=False) for c, s in ((4, 1), (6, 2))
        )
        self.one = nn.ModuleList(nn.Conv2d(4, c, 1, s, bias=False) for c, s in ((4, 1), (6, 2)))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (4, 4, 4, 6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norms[0](self.three[0](x)) + self.norms[1](self.one[0](x)) + self.norms[2](x)
        y = functional.relu(y)
        return functional.relu(self.norms[3](self.three[1](y)) + self.norms[4](self.one[1](y)))


def trained_looking(block: type[nn.Module]) -> nn.Module:
    """The block in eval mode: scales of both signs, one of them small, statistics far from 0, 1."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    module = block().eval()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            norm.weight.data.uniform_(0.5, 1.5, generator=generator)
            norm.weight.data[1] *= -1
            norm.weight.data[0] *= 0.1
            norm.bias.data.normal_(generator=generator)
            norm.running_mean.normal_(generator=generator)
            norm.running_var.uniform_(0.5, 2.0, generator=generator)
    return module
