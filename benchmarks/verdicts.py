"""What `verify` says of pairs that other tools made: false alarms, and faults of theirs.

    python -m benchmarks.verdicts --tools-python other-environment/bin/python --pairs 600

A pair is a motif, or a network drawn at random, and what a tool makes of it; or a trained module of
models/ and what torch's exporters make of it. Who is right is told without verify: a pair is taken
for correct if both give the same, with and without optimisations, to a tolerance that no rounding
of these networks reaches. Each pair that was judged is a line of verdicts.jsonl: stopped, it goes
on where it was. The counts go to verdicts.md, with each pair on which the two disagree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

import bnfold
from benchmarks.lines import add, rows
from benchmarks.motifs import GROUPS
from benchmarks.worker import Worker
from bnfold.errors import DataError, UsageError
from tests.verify.drawn.network import drawn_network

TOOLS = (
    *("onnxsim", "onnxslim", "onnxoptimizer", "onnxscript", "bnfold"),
    *("onnxruntime, basic", "onnxruntime, extended"),
)
EXPORTERS = ("torch, dynamo", "torch, torchscript")
STATE = Path(__file__).with_name("verdicts.jsonl")
REPORT = Path(__file__).with_name("verdicts.md")

CORRECT, WRONG, UNKNOWN, FAILED = "correct", "wrong", "unknown", "failed"

Array = npt.NDArray[np.generic]
Feeds = Sequence[Mapping[str, Array]]
Key = tuple[str, str]
"""The tool, and what it was given: `motif NAME`, `drawn SEED` or `module NAME`."""

_NARROW = {"float16": 3e-2, "bfloat16": 1e-1}
_TOLERANCE, _STEPPED = 1e-4, 3e-2
_LEVELS = (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
_DRAWN = 200  # seeds of networks
_FIRST = 540  # pairs in front of the modules, which take longer


def keys(seed: int) -> Iterator[Key]:
    """All pairs, in an order drawn at random, the modules among the first."""
    import models

    modules = [(tool, f"module {name}") for name in models.names() for tool in EXPORTERS]
    given = [f"motif {motif.name}" for group in GROUPS.values() for motif in group]
    given += [f"drawn {number}" for number in range(_DRAWN)]
    every = [(tool, each) for tool in TOOLS for each in given]
    order = np.random.default_rng(seed).permutation(len(every))
    yield from (every[i] for i in order[:_FIRST])
    yield from modules
    yield from (every[i] for i in order[_FIRST:])


def source_of(given: str) -> tuple[onnx.ModelProto, Feeds, str]:
    """The model, two sets of inputs, and its element type."""
    kind, name = given.split(" ", 1)
    if kind == "motif":
        motif = next(each for group in GROUPS.values() for each in group if each.name == name)
        return motif.model(), motif.feeds(), motif.dtype
    network, rng = drawn_network(int(name)), np.random.default_rng([int(name), 3])
    model = network.model(network.drawn_forms(rng))
    shapes = ((batch, *network.shape) for batch in (2, 3))
    return model, [{"x": rng.normal(size=s).astype(np.float32)} for s in shapes], "float"


def truth(source: Path, target: Path, feeds: Feeds, dtype: str) -> str:
    """Whether the tool's file computes what the source does; unknown where that does not run."""
    tolerance = _STEPPED if _is_stepped(source) else _NARROW.get(dtype, _TOLERANCE)
    for feed in feeds:
        for level in _LEVELS:
            try:
                ours = _run(source, feed, level)
            except Exception:  # noqa: BLE001  # the runtime's errors have no common base class
                return UNKNOWN
            try:
                theirs = _run(target, feed, level)
            except Exception:  # noqa: BLE001
                return WRONG
            if not _is_close(ours, theirs, tolerance):
                return WRONG
    return CORRECT


def _is_stepped(path: Path) -> bool:
    """Whether a rounding can flip a whole step in it."""
    nodes = onnx.load(path, load_external_data=False).graph.node
    return any("quantize" in node.op_type.lower() for node in nodes)


def _run(
    path: Path,
    feed: Mapping[str, Array],
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
) -> list[Array]:
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return list(session.run(None, feed))


def _is_close(ours: Sequence[Array], theirs: Sequence[Array], tolerance: float) -> bool:
    for x, y in zip(ours, theirs, strict=True):
        a, b = x.astype(np.float64), y.astype(np.float64)
        if a.shape != b.shape:
            return False
        size = float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0)) or 1.0
        if not np.allclose(a, b, rtol=0, atol=tolerance * size, equal_nan=True):
            return False
    return True


def judged(key: Key, worker: Worker | None, folder: Path) -> dict[str, str]:
    """The row of one pair: who is right, and what verify says."""
    tool, given = key
    source, target = folder / "in.onnx", folder / "out.onnx"
    target.unlink(missing_ok=True)
    row = {"tool": tool, "given": given, "truth": FAILED, "verdict": "", "reason": ""}
    if worker is None:
        return row | _of_module(given, tool, target)
    model, feeds, dtype = source_of(given)
    onnx.save(model, source)
    failure = worker.optimise(source, target)
    if failure is not None:
        return row | {"reason": failure}
    row["truth"] = truth(source, target, feeds, dtype)
    try:
        try:
            found = bnfold.verify(source, target)
        except (DataError, UsageError):  # sizes that belong together, or no rank
            found = bnfold.verify(source, target, data=feeds)
    except bnfold.BnfoldError as error:
        return row | {"verdict": "refused", "reason": str(error)}
    return row | {"verdict": found.verdict, "reason": found.reason}


def _of_module(given: str, tool: str, target: Path) -> dict[str, str]:
    """A trained module and the file that torch itself exports."""
    import torch

    import models
    from models.data import held_out
    from models.registry import recipe_of

    name = given.split(" ", 1)[1]
    try:
        module, inputs = models.build(name), held_out(recipe_of(name)).inputs[:4]
        torch.onnx.export(
            module,
            (torch.from_numpy(inputs),),
            target,
            dynamo=tool.endswith("dynamo"),
            verbose=False,
        )
    except Exception as error:  # noqa: BLE001  # an exporter may raise anything
        return {"reason": f"{type(error).__name__}: {error}"[:200]}
    with torch.no_grad():
        ours = [module(torch.from_numpy(inputs)).numpy()]
    name = ort.InferenceSession(str(target)).get_inputs()[0].name
    known = CORRECT if _is_close(ours, _run(target, {name: inputs}), _TOLERANCE) else WRONG
    try:
        found = bnfold.verify(module, target)
    except bnfold.BnfoldError as error:
        return {"truth": known, "verdict": "refused", "reason": str(error)}
    return {"truth": known, "verdict": found.verdict, "reason": found.reason}


def run(pairs: int, seed: int, python: str, state: Path) -> None:
    """Every one of the first pairs has its line in the file."""
    done = {(row["tool"], row["given"]) for row in rows(state)}
    chosen = [key for _, key in zip(range(pairs), keys(seed), strict=False) if key not in done]
    for tool in dict.fromkeys(tool for tool, _ in chosen):
        own = sys.executable if tool == "bnfold" else python
        with tempfile.TemporaryDirectory() as folder, _worker(tool, own) as worker:
            for key in (key for key in chosen if key[0] == tool):
                row = judged(key, worker, Path(folder))
                add(state, row)
        print(f"{tool}: done", flush=True)


def _worker(tool: str, python: str) -> AbstractContextManager[Worker | None]:
    return nullcontext() if tool in EXPORTERS else Worker(tool, python)


def report(state: Path) -> str:
    """The counts of all judged pairs, as Markdown."""
    found = rows(state)
    verdicts = ("equivalent", "different", "inconclusive", "refused")
    counts = Counter((row["tool"], row["truth"], row["verdict"]) for row in found)
    lines = [
        "# What `verify` says of what other tools make",
        "",
        "Remade by `python -m benchmarks.verdicts`. Who is right is told by onnxruntime and torch, "
        "to a tolerance; *failed*: the tool made nothing.",
        "",
        f"{len(found)} pairs; onnxruntime {ort.__version__}, onnx {onnx.__version__}.",
        "",
        f"| tool | the pair is | {' | '.join(verdicts)} |",
        f"| --- | --- |{' ---: |' * len(verdicts)}",
    ]
    for tool in (*EXPORTERS, *TOOLS):
        for known in (CORRECT, WRONG, UNKNOWN):
            cells = [counts[tool, known, verdict] for verdict in verdicts]
            if any(cells):
                lines.append(f"| {tool} | {known} | {' | '.join(map(str, cells))} |")
    failed = sum(row["truth"] == FAILED for row in found)
    lines += ["", f"{failed} failed.", ""]
    apart = ((CORRECT, "different"), (CORRECT, "refused"), (WRONG, "equivalent"))
    lines += [
        f"- {row['given']} by {row['tool']}: {row['truth']}, {row['verdict']}: {row['reason']}"
        for row in found
        if (row["truth"], row["verdict"]) in apart
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Goes on with the run and writes the report; 1 where verify alarms on a correct pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools-python", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, default=STATE, help="where judged pairs are noted")
    given = parser.parse_args()
    try:
        run(given.pairs, given.seed, given.tools_python, given.state)
    finally:
        REPORT.write_text(report(given.state), encoding="utf-8")
    alarms = [row for row in rows(given.state) if row["truth"] == CORRECT]
    return int(any(row["verdict"] == "different" for row in alarms))


if __name__ == "__main__":
    sys.exit(main())
