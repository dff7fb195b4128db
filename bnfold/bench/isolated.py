"""One model in a process of its own: session creation, latency and peak memory, undisturbed.

The child is this same interpreter running `bnfold.bench.isolated_child`. It gets its job as JSON
and the inputs as .npz, so that it measures exactly what the paired protocol measures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

import bnfold
from bnfold import errors
from bnfold.bench.records import Isolated
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import our_error

if TYPE_CHECKING:
    from bnfold.bench.model_files import ModelFile


def measure_isolated(
    subject: ModelFile, settings: Setting, feeds: Mapping[str, np.ndarray]
) -> Isolated:
    """The numbers of one model at one level, from a process that does nothing else.

    Raises:
        ModelError: the model does not run, or its process was killed.
    """
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        feeds_path, report = Path(folder) / "feeds.npz", Path(folder) / "report.json"
        np.savez(feeds_path, *feeds.values())  # by number: an input may be called anything
        job = {
            "model": str(subject.path),
            "name": subject.name,
            "feeds": str(feeds_path),
            "feed_names": list(feeds),
            "report": str(report),
            "settings": asdict(settings),
        }
        found = _run_child(job, report, subject.name)
    samples = found["samples_ms"]
    p10, p50, p90 = (float(value) for value in np.percentile(samples, [10, 50, 90]))
    return Isolated(
        model=subject.name,
        provider=settings.provider,
        level=settings.level,
        session_ms=median(found["session_samples_ms"]),
        median_ms=p50,
        p10_ms=p10,
        p90_ms=p90,
        peak_rss_mib=found["peak_rss_mib"],
        base_rss_mib=found["base_rss_mib"],
        session_samples_ms=tuple(found["session_samples_ms"]),
        samples_ms=tuple(samples),
    )


def _run_child(job: Mapping[str, Any], report: Path, name: str) -> dict[str, Any]:
    # -P: what lies in the working directory must not be imported in place of NumPy.
    command = [sys.executable, "-P", "-m", "bnfold.bench.isolated_child"]
    package_root = str(Path(bnfold.__file__).parents[1])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        command,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    if not report.exists():
        raise _died(name, done)
    found: dict[str, Any] = json.loads(report.read_text())
    if "error" in found:
        raise our_error(found["error"], found["message"])
    return found


def _died(name: str, done: subprocess.CompletedProcess[str]) -> errors.BnfoldError:
    if done.returncode < 0:
        return errors.ModelError(
            f"{name}: the process that measured it was killed by signal {-done.returncode}; "
            "it most likely ran out of memory"
        )
    return errors.InternalError(f"{name}: the measuring process failed:\n{done.stderr.strip()}")
