"""What stands behind an output that tells little: the floats that a decision or squashing hides.

An ArgMax leaves nearly all faults as they are, and so does a Softmax or Sigmoid that is saturated.
What they are made of says more, so it is compared too. The two graphs are walked side by side from
each output, as long as both nodes do the same: the same operator with the same attributes and
constants. Names prove nothing, and where the walk ends at nodes of which only one hides something,
there is no pair.

A Sigmoid, a Tanh and, but for one number that all classes share, a Softmax can be inverted: if what
enters them differs, so do the outputs, whether or not it shows on the inputs at hand.
Source: ONNX operators, Softmax-13, ArgMax-13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Array
from bnfold.verify.inference import dtypes_of

INSIDE = "what enters"
"""How the names of scores begin, which are no outputs of the models."""

OVER_CLASSES = frozenset({"ArgMax", "ArgMin", "Hardmax", "LogSoftmax", "Softmax"})
"""They see differences along an axis alone: one number more for all of it changes nothing."""

HIDING = OVER_CLASSES | {
    *("Clip", "Equal", "Erf", "Floor", "Ceil", "Greater", "GreaterOrEqual", "HardSigmoid", "Less"),
    *("LessOrEqual", "Round", "Sigmoid", "Sign", "Softplus", "Softsign", "Tanh", "TopK"),
}

LAYOUT = frozenset(
    {"Cast", "Concat", "DepthToSpace", "Dropout", "Flatten", "Gather", "Identity", "Reshape"}
    | {"Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze", "Where"}
)

_BOUNDS = frozenset({"Abs", "Celu", "Elu", "HardSwish", "LeakyRelu", "Max", "Min", "PRelu", "Relu"})
"""Operators that are hidden themselves by some of the above: Clip(Relu(x)) is Clip(x)."""

_OF_SHAPES = frozenset({"Shape", "Size"})  # they see no number

_FLATTENED = frozenset({"Hardmax", "LogSoftmax", "Softmax"})
_CLASSES_SINCE = 13  # before, these flattened what stands behind their axis

Dtypes = Mapping[str, ir.DataType]


@dataclass(frozen=True)
class Score:
    """A value of both graphs from which an output is made alike.

    `classes` is the axis along which only differences count; None where every number does.
    """

    name: str
    ours: ir.Value
    theirs: ir.Value
    dtype: ir.DataType
    classes: int | None = None


def scores_behind(a: ir.Model, b: ir.Model, *, through_casts: bool = False) -> list[Score]:
    """What is hidden behind the outputs of the two, an entry for each pair of values.

    `through_casts`: the two compute in different types, and Casts between these are no difference.
    """
    knows_classes = _classes_are_known(a) and _classes_are_known(b)
    walk = _Walk(dtypes_of(a), dtypes_of(b), knows_classes, through_casts)
    theirs = {value.name: value for value in b.graph.outputs}
    found: dict[tuple[ir.Value, ir.Value], Score] = {}
    for output in a.graph.outputs:
        for score in walk.down(output, theirs[output.name], ""):
            name = f"{score.name} {output.name!r}"
            taken = sum(other.name.startswith(name) for other in found.values())
            name = f"{name} ({taken + 1})" if taken else name
            key = score.ours, score.theirs
            found.setdefault(key, Score(name, *key, score.dtype, score.classes))
    return list(found.values())


class _Kind(Enum):
    TRANSPARENT = "the walk goes through, if the other graph has the same there"
    BOUND = "something of what it gets may be hidden by what comes behind"
    PLAIN = "the walk ends here"


_Step = tuple[ir.Value, ir.Value, str, int | None]
"""Two values, the last operator that hides them, and the axis of their classes."""


@dataclass(frozen=True)
class _Walk:
    ours: Dtypes
    theirs: Dtypes
    knows_classes: bool
    through_casts: bool = False

    def down(
        self, x: ir.Value, y: ir.Value, hidden_by: str, classes: int | None = None
    ) -> Iterator[Score]:
        """The pairs behind two values; `hidden_by` is the last operator that hides them, if any."""
        pending, seen = [(x, y, hidden_by, classes)], set()
        while pending:  # a list of our own, as a model may be deeper than Python's stack
            step = pending.pop()
            if step not in seen:
                seen.add(step)
                behind, pair = self._stepped(*step)
                pending += reversed(behind)
                yield from pair

    def _stepped(
        self, x: ir.Value, y: ir.Value, hidden_by: str, classes: int | None
    ) -> tuple[list[_Step], Iterator[Score]]:
        """Where the walk goes on from two values, and the pair that they are."""
        x = _undisguised(x, self.ours, through_casts=self.through_casts)
        y = _undisguised(y, self.theirs, through_casts=self.through_casts)
        p, q = x.producer(), y.producer()
        if p is None or q is None or p.op_type in _OF_SHAPES:
            return [], iter(())
        ours, theirs = self._kind(p, x, self.ours, classes), self._kind(q, y, self.theirs, classes)
        if ours == theirs == _Kind.TRANSPARENT:
            if x.index() != y.index() or not _is_alike(p, q):
                return [], iter(())
            read = [
                (u, v)
                for u, v in zip(p.inputs, q.inputs, strict=True)
                if u is not None and v is not None and constant_of(u) is None
            ]
            return [(u, v, *self._hidden(p, x, u, hidden_by)) for u, v in read], iter(())
        if hidden_by and (ours == theirs == _Kind.PLAIN or p.op_type == q.op_type):
            return [], self._pair(x, y, hidden_by, classes)
        return [], iter(())

    def _kind(self, node: ir.Node, value: ir.Value, known: Dtypes, classes: int | None) -> _Kind:
        """What the node is to the walk; the axis of classes is lost where a tensor is laid out."""
        is_alone = len(values_read(node)) == sum(x is not None for x in node.inputs)
        if node.domain not in DEFAULT_DOMAINS or not is_alone:
            return _Kind.PLAIN
        if node.op_type in _FLATTENED and not self.knows_classes:
            return _Kind.BOUND
        is_laid = node.op_type in LAYOUT and classes is None
        if node.op_type in HIDING or is_laid or _is_exact(value, known):
            return _Kind.TRANSPARENT
        return _Kind.BOUND if node.op_type in _BOUNDS else _Kind.PLAIN

    def _hidden(
        self, node: ir.Node, value: ir.Value, operand: ir.Value, before: str
    ) -> tuple[str, int | None]:
        """Which operator hides an operand of the node, and the axis of its classes."""
        drops = _is_exact(value, self.ours) and not _is_exact(operand, self.ours)
        if node.op_type not in HIDING and not drops:
            return before, None
        return node.op_type, classes_of(node)

    def _pair(self, x: ir.Value, y: ir.Value, by: str, classes: int | None) -> Iterator[Score]:
        dtype, other = self.ours.get(x.name or ""), self.theirs.get(y.name or "")
        is_alike = dtype == other or (
            self.through_casts and other is not None and other.is_floating_point()
        )
        if dtype is not None and dtype.is_floating_point() and is_alike:
            yield Score(f"{INSIDE} the {by} of", x, y, dtype, classes)


def classes_of(node: ir.Node) -> int | None:
    """The axis of a node that sees differences alone; None for any other node."""
    if node.op_type not in OVER_CLASSES:
        return None
    given = node.attributes.get("axis")
    default = 0 if node.op_type.startswith("Arg") else -1
    return default if given is None else given.as_int()


def _is_exact(value: ir.Value, known: Dtypes) -> bool:
    dtype = known.get(value.name or "")
    return dtype is not None and not dtype.is_floating_point()


def _undisguised(value: ir.Value, known: Dtypes, *, through_casts: bool) -> ir.Value:
    """The value behind nodes that hand on what they get."""
    node = value.producer()
    while node is not None and node.inputs and node.inputs[0] is not None:
        is_cast = through_casts and node.op_type == "Cast" and _is_real(node.inputs[0], known)
        if node.op_type != "Identity" and not (is_cast and _is_real(value, known)):
            break
        value = node.inputs[0]
        node = value.producer()
    return value


def _is_real(value: ir.Value, known: Dtypes) -> bool:
    dtype = known.get(value.name or "")
    return dtype is not None and dtype.is_floating_point()


def _is_alike(p: ir.Node, q: ir.Node) -> bool:
    """Whether two nodes do the same to what is computed before them."""
    if p.op_type != q.op_type or p.domain != q.domain or len(p.inputs) != len(q.inputs):
        return False
    if p.attributes.keys() != q.attributes.keys():
        return False
    same = (_is_same_attribute(x, q.attributes[name]) for name, x in p.attributes.items())
    return all(same) and all(map(_is_same_operand, p.inputs, q.inputs))


def _is_same_attribute(x: ir.Attr, y: ir.Attr) -> bool:
    if x.type != y.type or x.is_ref() or y.is_ref():
        return False
    if x.type == ir.AttributeType.TENSOR:
        return np.array_equal(x.as_tensor().numpy(), y.as_tensor().numpy())
    return bool(x.value == y.value)


def _is_same_operand(x: ir.Value | None, y: ir.Value | None) -> bool:
    if x is None or y is None:
        return x is y
    ours, theirs = constant_of(x), constant_of(y)
    if ours is None or theirs is None:
        return ours is theirs
    return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


def constant_of(value: ir.Value) -> Array | None:
    """The numbers of an initializer or a Constant; None for texts, and what is computed or fed."""
    node, stored = value.producer(), value.const_value
    if stored is not None and value.is_graph_input():
        return None
    if stored is None and node is not None and node.op_type == "Constant":
        stored = node.attributes["value"].as_tensor() if "value" in node.attributes else None
    return None if stored is None or stored.dtype == ir.DataType.STRING else stored.numpy()


def _classes_are_known(model: ir.Model) -> bool:
    return model.graph.opset_imports.get("", 0) >= _CLASSES_SINCE
