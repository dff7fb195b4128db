"""The ends of operators that only one of the models has: where two forms of a function may part.

    far ends     Softplus, Exp, Softmax, ...      x from which on e^|x| is no number of the type
    near 0       ThresholdedRelu, an epsilon,     0 < max |x| <= NEAR
                 a bound that is almost 0
    ties         Round, Greater, ...              x a multiple of 1/2
    sides        Clip, Max, Where, ...            see `sides`
    dead zones   ThresholdedRelu, Shrink          0 < x <= the alpha or lambda

Log(1 + Exp(x)) is Softplus(x) up to 88, and ThresholdedRelu with an alpha of 1e-5 is Relu from
there on. What both models have alike cannot part them there, so only that is looked at of which one
has more: nodes of one operator with the same attributes and constants are alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import ml_dtypes
import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.coverage import Reached
from bnfold.verify.scores import constant_of
from bnfold.verify.sides import CHOOSING, COMPARING, Sides, sides_of
from bnfold.verify.subject import OnnxSubject

NEAR = 1e-3
"""Numbers of this size and less are near 0; an epsilon or alpha that is larger shows without."""

_FAR = frozenset(
    {"Celu", "Cosh", "Elu", "Erf", "Exp", "FastGelu", "Gelu", "HardSwish", "LogSoftmax", "Mish"}
    | {"QuickGelu", "ReduceLogSumExp", "Selu", "Sigmoid", "Sinh", "Softmax", "Softplus", "Swish"}
    | {"Tanh"}
)

_NEAR = frozenset(
    {"GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization"}
    | {"RMSNormalization", "Shrink", "SimplifiedLayerNormalization", "ThresholdedRelu"}
)

_DEAD_ZONES = {"Shrink": ("lambd", 0.5), "ThresholdedRelu": ("alpha", 1.0)}
"""What makes 0 of small numbers: the attribute that tells how small, and its default."""

_WITH_TIES = COMPARING | {"Ceil", "Floor", "Round", "Sign"}

_WITH_A_BOUND = frozenset({"Add", "Clip", "Max"})
"""They keep numbers away from 0, if one of their constants is almost 0."""


def watch_ends(a: OnnxSubject, b: OnnxSubject) -> None:
    """From now on the two watch what only one of them has; the other model watches no more."""
    ours, theirs = unshared(a.model, b.model)
    far = far_of(a.model)
    a.reached.watch(ends_of(ours, far))
    b.reached = Reached()
    b.reached.watch(ends_of(theirs, far))


def watch_all_ends(b: OnnxSubject) -> None:
    """From now on it watches its ends; of a torch module nobody knows which of them it shares."""
    b.reached = Reached()
    b.reached.watch(_ends_alone(list(_with_ends(b.model.graph)), far_of(b.model)))


def unshared(a: ir.Model, b: ir.Model) -> tuple[list[ir.Node], list[ir.Node]]:
    """The nodes with ends or sides of which the other model has fewer, or none, of each model."""
    ours, theirs = (list(_with_ends(model.graph)) for model in (a, b))
    kinds = Counter(map(_kind, ours)), Counter(map(_kind, theirs))
    more, fewer = kinds[0] - kinds[1], kinds[1] - kinds[0]
    return [n for n in ours if _kind(n) in more], [n for n in theirs if _kind(n) in fewer]


def ends_of(nodes: Sequence[ir.Node], far: float) -> Iterator[tuple[str, Sides]]:
    """The tensors that tell which ends and sides are met, with what they tell, see `sides`.

    `far` is where the far ends begin, see `far_of`.
    """
    yield from _ends_alone(nodes, far)
    yield from sides_of(nodes, with_all=True)


def _ends_alone(nodes: Sequence[ir.Node], far: float) -> Iterator[tuple[str, Sides]]:
    for node in nodes:
        x = _data(node)
        if x is None or not x.name:
            continue
        what = f"{node.op_type} {node.name or node.outputs[0].name!r}"
        if node.op_type in _FAR:
            yield x.name, _far_ends(what, far)
        if node.op_type in _NEAR or _has_a_low_bound(node):
            yield x.name, {f"the vicinity of 0 in {what}": _is_near_zero}
        if node.op_type in _DEAD_ZONES:
            yield x.name, _in_dead_zone(what, node)
        if node.op_type in _WITH_TIES and x.is_graph_input():  # behind weights nothing is a tie
            yield x.name, {f"a tie in {what}": _is_in_halves}


def far_of(model: ir.Model) -> float:
    """From where on e^x is no number of any float type of the model's inputs and weights."""
    values = (*model.graph.inputs, *model.graph.initializers.values())
    dtypes = {v.dtype for v in values if v.dtype is not None and v.dtype.is_floating_point()}
    largest = [float(ml_dtypes.finfo(dtype.numpy()).max) for dtype in dtypes]  # type: ignore[no-untyped-call]
    return math.log(max(largest, default=float(np.finfo(np.float32).max)))


def _far_ends(what: str, far: float) -> Sides:
    return {
        f"the far end of {what}": lambda x: bool((x > far).any()),
        f"the far negative end of {what}": lambda x: bool((x < -far).any()),
    }


def _in_dead_zone(what: str, node: ir.Node) -> Sides:
    name, default = _DEAD_ZONES[node.op_type]
    width = node.attributes.get_float(name, default)
    return {f"the {name} of {what}": lambda x: bool(((x > 0) & (x <= width)).any())}


def _is_near_zero(x: Array) -> bool:
    return 0 < float(np.max(np.abs(x), initial=0.0)) <= NEAR


def _is_in_halves(x: Array) -> bool:
    wide = 2.0 * x.astype(np.float64)
    return bool((wide != 0).any() and (wide == np.round(wide)).all())


def _with_ends(graph: ir.Graph) -> Iterator[ir.Node]:
    for node in graph:
        if node.op_type in _FAR | _NEAR | _WITH_TIES | CHOOSING or _has_a_low_bound(node):
            yield node


def _kind(node: ir.Node) -> tuple[object, ...]:
    """What nodes that are alike have in common."""
    attributes = tuple(sorted((name, str(x.value)) for name, x in node.attributes.items()))
    return (node.domain, node.op_type, attributes, *(c.tobytes() for c in _constants(node)))


def _has_a_low_bound(node: ir.Node) -> bool:
    if node.op_type not in _WITH_A_BOUND:
        return False
    return any(c.size == 1 and 0 < abs(float(c.reshape(()))) <= NEAR for c in _constants(node))


def _constants(node: ir.Node) -> list[Array]:
    return [c for v in node.inputs if v is not None and (c := constant_of(v)) is not None]


def _data(node: ir.Node) -> ir.Value | None:
    """The first operand that is no constant."""
    return next((v for v in node.inputs if v is not None and constant_of(v) is None), None)
