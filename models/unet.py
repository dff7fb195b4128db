"""A U-Net that takes the noise off an image: skips, and transposed convolutions on the way up."""

from __future__ import annotations

import torch
from torch import nn

from models.stored import with_stored_weights


def conv_norm_relu(c_in: int, c_out: int) -> nn.Sequential:
    """A 3 x 3 convolution, batch norm, Relu."""
    conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU())


def up(c_in: int, c_out: int) -> nn.Sequential:
    """Twice the size by a transposed convolution, batch norm, Relu."""
    conv = nn.ConvTranspose2d(c_in, c_out, 2, stride=2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU())


class UNet(nn.Module):
    """`noisy [N, 1, H, W]`, H and W divisible by 4, to the clean image; seven batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = conv_norm_relu(1, 12)
        self.middle = conv_norm_relu(12, 24)
        self.coarse = conv_norm_relu(24, 48)
        self.shrink = nn.MaxPool2d(2)
        self.to_middle = up(48, 24)
        self.join_middle = conv_norm_relu(48, 24)
        self.to_fine = up(24, 12)
        self.join_fine = conv_norm_relu(24, 12)
        self.noise = nn.Conv2d(12, 1, 1)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """The clean image: what came in without the noise that was found in it."""
        fine = self.fine(noisy)
        middle = self.middle(self.shrink(fine))
        coarse = self.coarse(self.shrink(middle))
        middle = self.join_middle(torch.cat((middle, self.to_middle(coarse)), dim=1))
        fine = self.join_fine(torch.cat((fine, self.to_fine(middle)), dim=1))
        clean: torch.Tensor = noisy - self.noise(fine)
        return clean


def build_untrained() -> nn.Module:
    """The network with random weights."""
    return UNet()


def build() -> nn.Module:
    """The trained network, in eval mode."""
    return with_stored_weights("unet")


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape, for export."""
    return (torch.zeros(2, 1, 28, 28),)
