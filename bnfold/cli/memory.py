"""A command takes what memory the system can spare, and no more.

What a model asks a runtime to compute cannot be known before it is computed. Systems hand out more
memory than they have, and end some process when it is used: with a limit, asking for too much fails
where it is asked for, and becomes a sentence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SHARE = 0.8  # of what is available when the command begins
_LEAST_BYTES = 2 << 30  # libraries reserve more than they use


@contextmanager
def spare_memory_only() -> Iterator[None]:
    """Inside, this process and each that it starts fails to take more than the system can spare.

    On Linux, where a limit of data is one of all private memory; a lower one of the caller's stays.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_limit(before), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _limit(before: tuple[int, int]) -> int:
    import resource

    import psutil

    spare = max(int(_SHARE * psutil.virtual_memory().available), _LEAST_BYTES)
    limits = (psutil.Process().memory_info().data + spare, *before)
    return min(limit for limit in limits if limit != resource.RLIM_INFINITY)
