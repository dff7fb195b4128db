"""What a fold buys on the runtimes that serve models: networks by versions of onnxruntime.

    python -m benchmarks.runtimes                  # writes benchmarks/runtimes.md and runtimes.json
    python -m benchmarks.runtimes --quick          # whether all of it runs; writes nothing
    python -m benchmarks.runtimes --only tabular --version 1.22.1 --print

Each version gets an environment of its own from the package index, and measures by itself what
bnfold hands it: the network, the network folded, and the network without its batch norms, which is
what a perfect fold could reach. In int8 also folded with every rewrite that has a price, where
that folds more. Leave the machine alone meanwhile. What was measured is kept in `--folder`, so that
a run that was stopped goes on; all of it takes about 90 minutes, --quick about 15.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bnfold
from benchmarks.deployed import OLDEST, Row, rows
from benchmarks.kept import kept
from benchmarks.packages import environment
from bnfold import model_io
from bnfold.bench.records import BenchResult
from bnfold.bench.rows import Tax
from bnfold.record import json_form
from bnfold.report.bench_text import environment_line
from bnfold.runtime.releases import release
from bnfold.runtime.signature import inputs_of

VERSIONS = ("1.17.3", "1.20.1", "1.22.1", "1.24.1", "newest")
INT8_VERSIONS = ("1.22.1", "newest")
DURATION_S = 4.0
CALIBRATION = 32
IMAGE_SIDE = 224

_ALL = 1.1  # of the tax, within what it is measured to

_HERE = Path(__file__).parent
_QUICK: Mapping[str, Any] = {"duration": 0.3, "processes": 1}


def python_of(version: str, folder: Path) -> str | None:
    """The interpreter of an environment with that version; None where pip cannot make it."""
    number = "onnxruntime" if version == "newest" else f"onnxruntime=={version}"
    old = version != "newest" and tuple(map(int, version.split(".")[:2])) < (1, 19)
    requirements = folder / f"requirements-{version}.txt"
    requirements.write_text(f"{number}\n{'numpy<2' if old else 'numpy'}\n")
    python = environment(requirements, folder)
    return None if python is None else str(python)


def measured(
    row: Row, pythons: Sequence[str], *, int8: bool, timing: Mapping[str, Any]
) -> BenchResult:
    """The network, and the network folded, on every runtime; with the floor."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        original, folded = loadable(row.get(place), place), place / "folded.onnx"
        free = bnfold.fold(original, runtime=OLDEST)
        models = [original, free.save(folded)]
        if int8 and free.ledger.batch_norms_after:
            paid = bnfold.fold(original, runtime=OLDEST, allow="all")
            if paid.ledger.batch_norms_after < free.ledger.batch_norms_after:
                models.append(paid.save(place / "folded, --allow all.onnx"))
        return bnfold.bench(
            models, pythons=pythons, levels="all", batch=row.batch, floor=True,
            int8=calibration(original) if int8 else None, dims=open_sizes(original), **timing,
        )  # fmt: skip


def loadable(model: Path, place: Path) -> Path:
    """The model with an IR version that the oldest release loads, as its fold has; the number only.

    Raises:
        ModelError: it needs more than that release loads.
    """
    loaded, fitting = model_io.load(model), place / f"{model.stem} original.onnx"
    release(OLDEST).fit(loaded, model.name)
    model_io.save(loaded, fitting)
    return fitting


def open_sizes(model: Path) -> dict[str, int]:
    """Sizes of an image that the model leaves open; nothing for others."""
    (spec,) = inputs_of(model_io.load(model))
    dims = spec.dims or ()
    is_image = len(dims) == 4
    return {
        f"{spec.name}:{axis}": IMAGE_SIDE
        for axis in (2, 3)
        if is_image and not isinstance(dims[axis], int)
    }


def calibration(model: Path) -> dict[str, np.ndarray]:
    """Drawn inputs to quantise with: time does not depend on them."""
    (spec,) = inputs_of(model_io.load(model))
    known = open_sizes(model)
    shape = [
        dim if isinstance(dim, int) else known.get(f"{spec.name}:{axis}", CALIBRATION)
        for axis, dim in enumerate(spec.dims or ())
    ]
    if len(shape) == 4:
        shape[0] = min(shape[0], 4)
    drawn = np.random.default_rng(0).standard_normal(shape)
    return {spec.name: drawn.astype(np.float32)}


def cell(found: BenchResult, runtime: str) -> str:
    """What the table says of one runtime."""
    failed = [one for one in found.failed if one.runtime == runtime]
    named = {model.name for model in found.models if model.role in ("baseline", "candidate")}
    lost = [one.model for one in failed if one.model in named]
    if lost:
        names = " and ".join("folded" if "folded" in name else "original" for name in lost)
        return f"does not load: {names}"
    pairs = [row for row in found.comparisons if row.runtime == runtime and row.candidate in named]
    taxes = {tax.candidate: tax for tax in found.taxes if tax.runtime == runtime}
    return "; ".join(
        f"{_price(row.candidate)}{row.sentence}{_gone(taxes.get(row.candidate))}" for row in pairs
    )


def _price(candidate: str) -> str:
    return "--allow all: " if "--allow" in candidate else ""


def _gone(tax: Tax | None) -> str:
    """Branches that merge are no part of the tax: more than all of it is told as that."""
    if tax is None or tax.gone is None:
        return ""
    part = tax.gone.estimate
    return ", more than the tax" if part > _ALL else f", {part:.0%} of the tax"


def table(
    results: Mapping[str, BenchResult | str], versions: Sequence[str], pythons: Mapping[str, str]
) -> str:
    """The Markdown table: a row for each title, a column for each version."""
    lines = [f"| folded against original | {' | '.join(versions)} |"]
    lines.append(f"| --- |{' --- |' * len(versions)}")
    last = None
    for title, found in results.items():
        if isinstance(found, str):
            lines.append(f"| {title} | {' | '.join([found] * len(versions))} |")
            continue
        last = found
        names = {one.path: one.name for one in found.runtimes}
        cells = [cell(found, names[pythons[v]]) if pythons[v] in names else "" for v in versions]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    told = [] if last is None else ["", f"{environment_line(last).capitalize()}."]
    return "\n".join([*lines, *told])


def asked_for(options: argparse.Namespace) -> Iterator[tuple[str, Row, bool]]:
    """Title, network, and whether in int8, for all that was asked for."""
    for row in rows(options.folder):
        if options.only and not any(part in row.name for part in options.only):
            continue
        for int8 in (False, True):
            if not int8 or row.batch in (1, 1000):
                yield f"{row.name}, batch {row.batch}{', int8' if int8 else ''}", row, int8


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="environments, files, results")
    parser.add_argument("--only", action="append", default=[], help="part of a network's name")
    parser.add_argument("--version", action="append", default=[], help="of onnxruntime")
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds of pairs")
    parser.add_argument("--quick", action="store_true", help="hardly any pairs; write nothing")
    parser.add_argument("--print", action="store_true", help="write nothing")
    return parser.parse_args()


def main() -> int:
    """Measures, and writes the table and the record."""
    options = arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")  # the exporter's, about its own future
    known = {v: python_of(v, options.folder) for v in options.version or VERSIONS}
    pythons = {version: python for version, python in known.items() if python is not None}
    for version in known.keys() - pythons.keys():
        print(f"onnxruntime {version}: pip cannot install it here", file=sys.stderr)
    timing = _QUICK if options.quick else {"duration": options.duration}
    results: dict[str, BenchResult | str] = {}
    for title, row, int8 in asked_for(options):
        asked = [p for v, p in pythons.items() if not int8 or v in INT8_VERSIONS]
        if not asked:
            continue
        print(f"{title} ...", file=sys.stderr, flush=True)
        try:
            results[title] = kept(
                options.folder, f"runtimes: {title}", [asked, dict(timing)],
                lambda row=row, asked=asked, int8=int8: measured(  # type: ignore[misc]
                    row, asked, int8=int8, timing=timing
                ),
            )  # fmt: skip
        except bnfold.BnfoldError as error:
            results[title] = str(error)[:80]
    text = table(results, list(pythons), pythons)
    print(text)
    if not (options.print or options.quick):
        (_HERE / "runtimes.md").write_text(f"# By runtime\n\n{text}\n", encoding="utf-8")
        told = {title: f if isinstance(f, str) else f.to_dict() for title, f in results.items()}
        record = json.dumps(json_form(told), indent=1)
        (_HERE / "runtimes.json").write_text(record, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
