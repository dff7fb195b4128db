"""The operators that torch calls while a module runs: what watches or moves them starts here."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class CallMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, each operator that is called comes to `called` first."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """What torch calls."""
        return self.called(func, func.overloadpacket.__name__, args, kwargs or {})

    @abstractmethod
    def called(self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The operator, what it is called, and its arguments; returns what it gives."""
