"""What onnxruntime's native code says, which is the only place where it tells some reasons."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import TypeVar

Result = TypeVar("Result")


def with_native_log(work: Callable[[], Result]) -> tuple[Result, str]:
    """The result of the work; and what native code wrote meanwhile, and Python printed.

    Why a provider fell back stands in the native log and nowhere else, and that goes to file
    descriptor 2 without passing through `sys.stderr`.
    """
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file, redirect_stdout(StringIO()) as printed:
        os.dup2(file.fileno(), 2)
        try:
            _preload_libraries()
            result = work()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return result, file.read().decode(errors="replace") + printed.getvalue()


def _preload_libraries() -> None:
    """Lets onnxruntime find CUDA and cuDNN where pip has put them."""
    import onnxruntime

    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
