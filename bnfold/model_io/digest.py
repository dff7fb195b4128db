"""The SHA-256 of what is being written, computed beside the writing.

Both take as long, and neither holds Python's lock: on two cores they take the time of one.
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

_WAITING = 4  # calls whose bytes are held at most


class Digest:
    """A digest that is fed on a thread of its own, until it is closed."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "bnfold-digest")
        self._waiting: deque[Future[None]] = deque()

    def update(self, data: bytes | memoryview) -> None:
        """The bytes are counted soon, and held until then: of a few calls at most."""
        self._wait(_WAITING - 1)
        self._waiting.append(self._thread.submit(self._sha.update, data))

    def hex(self) -> str:
        """Of all that it was fed."""
        self._wait(0)
        return self._sha.hexdigest()

    def close(self) -> None:
        """The thread is done, and ends."""
        self._thread.shutdown()

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()
