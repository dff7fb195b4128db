"""Names that nothing else has: `fc`, `fc_1`, `fc_2`; the same ones for the same requests."""

from __future__ import annotations

from collections.abc import Iterable


class FreshNames:
    """Hands out names beside those that are taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}  # of each base, the first that may be free

    def __call__(self, base: str) -> str:
        """`base`, or `base_1`, `base_2`, ... where that is taken; taken from now on."""
        count = self._counts.get(base, 0)
        name = f"{base}_{count}" if count else base
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count
        self._taken.add(name)
        return name

    def release(self, name: str) -> None:
        """The name is free again."""
        self._taken.discard(name)
        self._counts.clear()
