"""What the fresh process does: one session, its runs, its peak memory, then the session again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.bench.bound import BoundModel
from bnfold.runtime import engine
from bnfold.runtime.engine import Setting

_WARM_UP_RUNS = 3
_FEWEST_RUNS, _MOST_RUNS, _RUN_SECONDS = 10, 200, 1.0
_MOST_SESSIONS, _SESSION_SECONDS = 5, 0.5
_MIB = 1024 * 1024


def main() -> None:
    """Reads a job from stdin and writes its report, or the error that a user should see."""
    job = json.load(sys.stdin)
    try:
        report = measure(job)
    except engine.EngineError as error:
        report = {"error": type(error).__name__, "message": str(error)}
    Path(job["report"]).write_text(json.dumps(report))


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """Session creation and latency samples in ms, and memory in MiB, of the job's model."""
    engine.version()  # loading onnxruntime belongs to no model
    settings = Setting(**job["settings"])
    with np.load(job["feeds"]) as arrays:
        feeds = {name: arrays[f"arr_{i}"] for i, name in enumerate(job["feed_names"])}
    base_mib = resident_mib()
    session, first_ms = _timed_session(job, settings)
    run = BoundModel(session, feeds, device=settings.provider, name=job["name"])
    samples = _latencies(run)
    peak_mib = peak_rss_mib()
    del run, session
    return {
        "session_samples_ms": _session_times(job, settings, first_ms),
        "samples_ms": samples,
        "peak_rss_mib": peak_mib,
        "base_rss_mib": base_mib,
    }


def peak_rss_mib() -> float:
    """The most memory that this process ever held.

    Not `ru_maxrss` on Linux: it survives exec, so a child would report its parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import psutil

    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return float(info.peak_wset) / _MIB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB  # macOS counts bytes


def resident_mib() -> float:
    """The memory that this process holds now."""
    import psutil

    return float(psutil.Process().memory_info().rss) / _MIB


def _timed_session(job: Mapping[str, Any], settings: Setting) -> tuple[Any, float]:
    start = time.perf_counter_ns()
    session = engine.open_session(job["model"], settings, name=job["name"])
    return session, (time.perf_counter_ns() - start) / 1e6


def _session_times(job: Mapping[str, Any], settings: Setting, first_ms: float) -> list[float]:
    samples = [first_ms]
    while len(samples) < _MOST_SESSIONS and sum(samples) < _SESSION_SECONDS * 1e3:
        samples.append(_timed_session(job, settings)[1])
    return samples


def _latencies(run: BoundModel) -> list[float]:
    for _ in range(_WARM_UP_RUNS):
        run()
    samples: list[float] = []
    deadline = time.perf_counter() + _RUN_SECONDS
    while len(samples) < _FEWEST_RUNS or (
        len(samples) < _MOST_RUNS and time.perf_counter() < deadline
    ):
        start = time.perf_counter_ns()
        run()
        samples.append((time.perf_counter_ns() - start) / 1e6)
    return samples


if __name__ == "__main__":
    main()
