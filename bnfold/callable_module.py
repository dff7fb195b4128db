"""Lets `bnfold.fold(...)` be a call while `bnfold.fold` stays a package to import from."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A module that, when called, calls its function of the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        return self.__dict__[self.__name__.rpartition(".")[2]](*args, **kwargs)


def make_callable(module_name: str) -> None:
    """The module named so can be called from now on: `fold` calls `fold.fold`."""
    sys.modules[module_name].__class__ = CallableModule
