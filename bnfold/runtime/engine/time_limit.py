"""Runs that may take so long and no longer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import EngineOverdueError, runtime_errors
from .options import ONLY_FATAL


@contextmanager
def ended_after(seconds: float | None, name: str) -> Iterator[Any]:
    """Options for a run that onnxruntime gives up between two nodes once the time is over.

    Args:
        seconds: that the run may take; None for as long as it takes, and no options.
        name: what to call the model in a sentence.

    Raises:
        EngineOverdueError: it was given up.
    """
    if seconds is None:
        yield None
        return
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = ONLY_FATAL
    timer = threading.Timer(seconds, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    except runtime_errors() as error:
        if not options.terminate:
            raise
        raise EngineOverdueError(
            f"{name}: a run did not end within {seconds:g} s; it has a Loop that may never end"
        ) from error
    finally:
        timer.cancel()
