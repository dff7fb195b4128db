"""How a sweep scales with workers and models: `python -m benchmarks.scaling` writes docs/scale.md.

Times are of the processor, which another load on the machine changes little; the clock's is beside
them. The caller's own share is taken with an executor that has every answer ready.
"""

from __future__ import annotations

import argparse
import os
import pickle
import resource
import tempfile
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

import bnfold
from benchmarks.insert_table import insert
from bnfold.sweep.one_model import ModelJob, SweepSettings
from bnfold.sweep.records import Outcome

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
WIDTHS = (24, 64, 128)  # of 12 layers: 0.3, 1.8 and 7.1 MB
MANY = 2_000


@dataclass(frozen=True)
class Taken:
    """What one sweep took: on a clock, of the processors, and of memory in the largest worker."""

    wall_s: float
    workers_s: float
    peak_mb: float


def network(width: int, seed: int, layers: int = 12, side: int = 16) -> onnx.ModelProto:
    """Convolution, batch norm, Relu, `layers` times, on square images."""
    body = " ".join(
        f"c{i} = Conv<pads = [1, 1, 1, 1]>(r{i}, w{i}) "
        f"n{i} = BatchNormalization(c{i}, s{i}, b{i}, m{i}, v{i}) r{i + 1} = Relu(n{i})"
        for i in range(layers)
    )
    proto = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 17]> net (float[N, {width}, {side}, {side}] r0) '
        f"=> (float[N, {width}, {side}, {side}] r{layers}) {{ {body} }}"
    )
    draw = np.random.default_rng(seed)
    for i in range(layers):
        arrays = {
            f"w{i}": draw.standard_normal((width, width, 3, 3)) / np.sqrt(9 * width),
            f"s{i}": draw.uniform(0.5, 1.5, width), f"b{i}": draw.standard_normal(width),
            f"m{i}": draw.standard_normal(width), f"v{i}": draw.uniform(0.5, 2, width),
        }  # fmt: skip
        proto.graph.initializer.extend(
            numpy_helper.from_array(array.astype(np.float32), name)
            for name, array in arrays.items()
        )
    return proto


def swept(models: list[Path], folder: Path, workers: int) -> Taken:
    """What a sweep of the models took; all of them have to come out equivalent."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = bnfold.sweep(models, folder, workers=workers)
    wall = time.perf_counter() - start
    assert result.exit_code == 0, result.headline
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Taken(wall, theirs, after.ru_maxrss / 1024)


class Ready(Executor):
    """Has the outcome of every job before it is asked."""

    def submit(self, call, /, *arguments, **keywords):
        (job,) = arguments
        future: Future[Outcome] = Future()
        future.set_result(Outcome(job.source, str(job.target), "equivalent", "", sha256="0" * 64))
        return future


def callers_share_ms(folder: Path, count: int) -> float:
    """Processor time of the caller for one model, of `count`, whose work is done elsewhere."""
    zoo = folder / "many"
    zoo.mkdir()
    for number in range(count):
        (zoo / f"{number}.onnx").touch()
    start = time.process_time()
    bnfold.sweep(zoo, folder / "of many", executor=Ready())
    return 1e3 * (time.process_time() - start) / count


def message_bytes() -> int:
    """A job and its outcome, as they go over a network."""
    job = ModelJob("s3://bucket/models/net.onnx", Path("out/models/net.onnx"), SweepSettings())
    outcome = Outcome(job.source, str(job.target), "equivalent", "e" * 100,
                      sha256="0" * 64, target_sha256="0" * 64, key="0" * 64)  # fmt: skip
    return len(pickle.dumps(job)) + len(pickle.dumps(outcome))


def measured(folder: Path, count: int, many: int) -> str:
    """Two tables and two figures, as Markdown."""
    zoos = {}
    for width in WIDTHS:
        zoos[width] = [folder / f"{width}-{number}.onnx" for number in range(count)]
        for number, path in enumerate(zoos[width]):
            onnx.save(network(width, number), path)
    start = swept(zoos[WIDTHS[0]][:1], folder / "first", 1)
    sizes, scaling = [], []
    for width, models in zoos.items():
        taken = {n: swept(models, folder / f"out-{width}-{n}", n) for n in (1, 2)}
        megabytes = models[0].stat().st_size / 1e6
        each = (taken[1].workers_s - start.workers_s) / (count - 1)
        sizes.append(f"| {megabytes:.1f} | {each:.2f} | {taken[1].peak_mb:.0f} |")
        scaling += [
            f"| {megabytes:.1f} | {n} | {one.workers_s:.1f} | {one.wall_s:.1f} |"
            for n, one in taken.items()
        ]
    load = os.getloadavg()[0]
    return "\n".join((
        f"{count} models of each size, {os.cpu_count()} cores, on which {load:.0f} processes "
        "wanted to run.", "",
        f"A worker takes {start.workers_s:.1f} s to start and to do its first model.", "",
        "| model, MB | one more model, processor s | worker at its peak, MB |",
        "| --- | --- | --- |", *sizes, "",
        "| model, MB | workers | all of them, processor s | on the clock, s |",
        "| --- | --- | --- | --- |", *scaling, "",
        f"The caller's share is {callers_share_ms(folder, many):.2f} ms of processor time for a "
        f"model ({many} models, all answers ready); a job and its outcome are "
        f"{message_bytes()} bytes.",
    ))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=8, help="of each size")
    parser.add_argument("--many", type=int, default=MANY, help="for the caller's share")
    parser.add_argument("--quick", action="store_true", help="few models, and write nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        count, many = (2, 50) if asked.quick else (asked.models, asked.many)
        found = measured(Path(folder), count, many)
    print(found)
    if not asked.quick:
        insert(PAGE, "scaling", found)


if __name__ == "__main__":
    main()
