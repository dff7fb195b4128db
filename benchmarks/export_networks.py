"""Networks whose exports leave much to tidy: attention, recurrence, shuffles, windows, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.blocks import conv_norm


class Inverted(nn.Module):
    """A residual of a wide depthwise convolution, as MobileNetV2 has it."""

    def __init__(self, c_in: int, c_out: int, ratio: int, stride: int) -> None:
        super().__init__()
        wide = c_in * ratio
        self.is_residual = c_in == c_out and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(c_in, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide),
            nn.ReLU6(), nn.Conv2d(wide, c_out, 1, bias=False), nn.BatchNorm2d(c_out),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.is_residual else self.layers(x)


class Shuffled(nn.Module):
    """Half of the channels pass a branch, then all are shuffled, as in ShuffleNetV2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            conv_norm(half, half, 1), nn.ReLU(), conv_norm(half, half, 3, half),
            conv_norm(half, half, 1), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, taken = x.chunk(2, dim=1)
        joined = torch.cat((kept, self.branch(taken)), dim=1)
        n, c, h, w = joined.shape
        return joined.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class Transformer(nn.Module):
    """A small ViT with a batch norm in its stem, and torch's own attention."""

    def __init__(self, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 8, 8), nn.BatchNorm2d(width))
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.attentions = nn.ModuleList(
            nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(depth)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[0]
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(n, -1, -1), x], dim=1)
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            y = norm(x)
            x = x + attention(y, y, y, need_weights=False)[0]
        return x[:, 0]


class Reshaped(nn.Module):
    """Attention whose heads are reshaped by hand, as timm writes it."""

    def __init__(self, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 8, 8), nn.BatchNorm2d(width))
        self.layers = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        for layer in self.layers:
            n, t, c = x.shape
            q, k, v = layer(x).reshape(n, t, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
            attended = functional.scaled_dot_product_attention(q, k, v)
            x = x + attended.transpose(1, 2).reshape(n, t, c)
        return x.mean(1)


class Windowed(nn.Module):
    """Attention within windows of 4 x 4, as Swin has it, beside a residual."""

    def __init__(self, width: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.stem, self.heads = conv_norm(3, width), heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        n, c, h, w = x.shape
        tiles = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        parts = self.qkv(tiles).reshape(-1, 16, 3, self.heads, c // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q * (c // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        tiles = self.proj((weights @ v).transpose(1, 2).reshape(-1, 16, c))
        tiles = tiles.view(n, h // 4, w // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4)
        return x + tiles.reshape(n, c, h, w)


class UShaped(nn.Module):
    """A U-Net that pads and resizes to the sizes that it meets."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.deep = conv_norm(3, 8), conv_norm(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = conv_norm(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.down(x).relu()
        b = self.up(self.deep(functional.max_pool2d(a, 2)).relu())
        h, w = a.shape[2] - b.shape[2], a.shape[3] - b.shape[3]
        b = functional.pad(b, [w // 2, w - w // 2, h // 2, h - h // 2])
        return functional.interpolate(self.out(torch.cat([a, b], dim=1)), size=x.shape[2:])


class Recurrent(nn.Module):
    """A batch norm over features, then a recurrent layer."""

    def __init__(self, kind: type[nn.RNNBase], **how: Any) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.layer = kind(6, 5, batch_first=True, **how)  # type: ignore[call-arg]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(self.norm(x.transpose(1, 2)).transpose(1, 2))[0]
        return answer


class Columns(nn.Module):
    """Columns of an image as a sequence, as readers of text have it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv_norm(1, 8)
        self.layer = nn.LSTM(128, 16, 2, bidirectional=True)
        self.out = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = (y := self.conv(x).relu()).shape
        columns = y.permute(3, 0, 1, 2).reshape(w, n, c * h)
        return functional.log_softmax(self.out(self.layer(columns)[0]), dim=2)


class Gated(nn.Module):
    """Squeeze and excitation with shapes taken from the input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv_norm(3, 16)
        self.gate = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16), nn.Hardsigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.hardswish(self.conv(x))
        n, c, _, _ = y.shape
        weights = self.gate(functional.adaptive_avg_pool2d(y, 1).view(n, c)).view(n, c, 1, 1)
        return y * weights.expand_as(y)


def _mobile() -> nn.Module:
    return nn.Sequential(conv_norm(3, 16), *(Inverted(16, 16, 6, 1) for _ in range(8)))


def _shuffle() -> nn.Module:
    return nn.Sequential(conv_norm(3, 16), *(Shuffled(16) for _ in range(8)))


NETWORKS: Mapping[str, tuple[Any, tuple[int, ...]]] = {
    "inverted residuals": (_mobile, (2, 3, 16, 16)),
    "channel shuffles": (_shuffle, (2, 3, 16, 16)),
    "transformer": (Transformer, (2, 3, 32, 32)),
    "attention by reshapes": (Reshaped, (2, 3, 32, 32)),
    "window attention": (Windowed, (2, 3, 16, 16)),
    "U-Net": (UShaped, (2, 3, 16, 16)),
    "squeeze and excitation": (Gated, (2, 3, 16, 16)),
    "RNN": (lambda: Recurrent(nn.RNN), (2, 7, 6)),
    "GRU": (lambda: Recurrent(nn.GRU), (2, 7, 6)),
    "LSTM": (lambda: Recurrent(nn.LSTM), (2, 7, 6)),
    "two layers of GRU, both ways": (
        lambda: Recurrent(nn.GRU, num_layers=2, bidirectional=True),
        (2, 7, 6),
    ),
    "columns of an image": (Columns, (2, 1, 16, 32)),
}
"""Name, what makes it, and the shape of its input."""
