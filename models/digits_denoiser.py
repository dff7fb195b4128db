"""A small encoder and decoder that takes the noise off a digit, with transposed convolutions."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


class DigitsDenoiser(nn.Module):
    """`noisy [N, 1, 8, 8]` to the clean image `[N, 1, 8, 8]`; five batch norms.

    Two of them follow a ConvTranspose2d, one of which is grouped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.LeakyReLU(0.1),
            nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.1),
            nn.Conv2d(64, 96, 3, stride=2, padding=1),
            nn.BatchNorm2d(96),
            nn.LeakyReLU(0.1),
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(96, 64, 4, stride=2, padding=1, groups=2, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.LeakyReLU(0.1),
            nn.Conv2d(32, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """The clean image, each pixel between 0 and 1."""
        clean: torch.Tensor = self.decode(self.encode(noisy))
        return clean


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return DigitsDenoiser()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("digits_denoiser")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 8, 8),)
