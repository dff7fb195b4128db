"""What a fold buys, timed here: `python -m benchmarks.figures` writes the table in the README.

Every network is folded twice, with what is free and with all rewrites that have a price, and each
is timed against the original, with onnxruntime's optimisations on and off.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

import bnfold
from benchmarks.blocks import NETWORKS, SHAPE
from benchmarks.insert_table import insert
from bnfold.bench.records import BenchResult
from bnfold.report.bench_text import environment_line

README = Path(__file__).resolve().parents[1] / "README.md"
PRICES = {"free": (), "--allow all": ("all",)}
PAIRS = 40
SEED = 0


def row(name: str, folder: Path) -> tuple[list[str], BenchResult]:
    """The network's rows of the table, and the measurement behind them."""
    torch.manual_seed(SEED)
    original = folder / "original.onnx"
    bnfold.export(NETWORKS[name](), SHAPE, original)
    paths = [original]
    counts = []
    for title, allow in PRICES.items():
        paths.append(folder / f"{title.replace(' ', '_')}.onnx")
        result = bnfold.fold(original, allow=allow)
        result.save(paths[-1])
        bnfold.verify(original, paths[-1]).raise_if_different()
        counts.append((result.ledger.batch_norms_before, result.ledger.batch_norms_after))
    found = bnfold.bench(paths, pairs=PAIRS, seed=SEED)
    rows = []
    for path, title, (before, after) in zip(paths[1:], PRICES, counts, strict=True):
        said = {c.level: c.sentence for c in found.comparisons if c.candidate == path.name}
        rows.append(f"| {name} | {title} | {before} | {after} | {said['all']} | {said['none']} |")
    return rows, found


def main() -> None:
    """Measures every network and puts the table into README.md."""
    lines = [
        "| network | rewrites | batch norms | after | onnxruntime, all optimisations | none |",
        "| --- | --- | --: | --: | --- | --- |",
    ]
    for name in NETWORKS:
        print(f"  {name} ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            rows, found = row(name, Path(folder))
        lines += rows
    lines += ["", f"{environment_line(found).capitalize()}; in brackets the 95 % interval."]
    insert(README, "figures", "\n".join(lines))


if __name__ == "__main__":
    main()
