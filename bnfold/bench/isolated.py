"""One model in processes of its own: session creation, latency and peak memory, undisturbed."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from bnfold.bench.child_alone import KEPT_SAMPLES
from bnfold.bench.place import MeasuringPlace
from bnfold.bench.rows import Isolated

if TYPE_CHECKING:
    from bnfold.bench.model_files import ModelFile

SECONDS = 1.0
"""Of runs in all: what fewer runs tell depends on when they were."""

MOST_PROCESSES = 3
RUNS_FOR_P99 = 1000
"""From as many on, ten of them lie beyond the 99th percentile."""


def measure_isolated(
    place: MeasuringPlace, subject: ModelFile, *, processes: int, warm_up: int, streams: int = 0
) -> Isolated:
    """The numbers of one model, from processes that do nothing else.

    Each percentile is the median over the processes of what it is in each.

    Raises:
        ModelError: the model does not load or run there, or its process was killed.
    """
    count = min(processes, MOST_PROCESSES)
    details = {"seconds": SECONDS / count, "warm_up": warm_up, "streams": streams}
    found = [place.ask("alone", [subject], details) for _ in range(count)]
    times = [report["samples_ms"] for report in found]
    runs = sum(map(len, times))
    p10, p50, p90, p99 = np.percentile(
        [np.percentile(one, [10, 50, 90, 99]) for one in times], 50, axis=0
    )
    sessions = [ms for report in found for ms in report["session_samples_ms"]]
    peaks, bases = ([report[key] for report in found] for key in ("peak_rss_mib", "base_rss_mib"))
    devices = [report["device_mib"] for report in found]
    speeds = [report["runs_per_s"] for report in found]
    return Isolated(
        model=subject.name,
        **place.row,
        session_ms=median(sessions),
        median_ms=float(p50),
        p10_ms=float(p10),
        p90_ms=float(p90),
        p99_ms=float(p99) if runs >= RUNS_FOR_P99 else None,
        peak_rss_mib=None if None in peaks else median(peaks),
        base_rss_mib=None if None in bases else median(bases),
        session_samples_ms=tuple(sessions),
        samples_ms=tuple(ms for one in times for ms in _evenly(one)),
        runs=runs,
        medians_ms=tuple(median(one) for one in times),
        runs_per_s=median(speeds) if streams else None,
        device_mib=None if None in devices else median(devices),
        options=found[0]["facts"]["options"],
        elsewhere=found[0]["facts"]["elsewhere"],
    )


def _evenly(samples: list[float]) -> list[float]:
    """At most so many of them as are kept, from all over the time."""
    if len(samples) <= KEPT_SAMPLES:
        return samples
    picks = np.linspace(0, len(samples) - 1, KEPT_SAMPLES).round().astype(int)
    return [samples[pick] for pick in picks]
