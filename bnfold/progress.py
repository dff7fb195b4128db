"""How far a call has come, in the one form in which all calls tell it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with the steps done, the steps in all, and what is being done."""
