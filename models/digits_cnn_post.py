"""A digit classifier with batch norm after the activation, where most tools leave it standing."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


def conv_relu_norm(c_in: int, c_out: int, padding: int) -> nn.Sequential:
    """A 3 x 3 convolution, Relu, batch norm."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=padding), nn.ReLU(), nn.BatchNorm2d(c_out)
    )


class DigitsCnnPost(nn.Module):
    """`image [N, 1, 8, 8]` to logits `[N, 10]`; four batch norms, each behind a Relu.

    What follows each differs: a convolution without padding; pooling and Dropout, then a padded
    convolution, whose border the shift must not reach; a padded convolution at once; pooling,
    flattening and Dropout, then the linear layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_relu_norm(1, 16, padding=1),
            conv_relu_norm(16, 32, padding=0),
            nn.MaxPool2d(2),
            nn.Dropout(0.1),
            conv_relu_norm(32, 64, padding=1),
            conv_relu_norm(64, 64, padding=1),
            nn.AvgPool2d(3),
        )
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 10]`."""
        logits: torch.Tensor = self.classify(self.dropout(self.features(image).flatten(1)))
        return logits


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return DigitsCnnPost()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("digits_cnn_post")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
