"""Where the numbers come from: machine, load and versions, and what of it casts doubt on them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold.runtime import engine

if TYPE_CHECKING:
    from bnfold.bench.rows import Comparison, Isolated

BUSY_LOAD = 0.5  # load per usable core from which other programs are in the way

AT_ODDS = 1.1  # beyond an interval by this factor, a ratio contradicts it

OFTEN = 0.25  # share of interrupted blocks from which a reader should know

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_MIB = 1024 * 1024


def environment(*, with_gpu: bool) -> dict[str, Any]:
    """Facts about this machine as it is now.

    Keys: `cpu`, `cores_physical`, `cores_usable`, `memory_mib`, `load_average` (over 1, 5 and 15
    minutes, or null), `governor` (or null), `os`, `python`, `versions` {onnxruntime, onnx,
    onnx-ir, numpy}, `gpu` (name and driver, or null).
    """
    import numpy as np
    import onnx
    import onnx_ir
    import psutil

    return {
        "cpu": _cpu_model(),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_usable": usable_cores(),
        "memory_mib": psutil.virtual_memory().total // _MIB,
        "load_average": [round(load, 2) for load in os.getloadavg()]
        if hasattr(os, "getloadavg")
        else None,
        "governor": _first_line(_GOVERNOR),
        "os": platform.platform(),
        "python": platform.python_version(),
        "versions": {
            "onnxruntime": engine.version(),
            "onnx": onnx.__version__,
            "onnx-ir": onnx_ir.__version__,
            "numpy": np.__version__,
        },
        "gpu": _gpu() if with_gpu else None,
    }


def doubts(facts: dict[str, Any], *, threads: int) -> tuple[str, ...]:
    """Sentences about what makes numbers from this machine less than sure."""
    found = []
    cores, load = facts["cores_usable"], facts["load_average"]
    if load is not None and load[0] > BUSY_LOAD * cores:
        found.append(
            f"the load average was {load[0]:.1f} on {cores} cores before the first run: "
            "other programs compete, and absolute times may be too high"
        )
    if threads > cores:
        found.append(f"{threads} threads on {cores} usable cores: they take turns")
    if facts["governor"] in ("powersave", "ondemand", "conservative", "schedutil"):
        found.append(f"the CPU governor is {facts['governor']!r}: the clock changes with the load")
    return tuple(found)


def disturbances(comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    """Sentences about the provider and level at which other programs took the core often."""
    shares = {(c.provider, c.level): c.interrupted for c in comparisons}
    return tuple(
        f"{provider}, optimisations {level}: other programs interrupted {share:.0%} of the blocks"
        for (provider, level), share in shares.items()
        if share is not None and share > OFTEN
    )


def device_facts(isolated: Iterable[Isolated]) -> tuple[str, ...]:
    """Sentences on how an accelerator computed, and on what did not run on it."""
    found: dict[str, None] = {}
    for row in isolated:
        if row.options:
            listed = ", ".join(f"{key} {value}" for key, value in sorted(row.options.items()))
            found[f"{row.provider}: {listed}"] = None
        if row.elsewhere:
            strays = ", ".join(f"{count} {op}" for op, count in sorted(row.elsewhere.items()))
            found[
                f"{row.model}, optimisations {row.level}: not all of it runs on {row.provider}: "
                f"{strays}; a ratio with such nodes is none of {row.provider}'s alone"
            ] = None
    return tuple(found)


def disagreements(
    comparisons: Iterable[Comparison], isolated: Sequence[Isolated]
) -> tuple[str, ...]:
    """Sentences where a ratio of pairs is not that of the models alone."""
    alone = {(row.model, row.where): row for row in isolated}
    found = []
    for pair in comparisons:
        rows = [alone.get((name, pair.where)) for name in (pair.baseline, pair.candidate)]
        if pair.verdict == "inconclusive" or rows[0] is None or rows[1] is None:
            continue
        ratio = rows[0].median_ms / rows[1].median_ms
        if not pair.ratio.low / AT_ODDS <= ratio <= pair.ratio.high * AT_ODDS:
            found.append(
                f"{pair.candidate}, {pair.provider}, optimisations {pair.level}: its ratio is "
                f"{pair.ratio.estimate:.2f} in pairs, and {ratio:.2f} of the medians of each model "
                f"alone; processes apart meet the machine at different times, so believe the "
                "pairs, or repeat it on a quieter machine"
            )
    return tuple(found)


def usable_cores() -> int:
    """The number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _output_of("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _gpu() -> str | None:
    return _output_of("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _output_of(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().partition("\n")[0] or None
