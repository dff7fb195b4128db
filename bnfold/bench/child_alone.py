"""One model alone in a process: one session, its runs, its peak memory, then the session again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnfold.bench.child_device import used_mib
from bnfold.runtime import engine

KEPT_SAMPLES = 200
"""So many runs are kept in a record, evenly over the time; the percentiles are those of all."""

_FEWEST_RUNS = 4
_MOST_SESSIONS, _SESSION_SECONDS = 5, 0.5
_MIB = 1024 * 1024


def alone(
    open_session: Callable[[], Any],
    bind: Callable[[Any], Callable[[], None]],
    facts_of: Callable[[Any], dict[str, Any]],
    *,
    seconds: float,
    warm_up: int,
    streams: int,
    on_device: bool = False,
) -> dict[str, Any]:
    """Samples of session creation and of runs in ms, memory in MiB, runs per second of streams.

    What a device holds more after the runs is the model's: onnxruntime gives nothing back before.
    """
    engine.version()  # loading onnxruntime belongs to no model
    base_mib, before_mib = resident_mib(), used_mib() if on_device else None
    session, first_ms = _timed(open_session)
    facts = facts_of(session)
    run = bind(session)
    samples = latencies_ms(run, seconds=seconds, warm_up=warm_up)
    peak_mib = peak_rss_mib()
    after_mib = used_mib() if on_device else None
    throughput = None
    if streams:
        throughput = runs_per_second([bind(session) for _ in range(streams)], seconds)
    del run, session
    return {
        "session_samples_ms": _session_times(open_session, first_ms),
        "samples_ms": samples,
        "runs_per_s": throughput,
        "peak_rss_mib": peak_mib,
        "base_rss_mib": base_mib,
        "device_mib": None if before_mib is None or after_mib is None else after_mib - before_mib,
        "facts": facts,
    }


def latencies_ms(run: Callable[[], None], *, seconds: float, warm_up: int) -> list[float]:
    """The time of each run, for so many seconds after some that warm up."""
    for _ in range(warm_up):
        run()
    samples: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(samples) < _FEWEST_RUNS or time.perf_counter() < deadline:
        start = time.perf_counter_ns()
        run()
        samples.append((time.perf_counter_ns() - start) / 1e6)
    return samples


def runs_per_second(streams: list[Callable[[], None]], seconds: float) -> float:
    """How many runs end in a second where each stream runs the model again and again.

    They share one session, as the threads of a server do.
    """
    counts = [0] * len(streams)
    begin = threading.Barrier(len(streams) + 1)

    def stream(place: int) -> None:
        begin.wait()
        deadline = time.perf_counter() + seconds
        while not counts[place] or time.perf_counter() < deadline:
            streams[place]()
            counts[place] += 1

    threads = [threading.Thread(target=stream, args=(i,)) for i in range(len(streams))]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def peak_rss_mib() -> float | None:
    """The most memory that this process ever held; None where nobody says.

    Not `ru_maxrss` on Linux: it survives exec, so a child would report its parent's peak.
    """
    found = _status_mib("VmHWM:")
    if found is not None:
        return found
    info = _psutil_memory()
    if hasattr(info, "peak_wset"):
        return float(info.peak_wset) / _MIB
    return _highest_mib()


def resident_mib() -> float | None:
    """The memory that this process holds now; without psutil on macOS, the most it ever held."""
    found = _status_mib("VmRSS:")
    if found is not None:
        return found
    info = _psutil_memory()
    return float(info.rss) / _MIB if info is not None else _highest_mib()


def _status_mib(key: str) -> float | None:
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return None


def _psutil_memory() -> Any:
    try:
        import psutil
    except ImportError:  # a Python that was handed this file has NumPy and onnxruntime
        return None
    return psutil.Process().memory_info()


def _highest_mib() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB  # macOS counts bytes


def _timed(open_session: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter_ns()
    session = open_session()
    return session, (time.perf_counter_ns() - start) / 1e6


def _session_times(open_session: Callable[[], Any], first_ms: float) -> list[float]:
    samples = [first_ms]
    while len(samples) < _MOST_SESSIONS and sum(samples) < _SESSION_SECONDS * 1e3:
        samples.append(_timed(open_session)[1])
    return samples
