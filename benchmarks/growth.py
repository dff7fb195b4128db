"""How a fold grows with the model: `python -m benchmarks.growth` writes the table and the plot.

Each fold runs in a process of its own. Its work is counted as calls of bnfold's functions, which no
other load on the machine changes, and its processor time is taken beside it; the slope is that of
the logarithms between the smallest model and the largest. A slope of 1 is linear.
"""

from __future__ import annotations

import cProfile
import importlib.util
import json
import math
import os
import pstats
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

import bnfold
from benchmarks.insert_table import insert
from benchmarks.motifs import Motif, Norm
from benchmarks.optimizers import TOOLS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "growth.md"
_HEADER = (
    "| family | tool | nodes | batch norms left | calls, millions | their slope | CPU s "
    "| its slope | peak MB |"
)
_PEERS = ("onnxsim",)
_CHANNELS = 8


def chain(nodes: int) -> onnx.ModelProto:
    """Conv, batch norm, Relu, one after the other: all fold."""
    count = nodes // 3
    text = " ".join(
        f"c{i} = Conv<pads = [1, 1, 1, 1]>(r{i}, w) b{i} = BN(c{i}, n{i}) r{i + 1} = Relu(b{i})"
        for i in range(count)
    )
    return _model(f"r0 = Tanh(x) {text} y = Tanh(r{count})", count)


def kept(nodes: int) -> onnx.ModelProto:
    """Relu and batch norm, one after the other: none folds."""
    count = nodes // 2
    text = " ".join(f"r{i} = Relu(b{i}) b{i + 1} = BN(r{i}, n{i})" for i in range(count))
    return _model(f"b0 = Tanh(x) {text} y = Relu(b{count})", count)


def trunk(nodes: int) -> onnx.ModelProto:
    """Residual blocks with batch norm before the activation; scales have both signs."""
    count = nodes // 4
    blocks = " ".join(
        f"b{i} = BN(t{i}, n{i}) r{i} = Relu(b{i}) c{i} = Conv<pads = [1, 1, 1, 1]>(r{i}, w) "
        f"t{i + 1} = Add(t{i}, c{i})"
        for i in range(count)
    )
    return _model(f"t0 = Conv<pads = [1, 1, 1, 1]>(x, w) {blocks} y = Tanh(t{count})", count)


def fan(nodes: int) -> onnx.ModelProto:
    """One convolution that many batch norms read."""
    count = nodes // 3
    text = " ".join(f"b{i} = BN(c, n{i}) r{i} = Sigmoid(b{i})" for i in range(count))
    sums = " ".join(f"s{i + 1} = Add(s{i}, r{i})" for i in range(count))
    first = "c = Conv<pads = [1, 1, 1, 1]>(x, w)"
    return _model(f"{first} {text} s0 = Tanh(x) {sums} y = Tanh(s{count})", count)


FAMILIES: Mapping[str, Callable[[int], onnx.ModelProto]] = {
    "chain": chain,
    "kept": kept,
    "trunk": trunk,
    "fan": fan,
}
NODES: Mapping[str, tuple[int, ...]] = {
    "chain": (10, 100, 1_000, 10_000, 30_000),
    "kept": (10, 100, 1_000, 10_000),
    "trunk": (12, 100, 300, 1_000),
    "fan": (12, 100, 1_000, 3_000),
}


def _model(text: str, norms: int) -> onnx.ModelProto:
    value = f"float[N,{_CHANNELS},12,12]"
    constants: dict[str, Any] = {f"n{i}": Norm(_CHANNELS) for i in range(norms)}
    constants["w"] = (_CHANNELS, _CHANNELS, 3, 3)
    return Motif("growth", f"({value} x) => ({value} y) {{ {text} }}", constants, "").model()


@dataclass(frozen=True)
class Work:
    """What one run of a tool takes.

    Attributes:
        calls: of functions of bnfold; 0 for other tools.
        cpu_s: processor seconds, of all threads, without imports and what profiling takes.
        peak_mb: resident memory of the process, in millions of bytes.
        left: batch norms of the result.
    """

    calls: int
    cpu_s: float
    peak_mb: float
    left: int


def measured(family: str, nodes: int, tool: str) -> Work:
    """The work of one fold, in a process of its own.

    Raises:
        subprocess.CalledProcessError: the tool failed.
    """
    words = [sys.executable, "-m", "benchmarks.growth", "--one", family, str(nodes), tool]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return Work(**json.loads(done.stdout.splitlines()[-1]))


def one(family: str, nodes: int, tool: str) -> Work:
    """The work of one fold, in this process: once for the time, once more for the calls."""
    _, optimise = TOOLS[tool]
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "in.onnx"), Path(name, "out.onnx")
        onnx.save(FAMILIES[family](min(NODES[family])), source)
        optimise(str(source), str(target))  # what is imported late is imported now
        onnx.save(FAMILIES[family](nodes), source)
        begun = time.process_time()
        optimise(str(source), str(target))
        cpu_s = time.process_time() - begun
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        left = sum(node.op_type == "BatchNormalization" for node in onnx.load(target).graph.node)
        calls = calls_of(lambda: optimise(str(source), str(target))) if tool == "bnfold" else 0
    return Work(calls, cpu_s, peak_mb, left)


_PACKAGE = str(Path(bnfold.__file__).parent) + os.sep
"""A clone may lie in a folder of the same name, and an environment in that."""


def calls_of(run: Callable[[], object]) -> int:
    """How often functions of bnfold are called, in this thread, while it runs.

    Comprehensions are none, whose frames newer Pythons leave out.
    """
    profile = cProfile.Profile()
    profile.runcall(run)
    rows = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    return sum(
        row[1]
        for (file, _, name), row in rows
        if file.startswith(_PACKAGE) and not name.endswith("comp>")
    )


def slope(low: float, high: float, nodes: tuple[int, int]) -> float:
    """Of the logarithms, between two sizes."""
    return math.log(high / low) / math.log(nodes[1] / nodes[0])


def table(found: Mapping[tuple[str, str], Mapping[int, Work]]) -> str:
    """A row for each family, tool and size, with the slopes from the size before it."""
    lines = [_HEADER, "| --- | --- | --: | --: | --: | --: | --: | --: | --: |"]
    for (family, tool), points in found.items():
        before: int | None = None
        for nodes, work in points.items():
            calls = steeper = steeper_s = ""
            if work.calls:
                calls = f"{work.calls / 1e6:.2f}"
            if before is not None:
                low, ends = points[before], (before, nodes)
                steeper = f"{slope(low.calls, work.calls, ends):.2f}" if work.calls else ""
                steeper_s = f"{slope(low.cpu_s, work.cpu_s, ends):.2f}"
            lines.append(
                f"| {family} | {tool} | {nodes:,} | {work.left:,} | {calls} | {steeper} "
                f"| {work.cpu_s:.2f} | {steeper_s} | {work.peak_mb:.0f} |"
            )
            before = nodes
    return "\n".join(lines)


def draw(found: Mapping[tuple[str, str], Mapping[int, Work]], target: Path) -> None:
    """The plot is there: calls and processor time against nodes, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    with mpl.rc_context({"svg.hashsalt": "bnfold", "font.size": 9}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
        for (family, tool), points in found.items():
            style = "-" if tool == "bnfold" else ":"
            sizes, label = list(points), f"{family}, {tool}"
            if tool == "bnfold":
                left.plot(sizes, [work.calls for work in points.values()], style, label=label)
            right.plot(sizes, [work.cpu_s for work in points.values()], style, label=label)
        for axes, title in ((left, "calls of bnfold's functions"), (right, "processor seconds")):
            axes.set(xscale="log", yscale="log", xlabel="nodes", title=title)
            axes.legend(fontsize=7)
        figure.savefig(target, metadata={"Date": None})
        pyplot.close(figure)


def told(page: str) -> dict[tuple[str, str], dict[int, Work]]:
    """What the page's table says, as it is rounded there."""
    _, table, _ = re.split("<!-- generated:growth -->|<!-- end -->", page, maxsplit=2)
    found: dict[tuple[str, str], dict[int, Work]] = {}
    for line in table.strip().splitlines()[2:]:
        cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        family, tool, nodes, left, calls, _, cpu_s, _, peak_mb = cells
        work = Work(int(float(calls or 0) * 1e6), float(cpu_s), float(peak_mb), int(left))
        found.setdefault((family, tool), {})[int(nodes)] = work
    return found


def main(words: Sequence[str]) -> None:
    """Measures, and writes the table and the plot; or, with `--one`, prints one run's work.

    A number is the most nodes that a model may have. `--draw` measures nothing, and plots what the
    table says.
    """
    if words[:1] == ["--draw"]:
        draw(told(PAGE.read_text(encoding="utf-8")), DOCS / "growth.svg")
        return
    if words[:1] == ["--one"]:
        print(json.dumps(asdict(one(words[1], int(words[2]), words[3]))))
        return
    largest = int(words[0]) if words else math.inf
    found: dict[tuple[str, str], dict[int, Work]] = {}
    for family in FAMILIES:
        for tool in ("bnfold", *(peer for peer in _PEERS if importlib.util.find_spec(peer))):
            points = found.setdefault((family, tool), {})
            for size in (nodes for nodes in NODES[family] if nodes <= largest):
                points[size] = measured(family, size, tool)
                print(family, tool, size, points[size], flush=True)
    insert(PAGE, "growth", table(found))
    draw(found, DOCS / "growth.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
