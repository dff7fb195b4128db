"""The sides of operators that choose between numbers: what no input meets may be anything.

    Clip(x, low, high)      below, within, above        HardSigmoid(x)    0, between, 1
    Max(x, c), Min(x, c)    x, and the constant c       Where(q, x, y)    where q holds, and not
    LeakyRelu, PRelu, Elu, ...                          above 0, and below

They are told by the float64 results; of a Relu and its like the units tell, see `units`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim, aim_above, aim_at
from bnfold.verify.scores import constant_of

Wanted = Literal["numbers", "large integers", "other extents"]
"""What inputs have to be other than the usual ones to meet a side."""


@dataclass(frozen=True)
class Side:
    """Whether a result met it, and what comes to 0 or above where it is met, if that is known.

    Attributes:
        is_met: gets the result, and what is `beside` it.
        aim: what is to come to 0 or above.
        beside: tensors from which the result is computed, by name.
        wants: which inputs may meet it.
    """

    is_met: Callable[..., bool]
    aim: Aim | None = None
    beside: tuple[str, ...] = ()
    wants: Wanted = "numbers"


Sides = Mapping[str, Side]
"""By what they are in words."""

_BENT = frozenset({"Celu", "Elu", "LeakyRelu", "PRelu", "Selu", "ThresholdedRelu"})

_HANDING_ON = frozenset({"Cast", "CastLike", "Identity", "Reshape", "Squeeze", "Unsqueeze"})

CHOOSING = COMPARES | _BENT | {"Clip", "HardSigmoid", "Max", "Min", "Relu", "Where"}
"""Operators with sides."""


def sides_of(nodes: Iterable[ir.Node], *, with_all: bool = False) -> Iterator[tuple[str, Sides]]:
    """The tensors that tell of these nodes, with what they tell.

    `with_all`: of a Relu and of comparisons too, which units and Where tell of elsewhere.
    """
    bent = _BENT | {"Relu"} if with_all else _BENT
    for node in nodes:
        name = node.outputs[0].name or ""
        if node.domain not in DEFAULT_DOMAINS or not name:
            continue
        what = f"{node.op_type} {node.name or name!r}"
        if node.op_type == "Where":
            condition = node.inputs[0]
            if condition is not None and condition.producer() is not None:
                yield condition.name or "", of_condition(what, aim_at(condition))
        elif node.op_type in COMPARES:
            if with_all:
                yield name, of_condition(what, aim_at(node.outputs[0]))
        elif node.op_type in bent:
            slopes = node.inputs[1] if node.op_type == "PRelu" else None
            each = None if slopes is None else numbers_of(slopes)
            yield name, of_bend(what, _aim_above(node, 0.0), each)
            if with_all and each is None:
                yield name, of_channels(what)
        elif sides := _of_result(node, what):
            yield name, sides


def of_bend(what: str, aim: Aim | None = None, slopes: Array | None = None) -> Sides:
    """Whether a result is on either side of 0; `aim` is what is above 0.

    With `slopes`, whether it is so for each of them.
    """
    if slopes is not None and slopes.size > 1:
        each = f"some channel of {what}"
        return {
            f"{each} above 0": Side(lambda y: _is_met_by_each(y > 0, slopes)),
            f"{each} at or below 0": Side(lambda y: _is_met_by_each(y <= 0, slopes)),
        }
    return {
        f"{what} above 0": Side(lambda y: bool((y > 0).any()), aim),
        f"{what} at or below 0": Side(lambda y: bool((y <= 0).any()), aim and aim.reversed()),
    }


def of_channels(what: str) -> Sides:
    """Whether each channel of a result is on either side of 0 somewhere."""
    return {
        f"some channel of {what} above 0": Side(lambda y: _is_met_in_each_channel(y > 0)),
        f"some channel of {what} at or below 0": Side(lambda y: _is_met_in_each_channel(y <= 0)),
    }


def _is_met_in_each_channel(met: Array) -> bool:
    if met.ndim < 2:
        return bool(met.any())
    others = tuple(axis for axis in range(met.ndim) if axis != channel_axis(met))
    return bool(met.any(axis=others).all())


def attributes_of(node: ir.Node) -> tuple[tuple[str, str], ...]:
    """The node's attributes as text, by name: nodes that do the same have the same."""
    return tuple(sorted((name, str(x.value)) for name, x in node.attributes.items()))


def channel_axis(array: Array) -> int:
    """That of [N, T, C], or of [N, C, *space]."""
    return array.ndim - 1 if array.ndim == 3 else 1


def _is_met_by_each(met: Array, constant: Array) -> bool:
    """Whether something is met at some place that each number of the constant goes to."""
    if met.ndim < constant.ndim:
        return bool(met.any())
    extents = (1,) * (met.ndim - constant.ndim) + constant.shape
    shared = tuple(axis for axis, extent in enumerate(extents) if extent == 1)
    return bool(met.any(axis=shared).all())


def _aim_above(node: ir.Node, bound: float | None) -> Aim | None:
    """Where the node's operand is as large as the bound, if both are known."""
    x = node.inputs[0]
    if x is None or not x.name or bound is None or constant_of(x) is not None:
        return None
    return aim_above(x, bound)


def _of_result(node: ir.Node, what: str) -> Sides:
    if node.op_type == "Clip":
        return between(what, *bounds_of(node), node)
    if node.op_type == "HardSigmoid":
        return between(what, np.zeros(()), np.ones(()))
    constants = [c for v in node.inputs if v is not None and (c := numbers_of(v)) is not None]
    if node.op_type in ("Max", "Min") and len(node.inputs) == 2 and len(constants) == 1:
        return _apart(what, constants[0])
    return {}


def of_condition(what: str, aim: Aim | None = None) -> Sides:
    """Whether a condition holds somewhere, and somewhere not; `aim` is where it does."""
    return {
        f"the condition of {what}": Side(lambda q: bool(q.any()), aim),
        f"the contrary of the condition of {what}": Side(
            lambda q: not q.all(), aim and aim.reversed()
        ),
    }


def numbers_of(value: ir.Value) -> Array | None:
    """The numbers of a constant, whatever type or shape is given to them behind it."""
    node = value.producer()
    while node is not None and node.op_type in _HANDING_ON and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    return constant_of(value)


def bounds_of(node: ir.Node) -> tuple[Array | None, Array | None]:
    """The constant bounds of a Clip: operands since Clip-11, attributes before."""
    if len(node.inputs) > 1:
        given = [None if value is None else numbers_of(value) for value in node.inputs[1:3]]
        return given[0], given[1] if len(given) > 1 else None
    low, high = (
        np.array(node.attributes[key].as_float()) if key in node.attributes else None
        for key in ("min", "max")
    )
    return low, high


def between(what: str, low: Array | None, high: Array | None, node: ir.Node | None = None) -> Sides:
    """Whether a result comes to its bounds, of those that are single numbers.

    `node` bounds what it gets at just these, and at no other numbers.
    """
    sides: dict[str, Side] = {}
    if low is not None and low.size == 1:
        least = float(low.reshape(()))
        aim = None if node is None else _aim_above(node, least)
        sides[f"the lower bound of {what}"] = Side(
            lambda y: bool((y <= least).any()), aim and aim.reversed()
        )
    if high is not None and high.size == 1:
        most = float(high.reshape(()))
        aim = None if node is None else _aim_above(node, most)
        sides[f"the upper bound of {what}"] = Side(lambda y: bool((y >= most).any()), aim)
    return sides


def _apart(what: str, constant: Array) -> Sides:
    wide = constant.astype(np.float64)
    return {
        f"the constant of {what}": Side(lambda y: _is_met_by_each(y == wide, wide)),
        f"the other operand of {what}": Side(lambda y: _is_met_by_each(y != wide, wide)),
    }
