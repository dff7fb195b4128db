"""The two sides of a verification behind one face: an ONNX model, or a torch module."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import UsageError
from bnfold.float64 import run_graph
from bnfold.float64.graph import Observer
from bnfold.fold.sources.repair import repair as repair_in_place
from bnfold.model_io import ModelSource
from bnfold.runtime.engine import Setting
from bnfold.runtime.loops import seconds_for
from bnfold.runtime.model_fitting import with_places
from bnfold.runtime.sessions import Session
from bnfold.runtime.signature import Array, TensorSpec, inputs_of, outputs_of
from bnfold.typed.room import require_memory, require_room, require_room_to_open
from bnfold.verify.aims import Aim
from bnfold.verify.apart import in_memory, open_apart, set_apart
from bnfold.verify.coverage import Reached
from bnfold.verify.deciding import steps_of_constants
from bnfold.verify.grids import grids_met
from bnfold.verify.half import round_activations
from bnfold.verify.integer_kernels import round_biases
from bnfold.verify.jitter import jitter
from bnfold.verify.laid_open import laid_open, outermost
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.noise import move_constants, neighbouring_weights
from bnfold.verify.wide_ends import NarrowEnds, narrow_outputs, widen_ends

Feeds = Mapping[str, Array]
Constants = Callable[[ir.Value], Array | None]
Types = Mapping[ir.Value, np.dtype[Any]]

FAR_BELOW = -1000.0
"""So far below the largest class nothing is left of a score, in any type: exp(-746) is 0."""

_IN_MEMORY_BYTES = 1 << 30  # a protobuf cannot exceed 2 GiB; larger models go by a file


class Runner(Protocol):
    """Something that is open and can be run."""

    def run(self, feeds: Feeds) -> list[Array]:
        """The outputs, in order."""


class Subject(Protocol):
    """A model that can be run as it is, in a rounded-again copy, and in float64."""

    name: str
    method: str
    reached: Reached

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it returns."""

    def open(self, setting: Setting, neighbour: Neighbour | None = None) -> Runner:
        """The model, or a neighbour of it, ready to run."""

    def reference(self, feeds: Feeds) -> list[Array]:
        """The outputs in float64, in order."""

    def is_random(self, feeds: Feeds) -> bool:
        """Whether it answers otherwise when it is asked again."""


class OnnxSubject:
    """An ONNX model, laid open; what is run is the model as it was given, by its path if any.

    Where more is returned than the outputs, it is what was laid open that is run.
    """

    method = "float64 reference of the original"

    def __init__(self, source: ModelSource, role: str) -> None:
        self.source = source
        given = model_io.load(source)
        self.model = laid_open(given)
        self._given = given if given is not self.model else None
        self.path = Path(source) if isinstance(source, str | os.PathLike) else None
        self.name = self.path.name if self.path else self.model.graph.name or role
        self.inputs = inputs_of(self.model)
        require_room(self.model, self.name)
        self.reached = Reached(self.model.graph)
        self.reached.watch_closed(self.model.functions.values())
        self._is_as_given = True
        self._steps: Constants | None = None
        self._grids: Types | None = None

    @property
    def weight_bytes(self) -> int:
        """Of what the graph stores."""
        stored = [value.const_value for value in self.model.graph.initializers.values()]
        return sum(tensor.nbytes for tensor in stored if tensor is not None)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it returns, exposed tensors included."""
        return outputs_of(self.model)

    def copy(self) -> OnnxSubject:
        """The same on a graph of its own, which can be changed; weights are shared."""
        found = copy.copy(self)
        found.model = self.model.clone()
        found._steps = found._grids = None
        return found

    def edited(self, edit: Callable[[ir.Model], None]) -> OnnxSubject:
        """The same on a graph of its own that was changed so; weights are shared."""
        found = self.copy()
        edit(found.model)
        found._is_as_given = False
        return found

    def rewritten(self, edit: Callable[[ir.Model], None]) -> OnnxSubject:
        """The same, changed so; what its inputs reach is told by the model as it is, not here."""
        found = self.edited(edit)
        found.reached = Reached()
        return found

    def placed(self, setting: Setting) -> tuple[ir.Model, Session | NarrowEnds]:
        """A copy with places, see `runtime.model_fitting`, and what runs it in their order."""
        found = self.copy()
        found.model, found._is_as_given = with_places(self.model), False
        return found.model, found.open(replace(setting, in_order=True))

    def open(self, setting: Setting, neighbour: Neighbour | None = None) -> Session | NarrowEnds:
        """A session on the model, or on a neighbour of it."""
        moved = self if neighbour is None else self._moved(neighbour)
        narrow = narrow_outputs(moved.model)
        if narrow:
            moved = moved.edited(lambda model: widen_ends(model, ir.DataType.BFLOAT16))
        weights: dict[str, Array] = {}
        if neighbour is not None:
            weights |= neighbouring_weights(
                self.model, neighbour.seed, neighbour.strength, neighbour.half
            )
        with moved._runnable() as (source, apart):
            weights |= {name: in_memory(apart[name]) for name in apart if name not in weights}
            session = open_apart(
                source,
                setting,
                name=self.name,
                weights=weights,
                apart=apart.keys(),
                seconds=seconds_for(self.model),
            )
        return NarrowEnds(session, narrow) if narrow else session

    def require_room_for_sessions(self, levels: Collection[str]) -> None:
        """Returns where sessions fit into memory, one at a time: with optimisations, and of a
        neighbour, which has weights of its own.

        Raises:
            ModelError: they do not.
        """
        size_bytes = self.weight_bytes
        require_memory(size_bytes, f"{self.name}: a copy of its weights, rounded again,")
        require_room_to_open([size_bytes], levels, self.name)

    def _moved(self, neighbour: Neighbour) -> OnnxSubject:
        """The graph of a neighbour, the weights as they are."""

        def move(model: ir.Model) -> None:
            move_constants(model, neighbour.seed, neighbour.strength, neighbour.half)
            if neighbour.in_integers:
                round_biases(model, neighbour.seed)
            if neighbour.half is not None:
                round_activations(model, neighbour.half)
            if neighbour.is_jittered:
                jitter(model, neighbour.seed[-1], neighbour.strength, neighbour.half)

        return self.edited(move)

    def reference(self, feeds: Feeds) -> list[Array]:
        """The outputs by the float64 interpreter; what it comes by is `reached`."""
        results = self._run_in_float64(feeds)
        return [as_text(results[spec.name]) for spec in self.outputs]

    def look(self, feeds: Feeds) -> None:
        """Takes in what the inputs reach of what is watched; nothing else is computed."""
        if self.reached.watched:
            self._run_in_float64(feeds, only=self._asked(self.reached.watched))

    def margin(self, feeds: Feeds, aim: Aim) -> Array:
        """How near the tensors of the aim come to it; nothing is taken in of what they reach.

        In a body, at the turn that comes nearest, element by element.
        """
        places = {name: place for place, name in enumerate(self._inside)}
        if places.keys().isdisjoint(aim.tensors):
            return aim.margin(self._computed(feeds, aim.tensors))
        last = max(aim.tensors, key=lambda name: places.get(name, -1))
        held, margins = dict(feeds), list[Array]()

        def observe(name: str, array: Array) -> None:
            if name in aim.tensors:
                held[name] = array
            if name == last and held.keys() >= set(aim.tensors):
                margin = np.asarray(aim.margin(held))
                if margins and margins[0].shape == margin.shape:
                    margins[0] = np.fmax(margins[0], margin)
                else:
                    margins[:] = [margin]

        self._computed(feeds, self._asked(aim.tensors), observe)
        return margins[0] if margins else np.full(1, -np.inf)

    def _computed(
        self, feeds: Feeds, names: Collection[str], observe: Observer | None = None
    ) -> Mapping[str, Array]:
        return run_graph(
            self.model,
            feeds,
            only=names,
            observe=observe,
            is_inside_observed=True,
            constants=self.constants,
            types=self._types(),
        )

    def _asked(self, names: Collection[str]) -> list[str]:
        """The tensors of the main graph without which these are not computed."""
        return list(dict.fromkeys(self._inside.get(name, name) for name in names))

    @property
    def _inside(self) -> Mapping[str, str]:
        return outermost(self.model)

    def _run_in_float64(
        self, feeds: Feeds, *, only: Collection[str] | None = None
    ) -> Mapping[str, Array]:
        reached = self.reached
        for name, array in feeds.items():
            reached.observe(name, array)
        return run_graph(
            self.model,
            feeds,
            only=only,
            observe=reached.observe,
            is_inside_observed=True,
            enter=reached.enter,
            constants=self.constants,
            types=self._types(),
        )

    def _types(self) -> Types:
        """What the reference rounds as every run does, see `grids`."""
        if self._grids is None:
            self._grids = grids_met(self.model)
        return self._grids

    def constants(self, value: ir.Value) -> Array | None:
        """What the reference believes of a value of the graph, see `steps_of_constants`."""
        if self._steps is None:
            self._steps = steps_of_constants(self.model)
        return self._steps(value)

    def is_random(self, feeds: Feeds) -> bool:
        """A graph tells by its operators, see `operators.random_node`, before it is run."""
        del feeds
        return False

    def expose(self, tensors: Mapping[str, ir.DataType | None]) -> None:
        """From now on these tensors, with their dtypes if known, are returned after the outputs."""
        returned = {value.name for value in self.model.graph.outputs}
        values = {value.name: value for node in self.model.graph for value in node.outputs}
        for name, dtype in tensors.items():
            if name in returned:
                continue
            if dtype is not None:
                values[name].dtype = dtype
            self.model.graph.outputs.append(values[name])
            self._is_as_given = False

    def rename(self, names: Mapping[str, str]) -> None:
        """From now on inputs and outputs have other names: those in front, by what they have.

        Raises:
            UsageError: there is no input or output of a name, or two get one name.
        """
        graph = self.model.graph
        ends = {value.name: value for value in (*graph.inputs, *graph.outputs)}
        for name, old in names.items():
            if old not in ends:
                known = ", ".join(map(repr, ends))
                raise UsageError(f"{name}={old}: the other model has {known}, and no {old!r}")
        if len(set(names.values())) < len(names):
            raise UsageError("one input or output of the other model cannot stand for two")
        chosen = {name: ends[old] for name, old in names.items()}
        named = [*graph.inputs, *graph.initializers.values()]
        named += [value for node in graph for value in node.outputs]
        for index, value in enumerate(named):
            if value in chosen.values() or value.name in names:
                value.name = f"{value.name} of the other model {index}"
        for name, value in chosen.items():
            value.name = name
            self._is_as_given = False
        self.inputs = inputs_of(self.model)

    def widen(self, half: ir.DataType) -> None:
        """From now on inputs and outputs of this type are float32."""
        widen_ends(self.model, half)
        self.inputs, self._is_as_given = inputs_of(self.model), False

    def repair(self, kinds: Collection[str]) -> None:
        """From now on what the exporter wrote and did not mean is mended, see `fold.repaired`.

        Raises:
            UsageError: a kind is unknown.
        """
        if repair_in_place(self.model, kinds):
            self._is_as_given = False

    def copy_out(
        self, value: ir.Value, name: str, dtype: ir.DataType, classes: int | None = None
    ) -> None:
        """From now on a copy of the value is returned, under this name, after the outputs.

        With `classes`, an axis, it is what the value is below its largest number along that axis,
        and `FAR_BELOW` where it is less: a mask may be that or -inf.
        """
        graph = self.model.graph
        if value.dtype is not None and value.dtype != dtype:
            cast = ir.node("Cast", [value], {"to": dtype}, outputs=[_typed(f"wide {name}", dtype)])
            graph.append(cast)
            value = cast.outputs[0]
        if classes is None:
            node = ir.node("Identity", [value], outputs=[_typed(name, dtype)])
        else:
            largest = _largest(value, classes, self.model.opset_imports.get("", 0))
            graph.extend(largest)
            top = largest[-1].outputs[0]
            top.name = f"the largest of {name}"
            below = ir.node("Sub", [value, top])
            least = ir.node("Constant", [], {"value": ir.tensor([FAR_BELOW], dtype=dtype)})
            below.outputs[0].name, least.outputs[0].name = f"below {name}", f"least of {name}"
            graph.extend([below, least])
            ends = [below.outputs[0], least.outputs[0]]
            node = ir.node("Max", ends, outputs=[_typed(name, dtype)])
        graph.append(node)
        graph.outputs.append(node.outputs[0])
        self._is_as_given = False

    def feed_in(self, node: int, operand: int, name: str, dtype: ir.DataType) -> None:
        """From now on the node of this index gets this operand as an input of this name."""
        fed = _typed(name, dtype)
        self.model.graph.inputs.append(fed)
        self.model.graph[node].replace_input_with(operand, fed)
        self._is_as_given = False

    def sha256(self) -> str | None:
        """The hash of the file and its external data; None for a model in memory."""
        return None if self.path is None else model_io.sha256(self.path)

    @contextmanager
    def _runnable(self) -> Iterator[tuple[str | bytes, Mapping[str, ir.TensorProtocol]]]:
        """What a session can be opened on, and the weights that stand apart from it.

        A file that it needs is gone afterwards.
        """
        if self.path is not None and self._is_as_given:
            yield str(self.path), {}
            return
        whole = self._given if self._is_as_given and self._given is not None else self.model
        bare = whole.clone()
        apart = set_apart(bare)
        if self.weight_bytes - sum(tensor.nbytes for tensor in apart.values()) < _IN_MEMORY_BYTES:
            yield bytes(ir.to_proto(bare).SerializeToString()), apart
            return
        with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
            path = Path(folder) / "model.onnx"
            model_io.save(self.model, path, external_data=True)
            yield str(path), {}


def _largest(value: ir.Value, axis: int, opset: int) -> list[ir.Node]:
    """Nodes for the largest number along the axis; before ReduceMax-18 it is an attribute."""
    if opset < 18:
        return [ir.node("ReduceMax", [value], {"axes": [axis], "keepdims": 1})]
    axes = ir.node("Constant", [], {"value": ir.tensor([axis], dtype=ir.DataType.INT64)})
    axes.outputs[0].name = f"axis {axis} of {value.name}"
    return [axes, ir.node("ReduceMax", [value, axes.outputs[0]], {"keepdims": 1})]


def _typed(name: str, dtype: ir.DataType) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(dtype))


def as_text(array: Array) -> Array:
    """The array; strings that are bytes, as initializers hold them, as onnxruntime gives them."""
    if array.dtype.kind not in "SUO":
        return array
    texts = [x.decode() if isinstance(x, bytes) else str(x) for x in array.reshape(-1).tolist()]
    return np.array(texts, dtype=object).reshape(array.shape)
