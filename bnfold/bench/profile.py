"""Where the time goes inside a model, from onnxruntime's own profiler.

Source: onnxruntime writes a Chrome trace: "model_run" events of category Session, and one
"..._kernel_time" event of category Node for each node of each run, in microseconds.
"""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold.bench.place import MeasuringPlace
from bnfold.bench.rows import OperatorTime, Profile

if TYPE_CHECKING:
    from bnfold.bench.model_files import ModelFile


def profile(place: MeasuringPlace, subject: ModelFile) -> Profile:
    """The time per operator type of a model, the mean over the faster runs.

    The profiler itself costs time with every node: use it for shares, not for latency.
    """
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        found = place.ask("profile", [subject], {"prefix": str(Path(folder) / "profile")})
        events = json.loads(Path(found["file"]).read_text())
    return Profile(
        model=subject.name, **place.row, runs=found["runs"], operators=operator_times(events)
    )


def operator_times(events: Iterable[Mapping[str, Any]]) -> tuple[OperatorTime, ...]:
    """The operators in a profile, longest first, as the mean over the faster half of the runs.

    The slower half holds the warm-up, and the runs that another program interrupted. The time of
    If, Loop and Scan holds that of their bodies, which count under their own names too.
    """
    rows = list(events)
    spans = _faster_half([row for row in rows if row["name"] == "model_run"])
    starts = [start for start, _ in spans]
    times: defaultdict[tuple[str, str], float] = defaultdict(float)
    nodes: defaultdict[tuple[str, str], set[tuple[str, str | None]]] = defaultdict(set)
    for row in rows:
        place = bisect_right(starts, row["ts"]) - 1
        if not _is_kernel(row) or place < 0 or row["ts"] > spans[place][1]:
            continue
        key = (row["args"]["op_name"], row["args"].get("provider", ""))
        times[key] += row["dur"] / 1e3 / len(spans)
        nodes[key].add((row["name"], row["args"].get("node_index")))
    whole = sum(times.values()) or 1.0
    return tuple(
        OperatorTime(
            op, provider.removesuffix("ExecutionProvider"), len(nodes[op, provider]), ms, ms / whole
        )
        for (op, provider), ms in sorted(times.items(), key=lambda item: -item[1])
    )


def _faster_half(runs: list[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """When these runs began and ended, in order."""
    fastest = sorted(runs, key=lambda run: run["dur"])[: (len(runs) + 1) // 2]
    return sorted((run["ts"], run["ts"] + run["dur"]) for run in fastest)


def _is_kernel(row: Mapping[str, Any]) -> bool:
    return row.get("cat") == "Node" and row["name"].endswith("_kernel_time")
