"""Rows of measurements that were never made, for tests that read them."""

from __future__ import annotations

from typing import Any

from bnfold.bench.rows import Comparison, Interval, Isolated

EVEN = Interval(1.0, 1.0, 1.0)


def comparison(**given: Any) -> Comparison:
    """b.onnx against a.onnx, no difference; what is given takes the place of that."""
    row: dict[str, Any] = {
        "provider": "cpu", "level": "all", "baseline": "a.onnx", "candidate": "b.onnx",
        "verdict": "no difference", "sentence": "no difference measured", "reason": "",
        "ratio": Interval(1.004, 0.991, 1.012), "null": Interval(1.0, 0.99, 1.01),
        "runs_per_block": 9, "quads": (), "null_quads": (),
    }  # fmt: skip
    return Comparison(**{**row, **given})


def isolated(**given: Any) -> Isolated:
    """a.onnx alone, half a millisecond; what is given takes the place of that."""
    row: dict[str, Any] = {
        "provider": "cpu", "level": "all", "model": "a.onnx", "session_ms": 12.3,
        "median_ms": 0.5, "p10_ms": 0.45, "p90_ms": 0.7, "peak_rss_mib": 80.0,
        "base_rss_mib": 60.0, "session_samples_ms": (12.3,), "samples_ms": (0.5,),
    }  # fmt: skip
    return Isolated(**{**row, **given})
