"""Folds every batch norm of a trained network that can be folded exactly, and proves it.

    import bnfold

    result = bnfold.fold("model.onnx")
    result.save("folded.onnx")
    assert bnfold.verify("model.onnx", "folded.onnx")

`export`, `fold`, `fold_module`, `inspect`, `verify`, `bench`, `run`, which is most of them in one,
`optimize`, for deployments, and `sweep`, for many models, are functions. What they return, and the
parts, are in packages to import from: `from bnfold.fold import Ledger`. Whatever they need is
imported when they are named, so that `import bnfold` costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bnfold.errors import BnfoldError

if TYPE_CHECKING:
    from bnfold.bench.api import bench
    from bnfold.export.api import export
    from bnfold.fold.api import fold, inspect
    from bnfold.run.api import run
    from bnfold.run.optimize import optimize
    from bnfold.sweep.api import sweep
    from bnfold.torch_fold.api import fold_module
    from bnfold.tune.api import tune
    from bnfold.verify.api import verify

__version__ = "0.1.0"

__all__ = [
    "BnfoldError",
    "__version__",
    "bench",
    "export",
    "fold",
    "fold_module",
    "inspect",
    "optimize",
    "run",
    "sweep",
    "tune",
    "verify",
]

_HOMES = {
    "bench": "bnfold.bench.api",
    "export": "bnfold.export.api",
    "fold": "bnfold.fold.api",
    "fold_module": "bnfold.torch_fold.api",
    "inspect": "bnfold.fold.api",
    "optimize": "bnfold.run.optimize",
    "run": "bnfold.run.api",
    "sweep": "bnfold.sweep.api",
    "tune": "bnfold.tune.api",
    "verify": "bnfold.verify.api",
}
"""Where each function is, for whoever runs this; the imports above say it to whoever reads it."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """This package, whose functions stay what they are.

    Python binds a sub-package to its name here when it is first imported: `bnfold.fold.api` would
    turn `bnfold.fold` from the function into the package around it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        is_sub_package = isinstance(value, ModuleType) and value.__name__ == f"{__name__}.{name}"
        if not (is_sub_package and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
