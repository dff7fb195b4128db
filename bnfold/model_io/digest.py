"""The SHA-256 of what is being written, computed beside the writing.

Both take as long, and neither holds Python's lock: on two cores they take the time of one.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Digest:
    """A digest that is fed on a thread of its own, for as long as the block lasts."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "bnfold-digest")
        self._last: Future[None] | None = None

    def __enter__(self) -> Digest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    def update(self, data: bytes | memoryview) -> None:
        """The bytes are counted soon, and held until then; those before them have been."""
        self._wait()
        self._last = self._thread.submit(self._sha.update, data)

    def hex(self) -> str:
        """Of all that it was fed."""
        self._wait()
        return self._sha.hexdigest()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()
