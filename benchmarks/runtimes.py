"""What a fold buys on the runtimes that serve models: networks by versions of onnxruntime.

    python -m benchmarks.runtimes                  # writes benchmarks/runtimes.md and runtimes.json
    python -m benchmarks.runtimes --only tabular --version 1.22.1 --print

Each version gets an environment of its own from the package index, and measures by itself what
bnfold hands it. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import bnfold
from benchmarks.blocks import NETWORKS, SHAPE
from benchmarks.network_sources import sources
from benchmarks.packages import environment
from bnfold.bench.records import BenchResult
from bnfold.record import json_form
from bnfold.report.bench_text import environment_line

VERSIONS = ("1.17.3", "1.20.1", "1.22.1", "1.24.1", "newest")
INT8_VERSIONS = ("1.22.1", "newest")
OLDEST = "onnxruntime==1.17"
REAL = ("crepe-full", "resnet18", "mobilenetv2_wd4", "preresnet18")
DURATION_S = 4.0
CALIBRATION = 32

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A network at a batch, and how to get its file."""

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
    """The networks of the table."""
    for batch in (1, 10, 100, 1000):
        yield Row("tabular", batch, lambda place: _exported(Tabular(), (2, 30), place))
    for name, build in NETWORKS.items():
        yield Row(name, 1, lambda place, build=build: _exported(build(), SHAPE, place))  # type: ignore[misc]
    for source in sources(folder):
        if source.name in REAL:
            yield Row(source.name, 1, lambda place, source=source: source.get())  # type: ignore[misc]


def _exported(module: nn.Module, shape: tuple[int, ...], place: Path) -> Path:
    """The module with statistics as training leaves them, as a file that the oldest one loads."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            with torch.no_grad():
                part.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    path = place / "original.onnx"
    bnfold.export(module.eval(), torch.randn(shape), path, runtime=OLDEST)
    return path


def python_of(version: str, folder: Path) -> str | None:
    """The interpreter of an environment with that version; None where pip cannot make it."""
    number = "onnxruntime" if version == "newest" else f"onnxruntime=={version}"
    old = version != "newest" and tuple(map(int, version.split(".")[:2])) < (1, 19)
    requirements = folder / f"requirements-{version}.txt"
    requirements.write_text(f"{number}\n{'numpy<2' if old else 'numpy'}\n")
    python = environment(requirements, folder)
    return None if python is None else str(python)


def measured(row: Row, pythons: Sequence[str], *, duration: float, int8: bool) -> BenchResult:
    """The network, and the network folded, on every runtime."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        original, folded = row.get(place), place / "folded.onnx"
        bnfold.fold(original, runtime=OLDEST).save(folded)
        calibration = None
        if int8:
            from bnfold import model_io
            from bnfold.runtime.signature import inputs_of

            (spec,) = inputs_of(model_io.load(original))
            shape = [dim if isinstance(dim, int) else CALIBRATION for dim in spec.dims or ()]
            drawn = np.random.default_rng(0).standard_normal(shape)
            calibration = {spec.name: drawn.astype(np.float32)}
        return bnfold.bench(
            [original, folded],
            pythons=pythons,
            levels="all",
            batch=row.batch,
            duration=duration,
            int8=calibration,
        )


def cell(found: BenchResult, runtime: str) -> str:
    """What the table says of one runtime."""
    failed = [one for one in found.failed if one.runtime == runtime]
    if failed:
        names = " and ".join("folded" if "folded" in one.model else "original" for one in failed)
        return f"does not load: {names}"
    return next(row.sentence for row in found.comparisons if row.runtime == runtime)


def main() -> int:
    """Measures, and writes the table and the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="for environments and files")
    parser.add_argument("--only", action="append", default=[], help="part of a network's name")
    parser.add_argument("--version", action="append", default=[], help="of onnxruntime")
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds of pairs")
    parser.add_argument("--print", action="store_true", help="write nothing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")  # the exporter's, about its own future
    versions = options.version or VERSIONS
    known = {version: python_of(version, options.folder) for version in versions}
    pythons = {version: python for version, python in known.items() if python is not None}
    lines, records, last = [], {}, None
    for row in rows(options.folder):
        if options.only and not any(part in row.name for part in options.only):
            continue
        for int8 in (False, True):
            asked = {v: p for v, p in pythons.items() if not int8 or v in INT8_VERSIONS}
            if not asked:
                continue
            title = f"{row.name}, batch {row.batch}{', int8' if int8 else ''}"
            print(f"{title} ...", file=sys.stderr, flush=True)
            try:
                found = measured(row, list(asked.values()), duration=options.duration, int8=int8)
            except bnfold.BnfoldError as error:
                lines.append(f"| {title} | {' | '.join([str(error)[:80]] * len(pythons))} |")
                continue
            last = found
            records[title] = found.to_dict()
            names = {one.path: one.name for one in found.runtimes}
            cells = [cell(found, names[asked[v]]) if v in asked else "" for v in pythons]
            lines.append(f"| {title} | {' | '.join(cells)} |")
    head = [f"| folded against original | {' | '.join(pythons)} |"]
    head.append(f"| --- |{' --- |' * len(pythons)}")
    told = [] if last is None else ["", f"{environment_line(last).capitalize()}."]
    text = "\n".join([*head, *lines, *told])
    print(text)
    if not options.print:
        (_HERE / "runtimes.md").write_text(f"# By runtime\n\n{text}\n", encoding="utf-8")
        record = json.dumps(json_form(records), indent=1)
        (_HERE / "runtimes.json").write_text(record, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
