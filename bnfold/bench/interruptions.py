"""How often another program took the core away, where the operating system counts it."""

from __future__ import annotations

import sys


def interruptions() -> int | None:
    """The involuntary context switches of this process so far; None where nobody counts them."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
