"""Copies of a user's module that share nothing with it, whatever it holds."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def copy_of(module: torch.nn.Module) -> torch.nn.Module:
    """A copy of the module that shares nothing with it, what its hooks write to included.

    What it keeps of earlier runs is copied without gradients.
    """
    import torch

    held = [(part, *_held(part)) for part in module.modules()]
    values = {id(value): value for group in held for value in group}
    memo: dict[int, Any] = {
        key: value.detach()
        for key, value in values.items()
        if isinstance(value, torch.Tensor) and value.grad_fn is not None
    }
    closures = _fresh_closures(values)
    memo |= {id(function): fresh for function, fresh in closures}
    copied = copy.deepcopy(module, memo)
    for function, fresh in closures:
        for old, new in zip(function.__closure__ or (), fresh.__closure__ or (), strict=True):
            with suppress(ValueError):  # a cell that nothing was put in yet
                held_there = old.cell_contents
                is_own = id(held_there) in values or id(held_there) in memo
                new.cell_contents = copy.deepcopy(held_there, memo) if is_own else held_there
    return copied


def _held(part: torch.nn.Module) -> Iterator[Any]:
    """What a module keeps: its attributes, and what lists and dictionaries among them hold."""
    for value in vars(part).values():
        yield value
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, (list, tuple)):
            yield from value


def _fresh_closures(values: Mapping[int, Any]) -> list[tuple[FunctionType, FunctionType]]:
    """Functions among the values, each with another of the same code and empty cells of its own.

    deepcopy takes functions as they are: the hooks of a copy would write into the original.
    """
    pairs: list[tuple[FunctionType, FunctionType]] = []
    waiting = [value for value in values.values() if isinstance(value, FunctionType)]
    seen = set()
    while waiting:
        function = waiting.pop()
        if id(function) in seen or not function.__closure__:
            continue
        seen.add(id(function))
        pairs.append((function, _with_empty_cells(function)))
        for cell in function.__closure__:
            with suppress(ValueError):
                if isinstance(cell.cell_contents, FunctionType):
                    waiting.append(cell.cell_contents)
    return pairs


def _with_empty_cells(function: FunctionType) -> FunctionType:
    fresh = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(CellType() for _ in function.__closure__ or ()),
    )
    fresh.__kwdefaults__ = function.__kwdefaults__
    vars(fresh).update(vars(function))
    return fresh
