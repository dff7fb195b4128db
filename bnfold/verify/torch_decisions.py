"""Decisions inside of a torch module, as `inner_decisions` has them for graphs.

A module is no graph: its calls are met as they are made. Those that exporters write as decisions
of the graph, in order and of one shape, stand for them; what else the module decides, as
on masks that an exporter stores, is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bnfold.runtime.sessions import RunError
from bnfold.verify.torch_calls import CallMode

_WRITTEN_AS: Mapping[str, str] = {
    "argmax": "ArgMax",
    "argmin": "ArgMin",
    "ceil": "Ceil",
    "eq": "Equal",
    "floor": "Floor",
    "ge": "GreaterOrEqual",
    "gt": "Greater",
    "le": "LessOrEqual",
    "lt": "Less",
    "max": "ArgMax",
    "min": "ArgMin",
    "round": "Round",
    "sign": "Sign",
    "sort": "TopK",
    "topk": "TopK",
}

_PICKING = frozenset({"max", "min", "sort", "topk"})
"""What gives numbers, and where they are; only the places are decisions."""

Made = tuple[str, torch.Tensor, tuple[Any, ...]]
"""The operator that a call is written as, what it decides, and the operands."""

Wanted = tuple[str, tuple[int, ...], tuple[int, ...]]
"""The operator of a decision of a graph, the shape of its result, and which operands it reads."""


@dataclass(frozen=True)
class Turn:
    """A call by its turn among those that decide, and which of its operands are compared."""

    turn: int
    operands: tuple[int, ...]


class Deciding(CallMode):  # type: ignore[no-untyped-call]
    """Remembers what is decided, and of what, while it is entered.

    Attributes:
        made: the calls that decide.
    """

    def __init__(self, given: Mapping[int, torch.Tensor] | None = None) -> None:
        """`given` is what goes on in place of what is decided, by the turns of the calls."""
        super().__init__()
        self.made: list[Made] = []
        self._given = given or {}

    def called(self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Calls it, and remembers; goes on with what is given."""
        operator = _operator(name, args, named)
        if operator is None:
            return func(*args, **named)
        operands = tuple(x.clone() if isinstance(x, torch.Tensor) else x for x in args)
        result = func(*args, **named)
        is_pair = name in _PICKING and isinstance(result, tuple)
        decided = result[1] if is_pair else result
        if name in _PICKING and not is_pair:
            return result  # the largest number of all, which is no place
        turn = len(self.made)
        self.made.append((operator, decided, operands))
        if turn not in self._given:
            return result
        given = self._given[turn].to(decided.dtype)
        return (result[0], given) if is_pair else given

    def told(self, turns: Sequence[Turn]) -> list[torch.Tensor]:
        """Of each of the turns what was decided, and of what.

        Raises:
            RunError: fewer decisions were made.
        """
        if any(each.turn >= len(self.made) for each in turns):
            raise RunError("the module decides less often than before")
        found = []
        for each in turns:
            _, decided, operands = self.made[each.turn]
            found.append(decided.long() if decided.is_floating_point() else decided)
            found += [operands[place] for place in each.operands]
        return found


def _operator(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> str | None:
    if name != "_to_copy":
        return _WRITTEN_AS.get(name)
    to = named.get("dtype")
    cuts = isinstance(to, torch.dtype) and not to.is_floating_point and to is not torch.bool
    return "Cast" if cuts and args[0].is_floating_point() else None


def turns_of(made: Sequence[Made], wanted: Sequence[Wanted]) -> tuple[Turn, ...] | None:
    """The calls that stand for the decisions of a graph, in order; None where one has none."""
    found: list[Turn] = []
    calls = iter(enumerate(made))
    for operator, shape, operands in wanted:
        turn = next((i for i, each in calls if _fits(each, operator, shape, operands)), None)
        if turn is None:
            return None
        found.append(Turn(turn, operands))
    return tuple(found)


def _fits(made: Made, operator: str, shape: tuple[int, ...], operands: Sequence[int]) -> bool:
    kind, decided, given = made
    if kind != operator or tuple(decided.shape) != shape or len(given) <= max(operands):
        return False
    read = [given[place] for place in operands]
    return all(isinstance(x, torch.Tensor) and x.is_floating_point() for x in read)
