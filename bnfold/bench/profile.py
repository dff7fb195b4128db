"""Where the time goes inside a model, from onnxruntime's own profiler.

Source: onnxruntime writes a Chrome trace: "model_run" events of category Session, and one
"..._kernel_time" event of category Node for each node of each run, in microseconds.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfold.bench.records import OperatorTime, Profile
from bnfold.bench.sessions import BoundModel, SessionSettings, open_session

if TYPE_CHECKING:
    from bnfold.bench.subjects import Subject

_WARM_UP_RUNS = 3
_RUNS = 20


def profile(
    subject: Subject, settings: SessionSettings, feeds: Mapping[str, np.ndarray]
) -> Profile:
    """The time per operator type of a model at one level, the mean over several runs.

    The profiler itself costs time with every node: use it for shares, not for latency.
    """
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        session = open_session(subject.path, settings, profile_prefix=str(Path(folder) / "profile"))
        run = BoundModel(session, feeds, device=settings.provider, name=subject.name)
        for _ in range(_WARM_UP_RUNS + _RUNS):
            run()
        events = json.loads(Path(session.end_profiling()).read_text())
    operators = operator_times(events, runs=_RUNS)
    return Profile(subject.name, settings.provider, settings.level, _RUNS, operators)


def operator_times(events: Iterable[Mapping[str, Any]], *, runs: int) -> tuple[OperatorTime, ...]:
    """The operators of the last `runs` runs in a profile, longest first.

    The time of If, Loop and Scan holds that of their bodies, which count under their own names too.
    """
    rows = list(events)
    starts = sorted(row["ts"] for row in rows if row["name"] == "model_run")
    since = starts[-runs] if len(starts) >= runs else 0
    times: defaultdict[tuple[str, str], float] = defaultdict(float)
    nodes: defaultdict[tuple[str, str], set[tuple[str, str | None]]] = defaultdict(set)
    for row in rows:
        if row.get("cat") != "Node" or not row["name"].endswith("_kernel_time"):
            continue
        if row["ts"] < since:
            continue
        key = (row["args"]["op_name"], row["args"].get("provider", ""))
        times[key] += row["dur"] / 1e3 / runs
        nodes[key].add((row["name"], row["args"].get("node_index")))
    whole = sum(times.values()) or 1.0
    return tuple(
        OperatorTime(
            op, provider.removesuffix("ExecutionProvider"), len(nodes[op, provider]), ms, ms / whole
        )
        for (op, provider), ms in sorted(times.items(), key=lambda item: -item[1])
    )
