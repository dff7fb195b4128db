"""A caller's module is afterwards what it was, whatever its code keeps while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def preserved(module: torch.nn.Module) -> Iterator[None]:
    """Attributes, containers in them, and the values of buffers are restored, come what may.

    A forward may count its calls, update statistics, or keep activations for later; traced, it
    keeps tensors that mean nothing outside of the trace. Parameters are taken to be left alone, as
    they are in any forward, and are not copied.
    """
    undo = [step for part in module.modules() for step in _undo_steps(part)]
    try:
        yield
    finally:
        for step in undo:
            step()


def _undo_steps(part: torch.nn.Module) -> list[Callable[[], None]]:
    import torch

    attributes = dict(vars(part))
    steps = [_refill(value) for value in attributes.values() if type(value) in (dict, list, set)]
    for buffer in part.buffers(recurse=False):
        if isinstance(buffer, torch.Tensor) and buffer.device.type != "meta":
            steps.append(_written_back(buffer))

    def attributes_back() -> None:
        vars(part).clear()
        vars(part).update(attributes)

    return [attributes_back, *steps]


def _refill(container: Any) -> Callable[[], None]:
    before = container.copy()

    def refill() -> None:
        container.clear()
        (container.extend if isinstance(container, list) else container.update)(before)

    return refill


def _written_back(buffer: torch.Tensor) -> Callable[[], None]:
    import torch

    before = buffer.detach().clone()

    def write() -> None:
        if not torch.equal(buffer, before):  # its version does not tell: batch_norm bumps none
            with torch.no_grad():
                buffer.copy_(before)

    return write
