"""What a child begins with that is to hear signals, however the tests were started."""

from __future__ import annotations

HEARS_SIGNALS = """
import signal  # a run in the background hands down that they are ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
