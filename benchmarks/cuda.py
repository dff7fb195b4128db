"""What a fold buys on an NVIDIA GPU, in one go: `python -m benchmarks.cuda`.

Networks by batch, original against folded and against the floor, launched one kernel after the
other and as one captured graph, with the batch norms that each has left and what the device holds.
CUDA is asked for alone; inputs and outputs are bound on the device, and each run waits for it.
Beside the table, the record has the raw samples, TF32 and the search for algorithms, which
operators ran elsewhere, and the machine. What to expect, and to test: at batch 1 each batch norm
that is left is a kernel launch of its own, which a graph makes cheaper.

Writes benchmarks/cuda.md and cuda.json; needs onnxruntime-gpu in place of onnxruntime. What was
measured is kept in `--folder`: a run that was stopped goes on. It takes about 25 minutes, `--quick`
(which writes nothing) 5; with no CUDA it ends at once, with 4.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

import bnfold
from benchmarks.deployed import Row, rows
from benchmarks.kept import kept
from benchmarks.runtimes import open_sizes
from bnfold.bench.records import BenchResult
from bnfold.errors import ProviderUnavailableError
from bnfold.record import json_form
from bnfold.report.bench_text import environment_line

BATCHES = (1, 8, 32, 128)
DURATION_S = 3.0
_QUICK: Mapping[str, Any] = {"duration": 0.3, "processes": 1}
_HERE = Path(__file__).parent


def measured(
    row: Row, folder: Path, *, graph: bool, timing: Mapping[str, Any]
) -> tuple[BenchResult, str]:
    """The measurement over the batches, and the batch norms before and after in words."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        original, folded = row.get(place), place / "folded.onnx"
        ledger = bnfold.fold(original).ledger
        bnfold.fold(original).save(folded)
        found = kept(
            folder, f"cuda: {row.name}", [graph, dict(timing)],
            lambda: bnfold.bench(
                [original, folded], providers="cuda", levels="all", batch=BATCHES, floor=True,
                cuda_graph=graph, profile=not graph, dims=open_sizes(original), **timing,
            ),
        )  # fmt: skip
        return found, f"{ledger.batch_norms_before} to {ledger.batch_norms_after}"


def cell(found: BenchResult, batch: int) -> str:
    """What the table says of one batch: the verdict, and what the device holds."""
    said = next(row.sentence for row in found.headline if row.batch == batch)
    held = {row.model: row.device_mib for row in found.isolated if row.batch == batch}
    named = [model.name for model in found.models if model.role in ("baseline", "candidate")]
    known = [f"{held[name]:.0f}" for name in named if held.get(name) is not None]
    return f"{said}; {' to '.join(known)} MiB" if known else said


def remarks(found: BenchResult) -> Iterator[str]:
    """How CUDA computed, and what did not run on it."""
    yield from (note for note in found.notes if note.startswith("cuda:") or "runs on" in note)


def main() -> int:
    """Measures, and writes the table and the record; answers 4 where there is no CUDA."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="packages, files, results")
    parser.add_argument("--only", action="append", default=[], help="part of a network's name")
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds of pairs")
    parser.add_argument("--quick", action="store_true", help="hardly any pairs; write nothing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")  # the exporter's, about its own future
    timing = _QUICK if options.quick else {"duration": options.duration}
    head = " | ".join(f"batch {batch}" for batch in BATCHES)
    lines = [f"| network | launched | batch norms | {head} |"]
    lines.append(f"| --- | --- | --- |{' --- |' * len(BATCHES)}")
    notes: dict[str, None] = {}
    records: dict[str, Any] = {}
    last = None
    for row in {row.name: row for row in rows(options.folder)}.values():
        if options.only and not any(part in row.name for part in options.only):
            continue
        for graph in (False, True):
            title = f"{row.name}, {'as one graph' if graph else 'kernel by kernel'}"
            print(f"{title} ...", file=sys.stderr, flush=True)
            try:
                last, norms = measured(row, options.folder, graph=graph, timing=timing)
            except ProviderUnavailableError as error:
                print(f"{error}: nothing was measured", file=sys.stderr)
                return error.exit_code
            except bnfold.BnfoldError as error:  # a network with control flow is no graph
                lines.append(f"| {title} | | | {str(error)[:80]} |")
                continue
            records[title] = last.to_dict()
            cells = " | ".join(cell(last, batch) for batch in BATCHES)
            lines.append(f"| {row.name} | {'graph' if graph else 'kernels'} | {norms} | {cells} |")
            notes |= dict.fromkeys(f"{row.name}: {note}" for note in remarks(last))
    told = [] if last is None else [f"{environment_line(last).capitalize()}."]
    text = "\n\n".join(["\n".join(lines), *notes, *told])
    print(text)
    if not options.quick:
        (_HERE / "cuda.md").write_text(f"# On a GPU\n\n{text}\n", encoding="utf-8")
        record = json.dumps(json_form(records), indent=1)
        (_HERE / "cuda.json").write_text(record, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
