"""Networks that timm defines, by name; it is fetched as packages of others are.

timm imports torchvision, whose own operators are built for one torch and no other. None of these
networks uses one: two empty definitions let it be imported.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch
from torch import nn

from benchmarks.packages import fetch

PACKAGES = ("timm==1.0.19", "torchvision==0.29.1", "huggingface_hub==2.4.0", "pyyaml==6.0.4")
_MISSING = ("nms", "qnms")  # that torchvision registers a shape rule for, on import


def timm_network(name: str, packages: Path) -> nn.Module | None:
    """The network with drawn weights, in its training form; None where pip cannot get timm."""
    folders = [fetch(package, packages) for package in PACKAGES]
    if None in folders:
        return None
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]
    if "torchvision" not in sys.modules:
        _define(torch.library.Library("torchvision", "FRAGMENT"))
    timm = importlib.import_module("timm")
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, pretrained=False)
    return network


def _define(library: torch.library.Library) -> None:
    for name in _MISSING:
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARIES.append(library)


_LIBRARIES: list[torch.library.Library] = []
"""A definition lives as long as its library."""
