"""What a fold buys on an NVIDIA GPU, in one go: `python -m benchmarks.cuda`.

Networks by batch, original against folded, with the batch norms that each has left. CUDA is asked
for alone; inputs and outputs are bound on the device, and each run waits for it. Beside the table,
the record has the raw samples, which operators ran elsewhere, and the machine. Writes
benchmarks/cuda.md and cuda.json; needs onnxruntime-gpu in place of onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

import bnfold
from benchmarks.runtimes import Row, rows
from bnfold.bench.records import BenchResult
from bnfold.errors import ProviderUnavailableError
from bnfold.record import json_form
from bnfold.report.bench_text import environment_line

BATCHES = (1, 8, 32, 128)
DURATION_S = 3.0
_HERE = Path(__file__).parent
_ON_CUDA = "CUDA"


def measured(row: Row, duration: float) -> tuple[BenchResult, tuple[int, int]]:
    """The measurement over the batches, and the batch norms before and after."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        original, folded = row.get(place), place / "folded.onnx"
        result = bnfold.fold(original)
        result.save(folded)
        found = bnfold.bench(
            [original, folded],
            providers="cuda",
            levels="all",
            batch=BATCHES,
            duration=duration,
            profile=True,
        )
        return found, (result.ledger.batch_norms_before, result.ledger.batch_norms_after)


def elsewhere(found: BenchResult) -> Iterator[str]:
    """The operators that did not run on the GPU, by model; a ratio with such is none of CUDA's."""
    for profile in found.profiles:
        strays = [row.op for row in profile.operators if _ON_CUDA not in row.provider]
        if strays:
            listed = ", ".join(dict.fromkeys(strays))
            yield f"{profile.model}, batch {profile.batch}: {listed} ran elsewhere"


def main() -> int:
    """Measures, and writes the table and the record; answers 4 where there is no CUDA."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="for packages and files")
    parser.add_argument("--only", action="append", default=[], help="part of a network's name")
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds of pairs")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")  # the exporter's, about its own future
    head = " | ".join(f"batch {batch}" for batch in BATCHES)
    lines = [f"| network | batch norms | {head} |", f"| --- | --- |{' --- |' * len(BATCHES)}"]
    notes: list[str] = []
    records, last, done = {}, None, set()
    for row in rows(options.folder):
        if row.name in done or (options.only and not any(p in row.name for p in options.only)):
            continue
        done.add(row.name)
        print(f"{row.name} ...", file=sys.stderr, flush=True)
        try:
            found, (before, after) = measured(row, options.duration)
        except ProviderUnavailableError as error:
            print(f"{error}: nothing was measured", file=sys.stderr)
            return error.exit_code
        last, records[row.name] = found, found.to_dict()
        said = {comparison.batch: comparison.sentence for comparison in found.comparisons}
        cells = " | ".join(said[batch] for batch in BATCHES)
        lines.append(f"| {row.name} | {before} to {after} | {cells} |")
        notes += [f"{row.name}: {note}" for note in elsewhere(found)]
    told = [] if last is None else [f"{environment_line(last).capitalize()}."]
    text = "\n\n".join(["\n".join(lines), *notes, *told])
    print(text)
    (_HERE / "cuda.md").write_text(f"# On a GPU\n\n{text}\n", encoding="utf-8")
    record = json.dumps(json_form(records), indent=1)
    (_HERE / "cuda.json").write_text(record, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
