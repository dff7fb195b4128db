"""What the runtimes say of a fold: onnxruntime with and without optimisations, onnx's reference.

Nothing of bnfold is asked for a number. How much of a difference is rounding tells the original
itself: its stored weights moved by one unit in the last place, and in 16 bits its own error too.
A step that rounding turns (a comparison, an integer) is not met again with other numbers; a wrong
fold is: wrong is what differs three times.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator

import bnfold
from bnfold.errors import BnfoldError, ModelError
from bnfold.runtime.fatal import FatalNodes
from tests.fold.property.builder import Array
from tests.fold.property.wider.batch_norm import BatchNormalization
from tests.fold.property.wider.network import Network
from tests.fold.property.wider.nudged import narrow_unit, nudged, widened
from tests.runtime_oracle import REFUSES, in_onnxruntime

Feeds = Mapping[str, Array]
ROUNDINGS = 60
_MOST_UNITS = 1 << 13
_NEIGHBOURS = 3
_MORE_NEIGHBOURS = (
    16  # before a network is called wrong: of three, each may move two weights against each other
)
_NARROW = (2,)  # bytes of a number
_DOUBTFUL = frozenset(("ConvTranspose", "GlobalMaxPool", "AveragePool", "MaxPool", "Resize"))
"""Of which onnx's reference is known to make other sizes, or other numbers at the border."""


class WrongError(AssertionError):
    """A fold that must not be."""


@dataclass(frozen=True)
class Found:
    """What was seen of one network.

    Attributes:
        judge: "onnxruntime", "reference", or "nobody" where neither takes the original.
        folded, kept, merges: batch norms, and branches that became one.
    """

    judge: str
    folded: int = 0
    kept: int = 0
    merges: int = 0
    optimised: bool = False


def judged(network: Network) -> Found:
    """The fold of the network, after the runtimes agreed with it.

    Raises:
        WrongError: they do not, or the fold failed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = next((j for j in (_Runtime(), _Reference()) if j.takes(network)), None)
        if judge is None:
            return Found("nobody")
        try:
            result = bnfold.fold(network.model, allow=network.allow)
        except ModelError as error:
            if judge.name == "reference":  # which takes what the checker does not
                return Found("nobody")
            raise WrongError(f"refused: {error}") from error
        except BnfoldError as error:
            raise WrongError(f"refused: {type(error).__name__}: {error}") from error
        if result.ledger.bugs:
            raise WrongError(f"reported as a bug: {result.ledger.bugs}")
        folded = result.to_proto()
        _same_outputs(network.model, folded)
        for which in range(len(network.shapes)):
            _agree(judge, network, folded, which)
        optimised = judge.name == "onnxruntime" and _agree_optimised(network, folded)
        ledger = result.ledger
        return Found(
            judge.name, len(ledger.folded), len(ledger.kept), len(ledger.merges), optimised
        )


def _same_outputs(model: onnx.ModelProto, folded: onnx.ModelProto) -> None:
    """As they were declared; what is an input too has one declaration, the input's."""
    inputs = {info.name for info in model.graph.input}
    for old, new in zip(model.graph.output, folded.graph.output, strict=True):
        if old.name != new.name or (old.type != new.type and old.name not in inputs):
            raise WrongError(f"output {old.name} became {new.name}, or has another type")


class _Runtime:
    name = "onnxruntime"

    def unit(self, network: Network) -> float:
        """What it leaves out of the roundings of the network, over the largest value."""
        return 0.0

    def takes(self, network: Network) -> bool:
        return self.run(network.model, network.feeds(0, 0)) is not None

    def run(self, model: onnx.ModelProto, feeds: Feeds) -> list[Array] | None:
        if FatalNodes(model).reason_on(feeds) is not None:
            return None  # it would end this process
        try:
            return in_onnxruntime(model, feeds)
        except REFUSES:
            return None


class _Reference(_Runtime):
    """For what onnxruntime has no kernels for; in 32 bits, as numpy adds up 16 in 16."""

    name = "reference"

    def unit(self, network: Network) -> float:
        """In 32 bits a constant that is computed in 16 is not rounded, and the fold's is.

        So is what becomes of the parameters of a batch norm that are stored in more than 16.
        """
        is_rounded = network.fixed or _has_wide_parameters(network.model)
        return 4 * narrow_unit(network.model) if is_rounded else 0.0

    def takes(self, network: Network) -> bool:
        nodes = [*network.model.graph.node, *(n for f in network.model.functions for n in f.node)]
        return _DOUBTFUL.isdisjoint(node.op_type for node in nodes) and super().takes(network)

    def run(self, model: onnx.ModelProto, feeds: Feeds) -> list[Array] | None:
        try:
            plain = widened(inline_local_functions(model) if model.functions else model)
            fed = {name: _wide(array) for name, array in feeds.items()}
            found = ReferenceEvaluator(plain, new_ops=[BatchNormalization]).run(None, fed)
        except Exception:  # noqa: BLE001 - it raises whatever its numpy code runs into
            return None
        return [np.asarray(y) for y in found]


def _has_wide_parameters(model: onnx.ModelProto) -> bool:
    wide = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}
    stored = {t.name for t in model.graph.initializer if t.data_type in wide}
    stored |= {
        name
        for node in model.graph.node
        for attribute in node.attribute
        for name in node.output
        if node.op_type == "Constant" and attribute.t.data_type in wide
    }
    norms = (node for node in model.graph.node if node.op_type == "BatchNormalization")
    return any(name in stored for node in norms for name in node.input[1:])


def _agree(judge: _Runtime, network: Network, folded: onnx.ModelProto, which: int) -> None:
    faults = []
    for seed in range(3):
        feeds = network.feeds(which, seed)
        old = judge.run(network.model, feeds)
        if old is None:
            return  # not at this size
        new = judge.run(folded, feeds)
        if new is None:
            raise WrongError(f"{judge.name} takes the original and not the folded model")
        fault = _fault(judge, network, feeds, old, new)
        if fault is not None:
            own = _noise(judge, folded, network.fixed, feeds, new, _MORE_NEIGHBOURS)
            fault = _fault(judge, network, feeds, old, new, own)
        if fault is None:
            return
        faults.append(fault)
    raise WrongError(f"{judge.name}, sizes {which}: {faults[0]}")


def _fault(
    judge: _Runtime,
    network: Network,
    feeds: Feeds,
    old: list[Array],
    new: list[Array],
    own: Sequence[Array] = (),
) -> str | None:
    """What is wrong with `new`; `own` is the noise of what made it, as far as it is known."""
    count = _MORE_NEIGHBOURS if own else _NEIGHBOURS
    noise = _noise(judge, network.model, network.fixed, feeds, old, count)
    truth = None
    if old and any(y.dtype.itemsize in _NARROW for y in old) and not network.fixed:
        wide = {name: _wide(array) for name, array in feeds.items()}
        truth = judge.run(widened(network.model), wide)
    for place, (a, b) in enumerate(zip(old, new, strict=True)):
        name = network.model.graph.output[place].name
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name} is {b.dtype}{b.shape}, was {a.dtype}{a.shape}"
        if a.size == 0 or a.dtype.kind in "bi":
            continue
        exact = None if truth is None else truth[place]
        fault = _distance(a, b, noise[place], exact, judge.unit(network))
        if fault and own and own[place].shape == noise[place].shape:
            # what a Relu always shuts rounds in the folded model alone: so many units at the most
            units = _MOST_UNITS * float(np.finfo(np.float32 if a.itemsize < 8 else a.dtype).eps)
            sizes = _by_channel(np.where(np.isfinite(a), np.abs(a), 0))
            if not np.all(sizes):  # all of it cancels: what is left is the rounding of what did
                inside = _largest_inside(judge, network.model, feeds)
                sizes = np.where(sizes == 0, inside, sizes)
            lost = np.minimum(ROUNDINGS * np.nan_to_num(own[place]), units * sizes)
            fault = _distance(a, b, noise[place] + lost / ROUNDINGS, exact, judge.unit(network))
        if fault:
            return f"{name} {fault}"
    return None


def _largest_inside(judge: _Runtime, model: onnx.ModelProto, feeds: Feeds) -> float:
    """The largest number that the network computes on its way; 0 where that cannot be had."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    known = {info.name for info in model.graph.output}
    made = {name for node in model.graph.node for name in node.output if name} - known
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(made))
    found = judge.run(shown, feeds) or []
    floats = [y.astype(np.float64) for y in found if y.dtype.kind == "f" and y.size]
    return max((float(np.max(np.abs(y[np.isfinite(y)]), initial=0.0)) for y in floats), default=0.0)


def _distance(a: Array, b: Array, noise: Array, exact: Array | None, unit: float) -> str | None:
    epsilon = {2: 2.0**-8 if a.dtype.name == "bfloat16" else 2.0**-11}.get(
        a.dtype.itemsize, float(np.finfo(a.dtype).eps) if a.dtype.kind == "f" else 0.0
    )
    first, second = a.astype(np.float64), b.astype(np.float64)
    base = first if exact is None else exact.astype(np.float64)
    sound = np.isfinite(first) & np.isfinite(base)
    # where 16 bits overflow, which of the values on the way are held in 32 decides: that is chance
    is_whole = a.dtype.itemsize not in _NARROW or bool(np.all(np.isfinite(first)))
    if is_whole and np.any(sound & ~np.isfinite(second)):
        return "is not finite any more"
    sound &= np.isfinite(second)
    per = _by_channel(np.where(sound, np.abs(base), 0))
    own = _by_channel(np.where(sound, np.abs(first - base), 0))
    error = _by_channel(np.where(sound, np.abs(second - base), 0))
    if a.dtype.itemsize in _NARROW:
        limit = 8 * np.maximum(own, noise) + 8 * epsilon * per
    else:
        limit = ROUNDINGS * np.maximum(noise, epsilon * per)
    limit = limit + unit * per
    if a.dtype.name == "float16":
        limit = limit + 2.0**-23  # the last subnormals
    worst = int(np.argmax(error - limit))
    if error[worst] <= limit[worst]:
        return None
    return f"is off by {error[worst]:.3g} of {per[worst]:.3g}, allowed {limit[worst]:.3g}"


def _by_channel(values: Array) -> Array:
    """The largest along axis 1; of a value of fewer axes, the largest."""
    if values.ndim < 2:
        return np.max(values, initial=0.0).reshape(1)
    return np.max(values, axis=tuple(i for i in range(values.ndim) if i != 1), initial=0.0)


def _noise(
    judge: _Runtime,
    model: onnx.ModelProto,
    fixed: Collection[str],
    feeds: Feeds,
    old: list[Array],
    count: int,
) -> list[Array]:
    """How far each channel of the outputs moves with the last bits of the weights."""
    found = [np.zeros(()) for _ in old]
    for seed in range(count):
        moved = judge.run(nudged(model, seed, fixed), feeds)
        for place, (a, b) in enumerate(zip(old, moved or [], strict=False)):
            if a.shape == b.shape and a.size:
                with np.errstate(invalid="ignore"):
                    distance = np.abs(a.astype(np.float64) - b.astype(np.float64))
                distance = np.nan_to_num(distance, nan=0.0, posinf=np.inf)
                found[place] = np.maximum(found[place], _by_channel(distance))
    return found


def _agree_optimised(network: Network, folded: onnx.ModelProto) -> bool:
    """With all optimisations, where those leave the original what it is.

    Weights of integers they may compute with in integers, as soon as one reader is left.
    """
    nodes = [*network.model.graph.node, *(n for f in network.model.functions for n in f.node)]
    if any(node.op_type == "DequantizeLinear" for node in nodes):
        return False
    feeds = network.feeds(0, 0)
    try:
        plain = in_onnxruntime(network.model, feeds)
        old = in_onnxruntime(network.model, feeds, "ORT_ENABLE_ALL")
    except REFUSES:
        return False
    judge = _Runtime()
    if _fault(judge, network, feeds, plain, old) is not None:
        return False  # the optimiser's own business
    try:
        new = in_onnxruntime(folded, feeds, "ORT_ENABLE_ALL")
    except REFUSES as error:
        raise WrongError(f"optimised, onnxruntime takes the original alone: {error}") from error
    if _fault(judge, network, feeds, old, new) is None:
        return True
    plain = in_onnxruntime(folded, feeds)
    own = _noise(judge, folded, network.fixed, feeds, plain, _MORE_NEIGHBOURS)
    fault = _fault(judge, network, feeds, old, new, own)
    if fault is not None and _again(network, folded):
        raise WrongError(f"onnxruntime, optimised: {fault}")
    return True


def _again(network: Network, folded: onnx.ModelProto) -> bool:
    """Whether it differs with other numbers too."""
    for seed in (1, 2):
        feeds = network.feeds(0, seed)
        old = in_onnxruntime(network.model, feeds, "ORT_ENABLE_ALL")
        new = in_onnxruntime(folded, feeds, "ORT_ENABLE_ALL")
        if _fault(_Runtime(), network, feeds, old, new) is None:
            return False
    return True


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.itemsize in _NARROW else array
