"""Parts of a large tensor, computed on two threads and taken in order.

NumPy gives Python's lock free while it reckons, so that one part is computed while the one before
is used. What comes out is the same with any number of threads: each part is computed by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_THREADS = 2  # more wait for the memory: the parts are read once
_WAITING = 3  # parts that are held at most, whoever takes them being slow

Item = TypeVar("Item")
Part = TypeVar("Part")


def computed_ahead(compute: Callable[[Item], Part], items: Iterable[Item]) -> Iterator[Part]:
    """`compute(item)` for each item, in order; at most three of them before they are taken."""
    with ThreadPoolExecutor(_THREADS, "bnfold-parts") as threads:
        waiting: deque[Future[Part]] = deque()
        for item in items:
            waiting.append(threads.submit(compute, item))
            if len(waiting) == _WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
