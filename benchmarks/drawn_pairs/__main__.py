"""What `verify` says of graphs drawn at random: faults planted in them, and rewrites of them.

    python -m benchmarks.drawn_pairs --seeds 0:120 --insert

Each seed is a graph (`graphs.py`) with one fault (`faults.py`), and the graph as one of the
installed tools writes it. Whether a fault changes anything is told by onnxruntime, on five sets of
inputs, and so is whether a rewrite is correct, to a tolerance. Pairs on which verify says something
else are printed; `--insert` writes the tables into docs/verification.md.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnx

import bnfold
from benchmarks.drawn_pairs.faults import planted
from benchmarks.drawn_pairs.graphs import drawn_graph, with_declared_shape
from benchmarks.drawn_pairs.runs import are_apart, feeds_of, outputs
from benchmarks.drawn_pairs.tables import FaultRow, RewriteRow, fault_table, rewrite_table
from benchmarks.insert_table import insert
from benchmarks.verdicts import FAILED, TOOLS, truth
from benchmarks.worker import Worker

DOCUMENT = Path(__file__).parents[2] / "docs/verification.md"


def fault_row(seed: int) -> FaultRow:
    """A fault planted in the graph of this seed, and what is said of it."""
    model = drawn_graph(seed)
    feeds = feeds_of(model)
    kind, wrong = planted(model, feeds, np.random.default_rng([seed, 6]))
    is_apart = are_apart(outputs(model, feeds), outputs(wrong, feeds))
    return FaultRow(seed, kind, is_apart, *_verdict(model, wrong))


def rewrite_row(seed: int, tool: str, worker: Worker, folder: Path) -> RewriteRow:
    """What the tool makes of the graph of this seed, and what is said of it."""
    model = with_declared_shape(drawn_graph(seed))
    source, target = folder / "in.onnx", folder / "out.onnx"
    target.unlink(missing_ok=True)
    onnx.save(model, source)
    failure = worker.optimise(source, target)
    if failure is not None:
        return RewriteRow(seed, tool, FAILED, "", failure)
    known = truth(source, target, feeds_of(model), "float")
    return RewriteRow(seed, tool, known, *_verdict(model, onnx.load(target)))


def _verdict(model: onnx.ModelProto, other: onnx.ModelProto) -> tuple[str, str]:
    try:
        found = bnfold.verify(model, other)
    except bnfold.BnfoldError as error:
        return "refused", str(error)
    return found.verdict, found.reason


def run(seeds: range) -> tuple[list[FaultRow], list[RewriteRow]]:
    """A fault and a rewrite for each seed; the tools take turns."""
    faults: list[FaultRow] = []
    rewrites: list[RewriteRow] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = _installed(stack)
        for seed in seeds:
            faults.append(fault_row(seed))
            tool = list(workers)[seed % len(workers)]
            rewrites.append(rewrite_row(seed, tool, workers[tool], folder))
            for row in (faults[-1], rewrites[-1]):
                if row.is_contrary or row.verdict == "":
                    print(row, flush=True)
    return faults, rewrites


def _installed(stack: ExitStack) -> Mapping[str, Worker]:
    every = {tool: stack.enter_context(Worker(tool, sys.executable)) for tool in TOOLS}
    return {tool: worker for tool, worker in every.items() if worker.version is not None}


def _range(text: str) -> range:
    start, stop = map(int, text.split(":"))
    return range(start, stop)


def main() -> int:
    """Prints the tables; 1 where a fault was missed or a correct rewrite is not equivalent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=_range, default=range(120), metavar="A:B")
    parser.add_argument("--insert", action="store_true", help="write them into the document")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    faults, rewrites = run(given.seeds)
    command = f"python -m benchmarks.drawn_pairs --seeds {given.seeds.start}:{given.seeds.stop}"
    tables = f"{fault_table(faults)}\n\n{rewrite_table(rewrites)}\n\nBy `{command}`."
    print(tables)
    if given.insert:
        insert(DOCUMENT, "drawn-pairs", tables)
    rows: tuple[FaultRow | RewriteRow, ...] = (*faults, *rewrites)
    return int(any(row.is_contrary for row in rows))


if __name__ == "__main__":
    sys.exit(main())
