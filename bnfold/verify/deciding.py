"""Constants that decide: half a step before a Floor, a threshold, the spacing of a grid.

A neighbour of the original has its weights rounded once more, to see what rounding does to it. A
constant of 0.5 that is moved before a Floor that makes an index reads another row: that is no
rounding, and with such a yardstick everything is equivalent.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.bodies import bodies_of, taken_in
from bnfold.runtime.signature import Array
from bnfold.typed import TypedConstants

_DECIDING = COMPARES | frozenset(
    {"ArgMax", "ArgMin", "Ceil", "DynamicQuantizeLinear", "Floor", "Mod", "NonMaxSuppression"}
    | {"NonZero", "OneHot", "QuantizeLinear", "Range", "Round", "Sign", "TopK", "Unique"}
)

ELEMENT_BY_ELEMENT = frozenset(
    {
        "Abs",
        "Add",
        "Clip",
        "Concat",
        "DequantizeLinear",
        "Div",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Max",
        "Min",
    }
    | {"Mul", "Neg", "Pad", "Pow", "Reciprocal", "Reshape", "Slice", "Sqrt", "Squeeze", "Sub"}
    | {"Tile", "Transpose", "Unsqueeze"}
)
"""What leaves a number alone with one constant: no sum in which the constant is one of many."""


def numbers_of(model: ir.Model) -> frozenset[ir.Value]:
    """The values that depend on the numbers that are fed."""
    return numbers_in(model.graph)


def numbers_in(graph: ir.Graph) -> frozenset[ir.Value]:
    """The same of a graph, and of the graphs that it runs."""
    found = {value for value in graph.inputs if not value.is_initializer()}
    _spread(graph, found)
    return frozenset(found)


def _spread(graph: ir.Graph, found: set[ir.Value]) -> None:
    """Those of the graph are found too; what a body carries may become one in any turn."""
    for node in graph:
        if node.op_type in ("Shape", "Size") or found.isdisjoint(values_read(node)):
            continue
        for _, body in bodies_of(node):
            found.update(inner for inner, _ in taken_in(node, body))
            _spread(body, found)
        found.update(node.outputs)


def decides(constant: ir.Value, numbers: frozenset[ir.Value]) -> bool:
    """Whether a decision hangs on the constant itself; `numbers` are `numbers_of` its graph.

    So it does where the way to a Floor, a comparison or an index is one element by another, and
    where nothing that is fed comes in on the way.
    """
    pending, seen = [constant], {constant}
    while pending:
        for node, _ in pending.pop().uses():
            if is_step(node):
                return True
            for output in node.outputs:
                is_alone = node.op_type in ELEMENT_BY_ELEMENT or output not in numbers
                if is_alone and output not in seen:
                    seen.add(output)
                    pending.append(output)
    return False


def is_step(node: ir.Node) -> bool:
    """Whether a rounding of what it gets can move its result by a whole step."""
    return node.op_type in _DECIDING or _drops_fractions(node)


def steps_of_constants(model: ir.Model) -> Callable[[ir.Value], Array | None]:
    """For `run_graph`: what steps over constants give, in the types that the graph names.

    Floor(0.3 / 0.1) is another number in float64. The reference is to tell rounding errors, so it
    takes such a step as every run does; constants without a step are exact in it.
    """
    typed = TypedConstants(model)

    def known(value: ir.Value) -> Array | None:
        node = value.producer()
        return typed.get(value) if node is not None and is_step(node) else None

    return known


def _drops_fractions(node: ir.Node) -> bool:
    if node.op_type != "Cast":
        return False
    to = node.attributes["to"]
    return not to.is_ref() and not ir.DataType(to.as_int()).is_floating_point()
