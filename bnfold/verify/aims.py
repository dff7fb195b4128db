"""How far numbers are from a side that no input met: what a search for one has to make larger.

q = Greater(x, y)    x - y         And(p, q)    the smaller of the two
q = Less(x, y)       y - x         Or(p, q)     the larger
q = Equal(x, y)      -|x - y|      Not(q)       with the other sign
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Array
from bnfold.verify.scores import constant_of

Values = Mapping[str, Array]
"""The tensors of a model by name, in float64."""


@dataclass(frozen=True)
class Aim:
    """What is to come to 0 or above in some place: a function of these tensors of the model."""

    tensors: tuple[str, ...]
    margin: Callable[[Values], Array]

    def reversed(self) -> Aim:
        """The contrary."""
        return Aim(self.tensors, lambda values: -self.margin(values))


def aim_above(value: ir.Value, bound: float) -> Aim:
    """Where the value is as large as the bound."""
    return Aim((_name(value),), lambda values: values[_name(value)] - bound)


_DEEPEST = 8  # conditions behind one another: And doubles what is looked at each time


def aim_at(condition: ir.Value, depth: int = 0) -> Aim | None:
    """Where the condition holds; None for what does not come of a few comparisons alone."""
    node = condition.producer()
    if node is None or depth > _DEEPEST or node.domain not in DEFAULT_DOMAINS:
        return None
    if node.op_type in ("Cast", "Identity", "Not") and node.inputs[0] is not None:
        inner = aim_at(node.inputs[0], depth + 1)
        return inner.reversed() if inner is not None and node.op_type == "Not" else inner
    if len(node.inputs) != 2:
        return None
    if node.op_type in _BOTH:
        return _joined(node, _BOTH[node.op_type], depth)
    return _compared(node, _MARGINS[node.op_type]) if node.op_type in _MARGINS else None


_BOTH: Mapping[str, Callable[[Array, Array], Array]] = {"And": np.minimum, "Or": np.maximum}

_MARGINS: Mapping[str, Callable[[Array, Array], Array]] = {
    "Equal": lambda x, y: -np.abs(x - y),
    "Greater": lambda x, y: x - y,
    "GreaterOrEqual": lambda x, y: x - y,
    "Less": lambda x, y: y - x,
    "LessOrEqual": lambda x, y: y - x,
}


def _joined(node: ir.Node, join: Callable[[Array, Array], Array], depth: int) -> Aim | None:
    parts = [None if value is None else aim_at(value, depth + 1) for value in node.inputs]
    if parts[0] is None or parts[1] is None:
        return None
    p, q = parts[0], parts[1]
    return Aim(p.tensors + q.tensors, lambda values: join(p.margin(values), q.margin(values)))


def _compared(node: ir.Node, margin: Callable[[Array, Array], Array]) -> Aim | None:
    reads = [_Read.of(value) for value in node.inputs]
    if reads[0] is None or reads[1] is None:
        return None
    x, y = reads[0], reads[1]
    tensors = tuple(read.name for read in (x, y) if read.constant is None)
    return Aim(tensors, lambda values: margin(x.among(values), y.among(values)))


@dataclass(frozen=True)
class _Read:
    """An operand: a constant, or a tensor by name."""

    name: str
    constant: Array | None

    @classmethod
    def of(cls, value: ir.Value | None) -> _Read | None:
        if value is None or not value.name:
            return None
        constant = constant_of(value)
        return cls(value.name, None if constant is None else constant.astype(np.float64))

    def among(self, values: Values) -> Array:
        return values[self.name].astype(np.float64) if self.constant is None else self.constant


def _name(value: ir.Value) -> str:
    assert value.name, "only values with names are watched"
    return value.name
