"""The networks of the tables of speed: those that people deploy, and two small ones for int8.

Statistics of batch norms are those of training where the weights are; else they are drawn so that
no two channels are alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import bnfold
from benchmarks.blocks import SHAPE, post_activation
from benchmarks.network_sources import randomise, sources
from benchmarks.timm_networks import timm_network
from models.registry import build

OLDEST = "onnxruntime==1.17"
TABULAR_BATCHES = (1, 10, 100, 1000)
TIMM = ("levit_128s", "mobileone_s0", "repvgg_a0")
OTHERS = {
    "crepe-full": "CREPE, trained",
    "ch_PP-OCRv4_det_infer": "PP-OCRv4 detection, trained",
    "ch_ppocr_mobile_v2.0_cls_infer": "PP-OCR direction, trained",
    "preresnet18": "pre-activation ResNet-18",
    "mobilenetv2_wd4": "MobileNetV2 x0.25",
    "resnet18": "ResNet-18",
}
_IMAGE = (2, 3, 224, 224)


@dataclass(frozen=True)
class Row:
    """A network at a batch, and how to get its file into a folder."""

    name: str
    batch: int
    get: Callable[[Path], Path]


class Tabular(nn.Module):
    """30 features through 128, 64 and 32 units, a batch norm behind each Relu, to one number."""

    def __init__(self) -> None:
        super().__init__()
        widths = (30, 128, 64, 32)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.BatchNorm1d(after)]
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(x)
        return out


def rows(folder: Path) -> Iterator[Row]:
    """The networks; files and packages are kept in `folder`. What pip cannot get is left out."""
    for batch in TABULAR_BATCHES:
        yield Row("tabular MLP", batch, _tabular)
    yield Row("PointNet, trained", 1, lambda place: _exported(build("pointnet"), _points(), place))
    for padding, title in ((1, "padded"), (0, "unpadded")):
        yield Row(
            f"post-activation, {title}", 1,
            lambda place, padding=padding: _exported(post_activation(padding), SHAPE, place),
        )  # fmt: skip
    for name in TIMM:
        yield Row(name, 1, lambda place, name=name: _of_timm(name, folder))  # type: ignore[misc]
    for source in sources(folder):
        if source.name in OTHERS:
            title = OTHERS[source.name]
            yield Row(title, 1, lambda place, source=source: source.get())  # type: ignore[misc]


def _tabular(place: Path) -> Path:
    return _exported(_drawn(Tabular(), (64, 30)), (2, 30), place)


def _points() -> tuple[int, ...]:
    from models.pointnet import example_inputs

    return tuple(example_inputs()[0].shape)


def _of_timm(name: str, folder: Path) -> Path:
    path = folder / f"{name}.onnx"
    if not path.exists():
        network = timm_network(name, folder / "packages")
        if network is None:
            raise bnfold.ModelError(f"{name}: pip cannot get timm")
        drawn = _drawn(network, _IMAGE)
        bnfold.export(drawn, torch.randn(_IMAGE), path, check=False, runtime=OLDEST)
    return path


def _drawn(module: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    randomise(module, shape)
    return module.eval()


def _exported(module: nn.Module, shape: tuple[int, ...], place: Path) -> Path:
    """The module as a file that the oldest runtime loads."""
    path = place / "original.onnx"
    bnfold.export(module.eval(), torch.randn(shape), path, runtime=OLDEST)
    return path
