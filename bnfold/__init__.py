"""Folds every batch norm of a trained network that can be folded exactly, and proves it.

The public names are `export`, `fold`, `verify`, `bench` and the errors. Each is imported when it is
first used, so that `import bnfold` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["BnfoldError", "__version__", "bench", "export", "fold", "verify"]

if TYPE_CHECKING:
    from bnfold.bench.api import bench as bench
    from bnfold.errors import BnfoldError as BnfoldError
    from bnfold.export import export as export
    from bnfold.fold.api import fold as fold
    from bnfold.verify.api import verify as verify


def __getattr__(name: str) -> Any:
    if name in ("bench", "export", "fold", "verify"):
        return importlib.import_module(f"bnfold.{name}")  # a module that can be called
    if name == "BnfoldError":
        return importlib.import_module("bnfold.errors").BnfoldError
    raise AttributeError(f"module 'bnfold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
