"""A module that another one imports, and that most commands never use, is loaded when it is used.

onnx-ir imports SymPy, which takes as long as all else that a fold imports, and computes with it
only where somebody adds or multiplies the names of sizes. The command's own process can wait for
that; in those of others, where threads may import SymPy meanwhile, nothing is put off.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader  # which imports more than help may take
    from importlib.machinery import ModuleSpec


def put_off(module: str, *, importer: str) -> None:
    """While the importer is imported, the module is not loaded; where it is used later, it is.

    Whoever else imports the module gets it at once. Nothing happens where one of them is there.
    """
    if module not in sys.modules and importer not in sys.modules:
        sys.meta_path.insert(0, _Finder(module, importer))


class _Finder:
    """Finds the importer as the others do, to be run with the module put off; once."""

    def __init__(self, module: str, importer: str) -> None:
        self._module, self._importer = module, importer

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._importer:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None and self._module not in sys.modules:
            spec.loader = cast("Loader", _Loader(spec.loader, self._module))
        return spec


class _Loader:
    """Runs a module's code as its own loader does, while a stand-in has another one's name."""

    def __init__(self, loader: Loader, put_off: str) -> None:
        self._loader, self._put_off = loader, put_off

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with _standing_in(self._put_off):
            self._loader.exec_module(module)


@contextmanager
def _standing_in(name: str) -> Iterator[None]:
    stand_in = _StandIn(name)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        stand_in.is_ready = True
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


class _StandIn(ModuleType):
    """Has what the module has: at first as something to keep, later as it is."""

    is_ready = False

    def __getattr__(self, name: str) -> Any:
        return _fetched(self.__name__, name) if self.is_ready else _Member(self.__name__, name)


class _Member:
    """What a module has under a name, fetched when it is called, looked into or derived from."""

    def __init__(self, module: str, name: str) -> None:
        self.__place = (module, name)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return _fetched(*self.__place)(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(_fetched(*self.__place), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_fetched(*self.__place),)


def _fetched(module: str, name: str) -> Any:
    if isinstance(sys.modules.get(module), _StandIn):
        del sys.modules[module]  # used while the importer is still at it
    return getattr(importlib.import_module(module), name)
