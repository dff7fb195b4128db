"""How many threads a worker computes with: one, as each has one core."""

from __future__ import annotations

import numpy  # noqa: F401 (a limit holds for what is loaded by then)


def use_one_thread() -> None:
    """Products of matrices take one thread of this process from now on.

    onnxruntime has one thread for each session as it is (`runtime.engine.Setting`). What NumPy's
    library starts, a thread for each core, waits by spinning: with two workers on two cores that
    took four times the processor time of the work (docs/scale.md).
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
