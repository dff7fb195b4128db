"""Units: channels of what shows in a result only where the numbers say so.

    Relu(h), Gelu(h), ...       h above 0               Where(q, x, y)   x where q holds, else y
    Clip(h, low, high)          h within the bounds     Max(a, b, ...)   the largest, Min the least
    Sigmoid(h), Tanh(h), ...    h where it is no end    g * x            x where g is not 0, with
    Abs(h)                      h to either side of 0                    g a mask, a Sigmoid, ...

What feeds a unit shows where it is awake, and only there; `units` counts where that was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.signature import Array
from bnfold.verify.deciding import numbers_in
from bnfold.verify.sides import bounds_of, numbers_of

FAINT = 1e-4
"""What is this close to an end is at it; a factor that is this part of the largest one is 0."""

_SLIGHT = 1e-3
"""A slope that lets this part through lets next to nothing through."""

_OF_THE_SIGN = frozenset(
    "BiasGelu Celu Elu FastGelu Gelu HardSwish Mish QuickGelu Relu Selu Swish "
    "ThresholdedRelu".split()
)
"""Above 0 where their operand is, or where it is far enough above; next to nothing elsewhere."""

_ENDS: Mapping[str, tuple[float, float]] = {
    "HardSigmoid": (0.0, 1.0),
    "Sigmoid": (0.0, 1.0),
    "Softplus": (0.0, np.inf),
    "Tanh": (-1.0, 1.0),
}
"""What they give where their operand no longer matters, to either side."""

_GATES = COMPARES | {"And", "Clip", "Erf", "Not", "Or", "Sign", "Where", "Xor", *_ENDS}
"""What may make a factor that is 0."""

_BEHIND_GATES = frozenset(
    "Add Cast CastLike Div Expand Flatten Identity Mul Neg Reshape Squeeze Sub Transpose "
    "Unsqueeze".split()
)
"""With constants they make other factors of what gates make."""

Where = Callable[..., Array]


@dataclass(frozen=True)
class Shows:
    """Where something shows in the result of a node: a function of tensors.

    Attributes:
        label: what the units are called.
        operator: of the node.
        tensor: what is computed last of what tells.
        where: gets that, and what is `beside` it; true where a unit is awake.
        beside: what else tells.
    """

    label: str
    operator: str
    tensor: str
    where: Where
    beside: tuple[str, ...] = ()


def units_of(graph: ir.Graph) -> Iterator[Shows]:
    """What in the graph has units, and in the graphs that it runs."""
    numbers = numbers_in(graph)
    for node in graph.all_nodes():
        name = node.outputs[0].name or ""
        if name and node.outputs[0] in numbers:
            yield from (Shows(name, node.op_type, *told) for told in _told(node, name, numbers))


def more_units(graph: ir.Graph, other: ir.Graph) -> list[Shows]:
    """What in the graph has units, of the operators that do so less often in the other graph."""
    ours, theirs = list(units_of(graph)), units_of(other)
    more = Counter(each.operator for each in ours) - Counter(each.operator for each in theirs)
    return [each for each in ours if each.operator in more]


Told = tuple[str, Where] | tuple[str, Where, tuple[str, ...]]


def _told(node: ir.Node, name: str, numbers: frozenset[ir.Value]) -> Iterator[Told]:
    """A tensor that tells where something shows, how, and what is beside it."""
    kind, operands = node.op_type, [value for value in node.inputs if value is not None]
    computed = [value for value in operands if value in numbers]
    if kind in _OF_THE_SIGN or node.attributes.get_string("activation", "") == "Relu":
        yield name, lambda y: y > 0
    elif kind in _ENDS:
        low, high = _ENDS[kind]
        yield name, lambda y: (y > low + FAINT) & (y < high - FAINT)
    elif kind == "Clip":
        yield name, _within(*bounds_of(node))
    elif kind in ("LeakyRelu", "PRelu"):
        yield from _bent(node, name)
    elif kind == "Abs":
        yield computed[0].name or "", lambda x: x > 0
        yield computed[0].name or "", lambda x: x < 0
    elif kind in ("Max", "Min"):
        yield from _largest(operands, name, computed)
    elif kind == "Where" and operands[0] in numbers:
        yield from _chosen(operands, numbers)
    elif kind == "Mul" and len(computed) == 2:
        yield from ((gate.name or "", _is_open) for gate in computed if _is_gate(gate, numbers))


def _within(low: Array | None, high: Array | None) -> Where:
    def where(y: Array) -> Array:
        above = np.ones(y.shape, bool) if low is None else y > low
        return above if high is None else above & (y < high)

    return where


def _bent(node: ir.Node, name: str) -> Iterator[Told]:
    """Of slopes that let next to nothing through."""
    slopes: Array | None = np.array(node.attributes.get_float("alpha", 0.01))
    if node.op_type == "PRelu":
        slopes = None if node.inputs[1] is None else numbers_of(node.inputs[1])
    if slopes is not None and (np.abs(slopes) <= _SLIGHT).any():
        is_steep = np.abs(slopes) > _SLIGHT
        yield name, lambda y: (y > 0) | is_steep


def _largest(
    operands: Sequence[ir.Value], name: str, computed: Sequence[ir.Value]
) -> Iterator[Told]:
    """Of the largest or the least of several: where one that is computed is it alone."""
    constants = [array for value in operands if (array := numbers_of(value)) is not None]
    if len(computed) + len(constants) < len(operands) or len(operands) < 2:
        return  # what is not known of may be anything
    if len(computed) == 1:
        is_it = _apart_from(constants)
        yield name, is_it
        if len(computed[0].uses()) > 1:  # x - Min(x, 0) shows where that is 0
            yield name, lambda y: ~is_it(y)
        return
    beside = tuple(value.name or "" for value in computed)
    for place in range(len(computed)):
        yield name, _alone(place, constants), beside


def _apart_from(constants: Sequence[Array]) -> Where:
    return lambda y: np.asarray(np.all([y != c for c in constants], axis=0))


def _alone(place: int, constants: Sequence[Array]) -> Where:
    def where(y: Array, *arrays: Array) -> Array:
        others = (*arrays[:place], *arrays[place + 1 :], *constants)
        return np.asarray((arrays[place] == y) & np.all([y != x for x in others], axis=0))

    return where


def _chosen(operands: Sequence[ir.Value], numbers: frozenset[ir.Value]) -> Iterator[Told]:
    """Of a Where, what is computed: the first where the condition holds, the second elsewhere."""
    condition, first, second = operands
    if first in numbers:
        yield condition.name or "", lambda q: q.astype(bool)
    if second in numbers:
        yield condition.name or "", lambda q: ~q.astype(bool)


def _is_gate(value: ir.Value, numbers: frozenset[ir.Value]) -> bool:
    """Whether the factor is made of what a gate makes, and constants."""
    node = value.producer()
    while node is not None and node.op_type in _BEHIND_GATES:
        computed = [v for v in node.inputs if v is not None and v in numbers]
        if len(computed) != 1:
            return False
        node = computed[0].producer()
    if node is None or node.op_type != "Where":
        return node is not None and node.op_type in _GATES
    return not any(v in numbers for v in node.inputs[1:])


def _is_open(gate: Array) -> Array:
    size = np.abs(gate)
    return np.asarray(size > FAINT * np.max(size, initial=0.0))
