"""What a second opinion needs of the original, noted before a fold changes the model in memory.

The original is not read a second time but by the runtime itself, from the file that it came in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import BnfoldError
from bnfold.fold.facts.node import is_op, op_of
from bnfold.fold.facts.operator_facts import COMPARES, ROUNDS
from bnfold.model_io import ModelSource
from bnfold.model_io.loading import HAD_EXTERNAL_DATA
from bnfold.runtime.bounds import Bounds, bounds_of
from bnfold.runtime.engine import Setting
from bnfold.runtime.loops import seconds_for
from bnfold.runtime.sessions import is_utf8
from bnfold.runtime.signature import TensorSpec, inputs_of
from bnfold.runtime.told_integers import ToldIntegers, told_integers

UNITS = {
    ir.DataType.DOUBLE: 2.0**-52,
    ir.DataType.FLOAT: 2.0**-23,
    ir.DataType.FLOAT16: 2.0**-10,
    ir.DataType.BFLOAT16: 2.0**-7,
}
_MOST_BYTES = (1 << 31) - 1  # of one protobuf message
_DECIDES = frozenset(
    "ArgMax ArgMin Bernoulli Hardmax Multinomial NonMaxSuppression RandomNormal RandomNormalLike "
    "RandomUniform RandomUniformLike TopK Unique".split()
)
_STEPS = ROUNDS | COMPARES | {"Shrink", "ThresholdedRelu"}
"""A number next to a step goes up or down; those of constants are the same before and after."""


Interface = tuple[tuple[TensorSpec, ...], Bounds, ToldIntegers]


@dataclass(frozen=True)
class Original:
    """A model as it was given.

    Attributes:
        source: what was given.
        is_one_file: whether the file that was given holds all of it.
        weight_bytes: what its initializers take.
        nodes: those of its bodies too.
        unit: the coarsest unit in the last place of what it stores, takes and gives.
        cast_unit: that of the types to which it casts in between; 0 without any.
        has_batch_norm: whether there is one that a fold may remove.
        decider: an operator that takes decisions which rounding may turn; None where there is none.
        patience_s: how long a run may take, where nobody can tell that it ends; None otherwise.
        interface: what must be fed, and which integers fit; or why that cannot be told.
        custom_ops: shared libraries with operators of it.
        unheard: why what onnxruntime answers is not what the model says; None where it is.
    """

    source: ModelSource
    is_one_file: bool
    weight_bytes: int
    nodes: int
    unit: float
    cast_unit: float
    has_batch_norm: bool
    decider: str | None
    patience_s: float | None
    interface: Interface | BnfoldError
    custom_ops: tuple[str, ...] = ()
    unheard: str | None = None

    @classmethod
    def of(cls, source: ModelSource, model: ir.Model, custom_ops: tuple[str, ...] = ()) -> Original:
        """What is to be known of it; `model` is what was loaded from it, and is as it was."""
        is_file = isinstance(source, str | os.PathLike)
        tensors = (v.const_value for g in model.graphs() for v in g.initializers.values())
        nodes = list(model.graph.all_nodes())
        return cls(
            source,
            is_file and HAD_EXTERNAL_DATA not in model.graph.meta,
            sum(tensor.nbytes for tensor in tensors if tensor is not None),
            len(nodes),
            _unit(model),
            max(_cast_units(model), default=0.0),
            any(is_op(node, "BatchNormalization") for node in nodes),
            next((op_of(node) for node in nodes if _decides(node)), None),
            seconds_for(model),
            _interface(model),
            custom_ops,
            _unheard(model),
        )

    @property
    def setting(self) -> Setting:
        """How it and its copies are run."""
        return Setting("cpu", level="none", custom_ops=self.custom_ops, for_values=True)

    def as_opened(self) -> str | bytes:
        """What the runtime opens: the file that was given, or else the bytes of the model.

        Raises:
            ModelError: it is too large for them.
        """
        if isinstance(self.source, str | os.PathLike) and is_utf8(path := str(Path(self.source))):
            return path
        return self.written()

    def written(self) -> bytes:
        """The model as a file has it, with its weights.

        Raises:
            ModelError: it cannot be read any more, or is too large.
        """
        if isinstance(self.source, onnx.ModelProto) and self.source.ByteSize() < _MOST_BYTES:
            return bytes(self.source.SerializeToString())
        if self.is_one_file and isinstance(self.source, str | os.PathLike):
            with suppress(OSError):  # then loading says what is wrong
                return Path(self.source).read_bytes()
        return bytes(model_io.to_proto(self.loaded()).SerializeToString())

    def step(self) -> str | None:
        """An operator that cuts what is computed at run time into steps; None where none does.

        Raises:
            ModelError: the model cannot be read any more.
        """
        return next(_steps_at_run_time(self.loaded()), None)

    def loaded(self) -> ir.Model:
        """The model, read again.

        Raises:
            ModelError: it cannot be read any more.
        """
        return model_io.load(self.source)


def _unheard(model: ir.Model) -> str | None:
    """Seen in 1.32: one of the two results is memory that nobody wrote."""
    bodies = (graph for graph in model.graphs() if graph is not model.graph)
    if any(len(set(body.outputs)) < len(body.outputs) for body in bodies):
        return "a body returns one value twice, which onnxruntime writes once"
    return None


def _decides(node: ir.Node) -> bool:
    """Whether one of its results is which of several numbers is the largest, or drawn by lot."""
    if is_op(node, "MaxPool") and len(node.outputs) > 1:
        return bool(node.outputs[1].uses()) or node.outputs[1].is_graph_output()
    return op_of(node) in _DECIDES


def _steps_at_run_time(model: ir.Model) -> Iterator[str]:
    """The operators of the graph that cut what is computed from its inputs into steps."""
    fed = set(model.graph.inputs)
    for node in model.graph.all_nodes():
        if any(value in fed for value in node.inputs) or node.graph is not model.graph:
            fed.update(node.outputs)  # a body may read anything from outside
            to_integers = op_of(node) == "Cast" and not _is_float(node)
            if op_of(node) in _STEPS or to_integers:
                yield op_of(node)


def _is_float(cast: ir.Node) -> bool:
    to = cast.attributes.get("to")
    return to is None or ir.DataType(to.as_int()).is_floating_point()


def _interface(model: ir.Model) -> Interface | BnfoldError:
    try:
        specs = inputs_of(model)
        return specs, bounds_of([model], specs), told_integers([model], specs)
    except BnfoldError as error:
        return error


def _cast_units(model: ir.Model) -> Iterator[float]:
    for node in model.graph.all_nodes():
        if op_of(node) == "Cast" and "to" in node.attributes:
            yield UNITS.get(ir.DataType(node.attributes["to"].as_int()), 0.0)


def _unit(model: ir.Model) -> float:
    graph = model.graph
    values = (*graph.initializers.values(), *graph.inputs, *graph.outputs)
    units = [UNITS[value.dtype] for value in values if value.dtype in UNITS]
    return max(units, default=2.0**-23)
