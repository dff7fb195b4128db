"""The ends of what only one of a torch module and a graph has, as `ends` has it for two graphs.

A module is no graph: its calls are met as they are made, and told by their turns. A call and a node
are alike if exporters write the one as the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
import torch

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array
from bnfold.verify.coverage import Reached
from bnfold.verify.ends import (
    FAR,
    cut_off,
    dead_zone,
    ends_of,
    far_ends,
    far_of,
    low_of,
    lowest,
    near_zero,
    with_ends,
)
from bnfold.verify.rows import tables_of
from bnfold.verify.showing import units_of
from bnfold.verify.sides import Sides, between, of_bend, of_condition, sides_of
from bnfold.verify.thresholds import between_numbers
from bnfold.verify.torch_calls import CallMode
from bnfold.verify.widths import casts_of

if TYPE_CHECKING:
    from bnfold.verify.subject import OnnxSubject
    from bnfold.verify.torch_subject import TorchSubject

_BENDS: Mapping[str, tuple[str, ...]] = {
    "_prelu_kernel": ("PRelu",),
    "elu": ("Elu", "Celu", "Selu"),
    "leaky_relu": ("LeakyRelu",),
    "relu": ("Relu",),
    "threshold": ("ThresholdedRelu",),
}

_BOUNDS: Mapping[str, tuple[str, ...]] = {
    "clamp": ("Clip",),
    "clamp_max": ("Clip", "Min"),
    "clamp_min": ("Clip", "Max"),
    "hardsigmoid": ("HardSigmoid",),
    "hardtanh": ("Clip",),
}

_COMPARISONS: Mapping[str, tuple[str, ...]] = {
    "eq": ("Equal",),
    "ge": ("GreaterOrEqual",),
    "gt": ("Greater",),
    "le": ("LessOrEqual",),
    "lt": ("Less",),
}

_WRITTEN_AS: Mapping[str, tuple[str, ...]] = {
    **_BENDS,
    **_BOUNDS,
    **_COMPARISONS,
    "_fused_rms_norm": ("RMSNormalization",),
    "_log_softmax": ("LogSoftmax",),
    "_scaled_dot_product_flash_attention_for_cpu": ("Softmax",),
    "_softmax": ("Softmax",),
    "add": ("Add",),
    "ceil": ("Ceil",),
    "cos": ("Cos",),
    "cosh": ("Cosh",),
    "erf": ("Erf",),
    "exp": ("Exp",),
    "floor": ("Floor",),
    "gelu": ("Gelu", "Erf", "Tanh"),
    "hardshrink": ("Shrink",),
    "hardswish": ("HardSwish", "HardSigmoid"),
    "log_sigmoid_forward": ("Sigmoid", "Softplus"),
    "logsumexp": ("ReduceLogSumExp", "Exp"),
    "masked_fill": ("Where",),
    "maximum": ("Max",),
    "minimum": ("Min",),
    "mish": ("Mish", "Softplus", "Tanh"),
    "native_group_norm": ("GroupNormalization", "InstanceNormalization"),
    "native_layer_norm": ("LayerNormalization",),
    "round": ("Round",),
    "sigmoid": ("Sigmoid",),
    "sign": ("Sign",),
    "silu": ("Swish", "Sigmoid"),
    "sin": ("Sin",),
    "sinh": ("Sinh",),
    "slice": ("Slice",),
    "softplus": ("Softplus",),
    "softshrink": ("Shrink",),
    "tanh": ("Tanh",),
    "where": ("Where",),
}
"""The operators with ends or sides that a call may become."""

_NORMS = frozenset({"_fused_rms_norm", "native_group_norm", "native_layer_norm"})
_DEAD_ZONES = {"hardshrink": "lambd", "softshrink": "lambd", "threshold": "threshold"}
"""What makes 0 of small numbers, and what the number is called that tells how small."""

_NEAR_ZERO = _NORMS.union(_DEAD_ZONES)
_KEEPING_OFF = frozenset({"add", "clamp", "clamp_min"})
"""They keep numbers away from 0, if their bound is almost 0."""


@dataclass(frozen=True)
class NamedCall:
    """A call by its name and turn among those of the name.

    `bounds` are the lower and the upper one, of what has any; `low` is a number almost 0 that it is
    given, see `ends.low_of`; `width` is that of its dead zone; `cut` is an axis and where it ends;
    `threshold` is what a comparison compares with.
    """

    name: str
    turn: int
    bounds: tuple[float | None, float | None]
    low: float | None
    width: float
    cut: tuple[int, int] | None = None
    threshold: float | None = None

    @property
    def operand(self) -> str:
        """What its first operand is called here."""
        return f"what call {self.turn} of {self.name} gets"

    @property
    def result(self) -> str:
        """What its result is called here."""
        return f"what call {self.turn} of {self.name} gives"


class Calls(CallMode):  # type: ignore[no-untyped-call]
    """Remembers the calls with ends or sides, while it is entered, and tells what they meet."""

    def __init__(self, reached: Reached) -> None:
        super().__init__()
        self.made: list[NamedCall] = []
        self.casts = Counter[tuple[str, str]]()
        self._reached, self._turns = reached, Counter[str]()

    def called(self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Calls it, and remembers."""
        name = name.removesuffix("_")
        if name == "_to_copy":
            self._note_cast(args[0], named.get("dtype"))
        if name not in _WRITTEN_AS or not args or not isinstance(args[0], torch.Tensor):
            return func(*args, **named)
        self._turns[name] += 1
        call = _call(name, self._turns[name], args, named)
        self.made.append(call)
        self._tell(call.operand, args[0])  # before it is changed in place
        result = func(*args, **named)
        self._tell(call.result, result)
        return result

    def _note_cast(self, tensor: object, to: object) -> None:
        if isinstance(tensor, torch.Tensor) and isinstance(to, torch.dtype):
            self.casts[_name_of(tensor.dtype), _name_of(to)] += 1

    def _tell(self, name: str, tensor: object) -> None:
        if name in self._reached.watched and isinstance(tensor, torch.Tensor):
            self._reached.observe(name, tensor.detach().double().numpy())


def watch_calls(
    a: TorchSubject, b: OnnxSubject, feeds: Mapping[str, Array], free: Collection[str]
) -> None:
    """From now on the two watch what only one of them has, and the sides that the graph has.

    `free` are the inputs that may hold any integer.
    """
    made: list[NamedCall] = []
    casts = Counter[tuple[str, str]]()
    with suppress(RunError):  # there is code that cannot be watched: nothing counts as alike
        watched = a.calls(feeds)
        made, casts = watched.made, watched.casts
    theirs, far = list(with_ends(b.model.graph)), far_of(b.model)
    written = Counter(kind for call in made for kind in _kinds(call))
    kinds = Counter(map(_kind, theirs))
    calls = Counter((call.name, call.low) for call in made)
    more = [node for node in theirs if kinds[_kind(node)] > written[_kind(node)]]
    b.reached = Reached()
    b.reached.watch_closed(b.model.functions.values())
    b.reached.watch_bodies(b.model.graph)
    b.reached.watch(sides_of(b.model.graph.all_nodes()))
    b.reached.watch_units(units_of(b.model.graph))
    b.reached.watch_tables(tables_of(b.model.graph))
    b.reached.watch_trees(b.model.graph)
    b.reached.watch(ends_of(more, far))
    b.reached.watch(between_numbers(theirs, _thresholds(made)))
    b.reached.watch(casts_of(b.model, free, casts))
    for call in made:
        if all(kinds[kind] < calls[call.name, call.low] for kind in _kinds(call)):
            a.reached.watch(_ends_of(call, far))


def _thresholds(made: Sequence[NamedCall]) -> Mapping[str, list[float]]:
    """What calls compare with, by the operator that they are written as."""
    found: dict[str, list[float]] = {}
    for call in made:
        if call.threshold is not None:
            found.setdefault(_COMPARISONS[call.name][0], []).append(call.threshold)
    return found


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _kind(node: ir.Node) -> tuple[str, float | None]:
    return node.op_type, low_of(node)


def _kinds(call: NamedCall) -> list[tuple[str, float | None]]:
    return [(kind, call.low) for kind in _WRITTEN_AS[call.name]]


def _ends_of(call: NamedCall, far: float) -> Iterator[tuple[str, Sides]]:
    what = f"call {call.turn} of {call.name}"
    if FAR.intersection(_WRITTEN_AS[call.name]):
        yield call.operand, far_ends(what, far)
    if call.name in _NEAR_ZERO or (call.name in _KEEPING_OFF and call.low):
        yield call.operand, near_zero(what)
    if call.name in _DEAD_ZONES:
        yield call.operand, dead_zone(what, _DEAD_ZONES[call.name], call.width)
    if call.cut is not None:
        yield call.operand, cut_off(what, *call.cut)
    if call.name in _BENDS:
        yield call.result, of_bend(what)
    if call.name in _BOUNDS:
        low, high = (None if n is None else np.array(n) for n in call.bounds)
        yield call.result, between(what, low, high)
    if COMPARES.intersection(_WRITTEN_AS[call.name]):
        yield call.result, of_condition(what)


def _call(name: str, turn: int, args: Sequence[Any], named: Mapping[str, Any]) -> NamedCall:
    low, high = (_number(args, named, i, key) for i, key in ((1, "min"), (2, "max")))
    if name == "hardtanh":
        low, high = -1.0 if low is None else low, 1.0 if high is None else high
    elif name == "hardsigmoid":
        low, high = 0.0, 1.0
    elif name == "clamp_max":
        low, high = None, _number(args, named, 1, "max")
    numbers = (_number(args, named, i, "") for i in range(1, len(args)))
    width = _number(args, named, 1, _DEAD_ZONES.get(name, ""))
    almost = lowest(n for n in numbers if n is not None)
    threshold = _number(args, named, 1, "other") if name in _COMPARISONS else None
    width = 0.5 if width is None else width
    return NamedCall(name, turn, (low, high), almost, width, _cut(name, args), threshold)


def _cut(name: str, args: Sequence[Any]) -> tuple[int, int] | None:
    """The axis and end of a slice that counts from the start."""
    if name != "slice" or len(args) < 4 or not all(isinstance(n, int) for n in args[1:4:2]):
        return None
    return (args[1], args[3]) if args[3] > 0 else None


def _number(args: Sequence[Any], named: Mapping[str, Any], index: int, key: str) -> float | None:
    given = args[index] if len(args) > index else named.get(key)
    if isinstance(given, torch.Tensor) and given.numel() == 1 and not given.is_complex():
        given = given.item()
    return float(given) if isinstance(given, int | float) else None
