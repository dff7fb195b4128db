"""What stands behind the outputs of a torch module, as `scores` has it for two graphs.

A module is no graph: the calls of its forward are watched, and each output is followed back through
calls that hide what they get, as far as they hand on one tensor in its own order. An ONNX output is
followed back in the same way, and where both ways have the same calls, their ends are a pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError
from bnfold.runtime.signature import Array
from bnfold.verify.scores import INSIDE, OVER_CLASSES, Score, classes_of
from bnfold.verify.torch_calls import CallMode

if TYPE_CHECKING:
    import torch

    from bnfold.verify.subject import OnnxSubject
    from bnfold.verify.torch_subject import TorchSubject

_HIDING = {
    "_softmax": "Softmax",
    "_log_softmax": "LogSoftmax",
    "argmax": "ArgMax",
    "clamp": "Clip",
    "hardsigmoid": "HardSigmoid",
    "hardtanh": "Clip",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
_VIEWS = frozenset({"_unsafe_view", "alias", "clone", "detach", "squeeze", "unsqueeze", "view"})
_RESHAPES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_ON_THE_WAY = _RESHAPES.union(_HIDING.values())
_DTYPES = {
    "torch.float16": ir.DataType.FLOAT16,
    "torch.float32": ir.DataType.FLOAT,
    "torch.float64": ir.DataType.DOUBLE,
}


@dataclass(frozen=True)
class CallPath:
    """The calls from an output back to what they hide, and the axis of the last one's classes."""

    calls: tuple[str, ...]
    classes: int | None


class Watch(CallMode):  # type: ignore[no-untyped-call]
    """Remembers the calls that hide what they get, while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, tuple[str, int | None, torch.Tensor, torch.Tensor]] = {}

    def called(self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Calls it, and remembers what it made of what."""
        result = func(*args, **named)
        if name in _VIEWS or name in _HIDING:
            call = _HIDING.get(name, "")
            axis = args[1] if call in OVER_CLASSES and len(args) > 1 else None
            self._made[id(result)] = call, axis, args[0], result  # kept, so that ids are its own
        return result

    def behind(self, output: torch.Tensor) -> tuple[CallPath, torch.Tensor]:
        """The way back from an output, and the tensor that the last of its calls gets."""
        calls: list[str] = []
        classes: int | None = None
        end = current = output
        while id(current) in self._made:
            call, axis, current, _ = self._made[id(current)]
            if call:
                calls.append(call)
                classes = None if axis is None else axis % max(current.dim(), 1)
                end = current
        return CallPath(tuple(calls), classes), end


def way_back(output: ir.Value) -> tuple[CallPath, ir.Value]:
    """The same of an output of a graph; an axis may count from the end."""
    calls: list[str] = []
    classes: int | None = None
    end = current = output
    while True:
        node = current.producer()
        if node is None or node.domain not in DEFAULT_DOMAINS or node.op_type not in _ON_THE_WAY:
            return CallPath(tuple(calls), classes), end
        before = node.inputs[0]
        assert before is not None, "each of them has an operand"
        current = before
        if node.op_type not in _RESHAPES:
            calls.append(node.op_type)
            classes, end = classes_of(node), before


def show_scores(
    original: TorchSubject, other: OnnxSubject, feeds: Mapping[str, Array], setting: Setting
) -> bool:
    """Whether both return more from now on: what stands behind their outputs, where it fits."""
    try:
        ways = original.ways(feeds)
    except RunError:
        return False  # there is code that cannot be watched
    scores = torch_scores(ways, list(other.model.graph.outputs))
    tried = _with(other.copy(), scores)
    try:
        runs = tried.open(setting).run(feeds)[len(ways) :] if scores else []
    except (RefusedError, RunError):
        return False
    pairs = zip(scores.items(), runs, strict=True)
    fitting = {i: s for (i, s), run in pairs if tuple(ways[i][1].shape) == run.shape}
    original.show(fitting)
    _with(other, fitting)
    return bool(fitting)


def _with(other: OnnxSubject, scores: Mapping[int, Score]) -> OnnxSubject:
    graph = other.model.graph
    values = {value.name: value for value in graph.inputs}
    values |= {value.name: value for node in graph for value in node.outputs}
    for score in scores.values():
        theirs = values[score.theirs.name]
        other.copy_out(theirs, score.name, score.dtype, score.classes)
    return other


def torch_scores(
    ways: Sequence[tuple[CallPath, torch.Tensor]],
    outputs: Sequence[ir.Value],
) -> dict[int, Score]:
    """The pairs, by the index of the output."""
    found = {}
    for index, ((way, tensor), output) in enumerate(zip(ways, outputs, strict=True)):
        theirs, value = way_back(output)
        if value.producer() is None:
            continue  # what is fed, or stored, is alike in both
        rank = max(tensor.dim(), 1)
        axis = None if theirs.classes is None else theirs.classes % rank
        dtype = _DTYPES.get(str(tensor.dtype))
        if way.calls and way == CallPath(theirs.calls, axis) and dtype is not None:
            name = f"{INSIDE} the {way.calls[-1]} of {output.name!r}"
            found[index] = Score(name, value, value, dtype, axis)
    return found
