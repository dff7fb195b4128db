"""What a fold buys, for the README: `python -m benchmarks.figures`, behind `benchmarks.runtimes`.

The table is a part of what `benchmarks.runtimes` has measured and written to runtimes.json: each
network in float32 and in int8, on onnxruntime 1.22 and on the newest.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.insert_table import insert
from benchmarks.runtimes import cell
from bnfold.bench.records import BenchResult
from bnfold.record import read_as
from bnfold.report.bench_text import environment_line

README = Path(__file__).resolve().parents[1] / "README.md"
RECORD = Path(__file__).with_name("runtimes.json")
OLDER = "onnxruntime 1.22.1"


def text_of(record: dict[str, Any]) -> str:
    """The table, from the record of `benchmarks.runtimes`."""
    lines = [
        "| network | in | onnxruntime 1.22 | the newest |",
        "| --- | --- | --- | --- |",
    ]
    last = None
    for title, found in record.items():
        if isinstance(found, str):
            continue
        last = read_as(BenchResult, found, where=title)
        name, is_int8, _ = title.partition(", int8")
        names = [runtime.name for runtime in last.runtimes]
        cells = [cell(last, one) if one in names else "" for one in (OLDER, names[-1])]
        lines.append(f"| {name} | {'int8' if is_int8 else 'float32'} | {' | '.join(cells)} |")
    if last is not None:
        lines += ["", f"{environment_line(last).capitalize()}; in brackets the 95 % interval."]
    return "\n".join(lines)


def main() -> int:
    """Puts the table into README.md; 1 where nothing was measured yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--print", action="store_true", help="write nothing")
    options = parser.parse_args()
    if not RECORD.exists():
        print(f"{RECORD}: run python -m benchmarks.runtimes first", file=sys.stderr)
        return 1
    text = text_of(json.loads(RECORD.read_text(encoding="utf-8")))
    print(text)
    if not options.print:
        insert(README, "figures", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
