"""A fold as a whole command beside other tools: `python -m benchmarks.whole_commands`.

Models from 1 MB to 5 GB, and a small one with many nodes, each taken from a file to a file by one
command that begins and ends a process: Python's start, reading, checks, certificates, the second
opinion and writing are in it. The tools take turns, so that what else the machine does meets all of
them, and each begins with an empty target and nothing left to write back; Python has compiled all
of them before, as it does where they are installed. The table and the plot go to docs/growth.md; it
takes about 20 minutes, and 10 GB in the temporary folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import onnx
import psutil

from benchmarks.growth import PAGE
from benchmarks.insert_table import insert
from benchmarks.scaling import network

ROUNDS = 3
PATIENCE_S = 60.0
_SIDE = 8  # of the images
_WATCHED_S = 0.02  # between two looks at the memory
_PEERS = {
    "onnxruntime, basic": "onnxruntime",
    "onnxsim": "onnxsim",
    "onnxscript": "onnxscript",
}

_HEADER = (
    "| model | tool | s | CPU s | anonymous memory, MB | bnfold's time over it | its CPU time |"
)


@dataclass(frozen=True)
class Chain:
    """A chain of Conv, batch norm, Relu.

    Attributes:
        title: what the table calls it.
        convolutions: how many.
        channels: of each.
        is_external: whether its weights lie beside the graph.
    """

    title: str
    convolutions: int
    channels: int
    is_external: bool = False

    @property
    def megabytes(self) -> float:
        """Of the weights of the convolutions."""
        return self.convolutions * self.channels**2 * 9 * 4 / 1e6


GROWING = (
    Chain("1 MB: 7 convolutions of 64 channels", 7, 64),
    Chain("10 MB: 17 convolutions of 128 channels", 17, 128),
    Chain("104 MB: 11 convolutions of 512 channels", 11, 512),
    Chain("529 MB in one file: 14 convolutions of 1,024 channels", 14, 1024),
    Chain("2.7 GB beside the graph: 71 convolutions of 1,024 channels", 71, 1024, is_external=True),
    Chain("5 GB beside the graph: 132 convolutions of 1,024 channels", 132, 1024, is_external=True),
)
_FIRST = Chain("the first", 2, 8)
CHAINS = (*GROWING, Chain("10 MB: 1,000 convolutions of 16 channels", 1000, 16))


@dataclass(frozen=True)
class Cost:
    """What one command took: seconds on the clock, of the processor, and anonymous MB at most."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def written(chain: Chain, folder: Path) -> Path:
    """The model as a file in the folder."""
    path = folder / "model.onnx"
    model = network(chain.channels, 0, chain.convolutions, _SIDE)
    onnx.save(model, path, save_as_external_data=chain.is_external, location="model.data")
    return path


def commands(source: Path, target: Path) -> Iterator[tuple[str, list[str], str]]:
    """Name, command and what it reads, for each tool that is installed."""
    fold = [sys.executable, "-m", "bnfold", "fold", str(source), "-o", str(target), "--force"]
    yield "bnfold", fold, ""
    yield "bnfold --no-check", [*fold, "--no-check"], ""
    for name, package in _PEERS.items():
        if importlib.util.find_spec(package) is not None:
            line = json.dumps([str(source), str(target)]) + "\n"
            yield name, [sys.executable, "-m", "benchmarks.optimizers", name], line


def cost(command: Sequence[str], said: str, compiled: Path) -> Cost | None:
    """What the command took; None where it failed, or took longer than a minute.

    Args:
        command: and its arguments.
        said: what it reads.
        compiled: where Python keeps what it has compiled.
    """
    place = {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, **place},
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(said)
    process.stdin.close()
    peak, cpu = 0.0, {}
    while process.poll() is None:
        for pid, anonymous, seconds in _family(process.pid):
            cpu[pid] = seconds
            peak = max(peak, anonymous)
        if time.perf_counter() - begun > PATIENCE_S:
            for member in psutil.Process(process.pid).children(recursive=True):
                member.kill()
            process.kill()
        time.sleep(_WATCHED_S)
    with process.stdout:
        answer = process.stdout.read()
    if process.returncode or '"error"' in answer:
        return None
    return Cost(time.perf_counter() - begun, sum(cpu.values()), peak / 1e6)


def _family(pid: int) -> Iterator[tuple[int, int, float]]:
    """Of the process and what it has started: anonymous bytes, all together, and seconds."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        facts = [(p.pid, p.memory_info(), p.cpu_times()) for p in family]
    except psutil.Error:
        return  # it ends just now
    anonymous = sum(memory.rss - getattr(memory, "shared", 0) for _, memory, _ in facts)
    for member, _, times in facts:
        yield member, anonymous, times.user + times.system


def medians(costs: Sequence[Cost | None]) -> Cost | None:
    """Over the rounds that came to an end; None where none did."""
    done = [one for one in costs if one is not None]
    if not done:
        return None
    return Cost(*(statistics.median(row) for row in zip(*map(astuple, done), strict=True)))


def table(found: Mapping[Chain, Mapping[str, Cost | None]]) -> str:
    """A row for each model and tool."""
    lines = [_HEADER, "| --- | --- | --: | --: | --: | --: | --: |"]
    for chain, tools in found.items():
        ours = tools["bnfold"]
        for name, one in tools.items():
            if one is None:
                lines.append(f"| {chain.title} | {name} | fails, or takes over a minute | | | | |")
                continue
            ratio = " | "
            if ours is not None:
                ratio = f"{ours.wall_s / one.wall_s:.2f} | {ours.cpu_s / one.cpu_s:.2f}"
            lines.append(
                f"| {chain.title} | {name} | {one.wall_s:.1f} | {one.cpu_s:.1f} "
                f"| {one.peak_mb:,.0f} | {ratio} |"
            )
    return "\n".join(lines)


def draw(found: Mapping[Chain, Mapping[str, Cost | None]], target: Path) -> None:
    """The plot is there: seconds and memory against bytes of weights, all axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    with mpl.rc_context({"svg.hashsalt": "bnfold", "font.size": 9}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
        for tool in dict.fromkeys(tool for tools in found.values() for tool in tools):
            points = [(c.megabytes, found[c].get(tool)) for c in GROWING if c in found]
            done = [(size, one) for size, one in points if one is not None]
            style = "-" if tool.startswith("bnfold") else ":"
            sizes = [size for size, _ in done]
            left.plot(sizes, [one.wall_s for _, one in done], style, label=tool)
            right.plot(sizes, [one.peak_mb for _, one in done], style, label=tool)
        for axes, title in ((left, "seconds"), (right, "anonymous memory, MB")):
            axes.set(xscale="log", yscale="log", xlabel="MB of weights", title=title)
            axes.legend(fontsize=7)
        figure.savefig(target, metadata={"Date": None})
        pyplot.close(figure)


def measured(chain: Chain, rounds: int, compiled: Path) -> dict[str, Cost | None]:
    """What each tool takes for the chain, the median of the rounds."""
    tools: dict[str, list[Cost | None]] = {}
    with tempfile.TemporaryDirectory(prefix="bnfold-") as name:
        source, target = written(chain, Path(name)), Path(name, "out", "out.onnx")
        for _ in range(rounds):
            for tool, command, said in commands(source, target):
                costs = tools.setdefault(tool, [])
                if None not in costs:  # what failed once would again
                    shutil.rmtree(target.parent, ignore_errors=True)
                    target.parent.mkdir()
                    os.sync()
                    costs.append(cost(command, said, compiled))
                    print(chain.title, tool, costs[-1], flush=True)
    return {tool: medians(costs) for tool, costs in tools.items()}


def main() -> None:
    """Measures, and writes the table and the plot."""
    with tempfile.TemporaryDirectory(prefix="bnfold-compiled-") as name:
        measured(_FIRST, 1, Path(name))  # imports and compiles all that there is
        found = {chain: measured(chain, ROUNDS, Path(name)) for chain in CHAINS}
    insert(PAGE, "whole-commands", table(found))
    draw(found, PAGE.with_name("growth_bytes.svg"))


if __name__ == "__main__":
    main()
