"""Being told to end, by whatever signal, is being interrupted: everything is put in order first."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")  # SIGINT is a KeyboardInterrupt already


def end_as_interrupted() -> None:
    """From now on these signals raise KeyboardInterrupt, unless the caller's caller ignores them.

    `nohup` ignores SIGHUP, for one. In a thread other than the main one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _ENDING:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
