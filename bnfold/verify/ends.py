"""The ends of operators that only one of the models has: where two forms of a function may part.

    far ends     Softplus, Exp, Softmax, ...      x from which on e^|x| is no number of the type
    near 0       ThresholdedRelu, an epsilon,     0 < max |x| <= NEAR
                 a bound that is almost 0
    ties         Round, Greater, ...              x a multiple of 1/2
    sides        Clip, Max, Where, ...            see `sides`
    picks        Relu, Clip, ... before ArgMax    see `picks`
    thresholds   Greater, ...                     see `thresholds`
    cuts         Slice                            an extent that its end cuts off
    dead zones   ThresholdedRelu, Shrink          0 < x <= the alpha or lambda
    grids        Greater, ... of what was rounded see `grids`
    boxes        NonMaxSuppression                see `box_thresholds`
    widths       integers of another type         see `widths`
    extents      Resize, pooling, ...             see `extent_ends`

Log(1 + Exp(x)) is Softplus(x) up to 88, and ThresholdedRelu with an alpha of 1e-5 is Relu from
there on. What both models have alike cannot part them there, so only that is looked at of which one
has more: nodes of one operator with the same attributes and constants are alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

import ml_dtypes
import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.box_thresholds import between_selections
from bnfold.verify.coverage import Reached
from bnfold.verify.extent_ends import small_extents_of
from bnfold.verify.grids import ties_of
from bnfold.verify.half import in_half
from bnfold.verify.picks import picks_of
from bnfold.verify.scores import constant_of
from bnfold.verify.showing import more_units
from bnfold.verify.sides import CHOOSING, Side, Sides, attributes_of, numbers_of, sides_of
from bnfold.verify.subject import OnnxSubject
from bnfold.verify.thresholds import WITH_THRESHOLDS, between_thresholds
from bnfold.verify.widths import widths_of

NEAR = float(np.float32(1e-3))
"""Numbers of this size and less are near 0; an epsilon or alpha that is larger shows without."""

_EPSILON = 1e-5
"""That of a normalization which names none."""

FAR = frozenset(
    {"Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "FastGelu", "Gelu", "HardSwish", "LogSoftmax"}
    | {"Mish", "Mod", "QuickGelu", "ReduceLogSumExp", "Selu", "Sigmoid", "Sin", "Sinh", "Softmax"}
    | {"Softplus", "Swish", "Tanh"}
)
"""Operators with far ends."""

_NEAR = frozenset(
    {"GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization"}
    | {"RMSNormalization", "Shrink", "SimplifiedLayerNormalization", "ThresholdedRelu"}
)

_DEAD_ZONES = {"Shrink": ("lambd", 0.5), "ThresholdedRelu": ("alpha", 1.0)}
"""What makes 0 of small numbers: the attribute that tells how small, and its default."""

_WITH_TIES = COMPARES | {"Ceil", "Floor", "Round", "Sign"}

_WITH_ENDS = FAR | _NEAR | _WITH_TIES | CHOOSING | WITH_THRESHOLDS | {"NonMaxSuppression", "Slice"}

_NO_END = (1 << 31) - 1
"""From here on exporters mean all that there is."""

_WITH_A_BOUND = frozenset({"Add", "Clip", "Max"})
"""They keep numbers away from 0, if one of their constants is almost 0."""


def watch_ends(
    a: OnnxSubject, b: OnnxSubject, free: Collection[str], half: ir.DataType | None = None
) -> None:
    """From now on the two watch what only one of them has; the other model watches no more.

    `free` are the inputs that may hold any integer; in half precision constants are alike that are
    rounded to one number, and ends are nearer.
    """
    ours, theirs = unshared(a.model, b.model, half)
    far = far_of(a.model) if half is None else _log_of_largest(half)
    b.reached = Reached()
    b.reached.watch_closed(b.model.functions.values())
    for subject, own, its in ((a, ours, theirs), (b, theirs, ours)):
        subject.reached.watch(ends_of(own, far))
        subject.reached.watch(between_thresholds(own, its))
        subject.reached.watch(between_selections(own, its))
        subject.reached.watch(ties_of(subject.model, own))
        other = b if subject is a else a
        subject.reached.watch(widths_of(subject.model, other.model, free))
        subject.reached.watch(small_extents_of(subject.model, other.model))
    b.reached.watch_units(more_units(b.model.graph, a.model.graph))
    if _bodies_in(b.model) - _bodies_in(a.model):
        b.reached.watch_bodies(b.model.graph)


def unshared(
    a: ir.Model, b: ir.Model, half: ir.DataType | None = None
) -> tuple[list[ir.Node], list[ir.Node]]:
    """The nodes with ends or sides of which the other model has fewer, or none, of each model."""
    ours, theirs = (list(with_ends(model.graph)) for model in (a, b))
    own, its = ([(node, _kind(node, half)) for node in nodes] for nodes in (ours, theirs))
    kinds = Counter(kind for _, kind in own), Counter(kind for _, kind in its)
    more, fewer = kinds[0] - kinds[1], kinds[1] - kinds[0]
    return [n for n, kind in own if kind in more], [n for n, kind in its if kind in fewer]


def _bodies_in(model: ir.Model) -> Counter[str]:
    """How many nodes of each operator run graphs of their own."""
    graphs = ir.AttributeType.GRAPH
    return Counter(
        node.op_type
        for node in model.graph.all_nodes()
        if any(attribute.type == graphs for attribute in node.attributes.values())
    )


def ends_of(nodes: Sequence[ir.Node], far: float) -> Iterator[tuple[str, Sides]]:
    """The tensors that tell which ends and sides are met, with what they tell, see `sides`.

    `far` is where the far ends begin, see `far_of`.
    """
    for node in nodes:
        x = _data(node)
        if x is None or not x.name:
            continue
        what = f"{node.op_type} {node.name or node.outputs[0].name!r}"
        if node.op_type in FAR:
            yield x.name, far_ends(what, far)
        if node.op_type in _NEAR or _has_a_low_bound(node):
            yield x.name, near_zero(what)
        if node.op_type in _DEAD_ZONES:
            name, default = _DEAD_ZONES[node.op_type]
            yield x.name, dead_zone(what, name, node.attributes.get_float(name, default))
        if node.op_type == "Slice":
            yield x.name, _cuts(what, node, x.shape)
        if node.op_type in _WITH_TIES and x.is_graph_input():  # behind weights nothing is a tie
            yield x.name, {f"a tie in {what}": Side(_is_in_halves)}
    yield from sides_of(nodes, with_all=True)
    yield from picks_of(nodes)


def far_of(model: ir.Model) -> float:
    """From where on e^x is no number of any float type of the model's inputs and weights."""
    values = (*model.graph.inputs, *model.graph.initializers.values())
    dtypes = {v.dtype for v in values if v.dtype is not None and v.dtype.is_floating_point()}
    return max(map(_log_of_largest, dtypes), default=_log_of_largest(ir.DataType.FLOAT))


def _log_of_largest(dtype: ir.DataType) -> float:
    return math.log(float(ml_dtypes.finfo(dtype.numpy()).max))  # type: ignore[no-untyped-call]


def far_ends(what: str, far: float) -> Sides:
    """What lies beyond `far`, to either side."""
    return {
        f"the far end of {what}": Side(lambda x: bool((x > far).any())),
        f"the far negative end of {what}": Side(lambda x: bool((x < -far).any())),
    }


def near_zero(what: str) -> Sides:
    """What is next to 0 altogether, and not 0."""
    return {f"the vicinity of 0 in {what}": Side(_is_near_zero)}


def dead_zone(what: str, name: str, width: float) -> Sides:
    """What lies between 0 and the number of this name, of which 0 is made."""
    return {f"the {name} of {what}": Side(lambda x: bool(((x > 0) & (x <= width)).any()))}


def _cuts(what: str, node: ir.Node, shape: ir.Shape | None) -> Sides:
    """Whether something is cut off by each constant end, where the size may be larger."""
    given = (*node.inputs[2:4], None, None)[:2]  # before opset 10 they are attributes
    ends, axes = (numbers_of(v) if v is not None else None for v in given)
    if ends is None:
        return {}
    at = range(ends.size) if axes is None else axes.reshape(-1).tolist()
    pairs = zip(at, ends.reshape(-1).tolist(), strict=False)
    sides: dict[str, Side] = {}
    for axis, end in pairs:
        if end > 0 and not (shape is not None and _is_at_most(shape[axis], end)):
            sides.update(cut_off(what, axis, end))
    return sides


def cut_off(what: str, axis: int, end: int) -> Sides:
    """What an extent has behind the end; nothing where that means all that there is."""
    words = f"what lies behind the end {end} of axis {axis} in {what}"
    return {words: Side(partial(_goes_on, axis, end))} if end < _NO_END else {}


def _is_at_most(extent: int | ir.SymbolicDim, end: int) -> bool:
    return isinstance(extent, int) and extent <= end


def _goes_on(axis: int, end: int, x: Array) -> bool:
    return bool(x.shape[axis] > end)


def _is_near_zero(x: Array) -> bool:
    return 0 < float(np.max(np.abs(x), initial=0.0)) <= NEAR


def _is_in_halves(x: Array) -> bool:
    wide = 2.0 * x.astype(np.float64)
    return bool((wide != 0).any() and (wide == np.round(wide)).all())


def with_ends(graph: ir.Graph) -> Iterator[ir.Node]:
    """The nodes that have ends or sides, those of bodies too."""
    for node in graph.all_nodes():
        if node.op_type in _WITH_ENDS or _has_a_low_bound(node):
            yield node


def _kind(node: ir.Node, half: ir.DataType | None) -> tuple[object, ...]:
    """What nodes that are alike have in common."""
    constants = (_told(c, half) for c in _constants(node))
    return (node.domain, node.op_type, attributes_of(node), *constants)


def _told(constant: Array, half: ir.DataType | None) -> bytes:
    if half is None or is_exact_dtype(constant.dtype):
        return constant.tobytes()
    return in_half(constant, half).tobytes()


def low_of(node: ir.Node) -> float | None:
    """The bound, epsilon or alpha of a node that is almost 0, if it has one."""
    given = [float(c.reshape(())) for c in _constants(node) if c.size == 1]
    attributes = node.attributes.values()
    given += [x.as_float() for x in attributes if x.type == ir.AttributeType.FLOAT]
    if node.op_type in _NEAR and "epsilon" not in node.attributes:
        given.append(_EPSILON)
    return lowest(given)


def lowest(numbers: Iterable[float]) -> float | None:
    """The first of the numbers that is almost 0, as float32 has it."""
    return next((float(np.float32(x)) for x in numbers if 0 < abs(np.float32(x)) <= NEAR), None)


def _has_a_low_bound(node: ir.Node) -> bool:
    return node.op_type in _WITH_A_BOUND and low_of(node) is not None


def _constants(node: ir.Node) -> list[Array]:
    return [c for v in node.inputs if v is not None and (c := constant_of(v)) is not None]


def _data(node: ir.Node) -> ir.Value | None:
    """The first operand that is no constant."""
    return next((v for v in node.inputs if v is not None and constant_of(v) is None), None)
