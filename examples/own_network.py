"""A network of your own, from a file: `build` gives it, `example_inputs` says what it is fed.

    python examples/own_network.py
    bnfold run examples/own_network.py:build -o out

The second line does all that the toolkit does, and writes a report; the first is the same by hand.
Here the network is as its constructor draws it. Of a trained one, saved by
`safetensors.torch.save_file(network.state_dict(), "weights.safetensors")`:

    python examples/own_network.py weights.safetensors folded.onnx
    bnfold run examples/own_network.py:build --weights weights.safetensors -o out

Without a name for the folded model it goes to a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

import bnfold


class Own(nn.Module):
    """`image [N, 3, 32, 32]` to logits `[N, 5]`, with batch norm before and after activations."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2),
            nn.ReLU(),
            nn.BatchNorm2d(32),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classify = nn.Linear(32, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[N, 5]`."""
        logits: torch.Tensor = self.classify(self.features(image))
        return logits


def build() -> nn.Module:
    """The network, in eval mode."""
    return Own().eval()


def example_inputs() -> tuple[torch.Tensor, ...]:
    """Inputs of the right shape; two rows, so that nothing depends on there being one."""
    return (torch.zeros(2, 3, 32, 32),)


def main(weights: str | None = None, target: str | None = None) -> None:
    """Exports this file's network, folds it, and says what became of each batch norm."""
    exported = bnfold.export(f"{Path(__file__)}:build", weights=weights)
    result = bnfold.fold(exported.model)
    for decision in result.ledger.decisions:
        print(f"{decision.name}: {decision.status} {', '.join(decision.into)}")
    bnfold.verify(exported.model, result.model).raise_if_different()
    path = Path(target or Path(tempfile.mkdtemp(prefix="own-network-")) / "own_network.onnx")
    print(f"written: {result.save(path)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
