"""One classifier in six variants: batch norm before the activation, after it, or not at all.

Each comes with Dropout and without; everything else is the same, so that what differs between them
is what batch norm does. `python -m models.study` trains them by the hundred.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from models.stored import with_stored_weights

Place = Literal["before", "after", "none"]

WIDTHS = (16, 24, 32, 48)
DROPOUT = 0.25


def block(c_in: int, c_out: int, place: Place) -> list[nn.Module]:
    """A 3 x 3 convolution and Relu, with a batch norm before, after or nowhere."""
    conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=place != "before")
    if place == "before":
        return [conv, nn.BatchNorm2d(c_out), nn.ReLU()]
    if place == "after":
        return [conv, nn.ReLU(), nn.BatchNorm2d(c_out)]
    return [conv, nn.ReLU()]


class Cnn(nn.Module):
    """`image [N, 1, H, W]` to logits `[N, 10]`; four blocks, pooling after two."""

    def __init__(self, place: Place, dropout: bool) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        drop = [nn.Dropout(DROPOUT)] if dropout else []
        self.features = nn.Sequential(
            *block(1, a, place),
            *block(a, b, place),
            nn.MaxPool2d(2),
            *drop,
            *block(b, c, place),
            *block(c, d, place),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            *drop,
        )
        self.classify = nn.Linear(d, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.features(image))
        return logits


def build_untrained(place: Place = "before", dropout: bool = False) -> nn.Module:
    """The variant with random weights."""
    return Cnn(place, dropout)


def pre() -> nn.Module:
    """Trained: batch norm before the activation."""
    return with_stored_weights("cnn_pre")


def post() -> nn.Module:
    """Trained: batch norm after the activation."""
    return with_stored_weights("cnn_post")


def plain() -> nn.Module:
    """Trained: no batch norm."""
    return with_stored_weights("cnn_plain")


def pre_dropout() -> nn.Module:
    """Trained: batch norm before the activation, and Dropout."""
    return with_stored_weights("cnn_pre_dropout")


def post_dropout() -> nn.Module:
    """Trained: batch norm after the activation, and Dropout."""
    return with_stored_weights("cnn_post_dropout")


def plain_dropout() -> nn.Module:
    """Trained: Dropout, and no batch norm."""
    return with_stored_weights("cnn_plain_dropout")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
