"""Runs a whole model in float64: scopes, control flow, local functions, and when values die."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.errors import DataError, ModelError
from bnfold.float64 import control
from bnfold.float64.call import Array, UnsupportedOperatorError, to_float64
from bnfold.float64.operators import count_outputs, run_op
from bnfold.runtime.domains import DEFAULT_DOMAINS

Observer = Callable[[str, Array], None]
Entered = Callable[[ir.Node, ir.Graph], None]
Constants = Callable[[ir.Value], Array | None]
Types = Mapping[ir.Value, np.dtype[Any]]
Nodes = Collection[ir.Node] | ir.Graph | ir.Function
Plan = list[tuple[ir.Node, list[ir.Value]]]  # each node, and the values that die with it


_UNBOUND: Mapping[str, object] = {}  # what attributes refer to outside any function


class EvaluationError(ModelError):
    """A node's inputs do not fit it: no runtime could compute this either."""


def run_graph(
    model: ir.Model,
    feeds: Mapping[str, Array],
    *,
    keep: Collection[str] = (),
    only: Collection[str] | None = None,
    observe: Observer | None = None,
    is_inside_observed: bool = False,
    enter: Entered | None = None,
    constants: Constants | None = None,
    types: Types | None = None,
) -> dict[str, Array]:
    """The model's outputs and the tensors named in `keep`, by name, computed in float64.

    A value is dropped when its last reader has run, so that memory follows the widest cut through
    the graph. Weights are widened when they are read.

    Args:
        model: with nodes in topological order.
        feeds: the graph's inputs by name, of any dtype; those with an initializer may be left out.
        keep: names of tensors of the main graph to return as well.
        only: names of tensors to return instead of everything else; what they do not need is not
            computed.
        observe: called with each computed tensor of the main graph, in graph order.
        is_inside_observed: it is called with what the graphs that nodes run get and compute too,
            each time; of local functions with nothing.
        enter: called with a node and a graph of it each time that the graph is run.
        constants: what a value is in every run, or None; it is believed before anything is
            computed. With `bnfold.typed.TypedConstants(model).get` a constant that the graph
            computes, through Round for one, is the one that a runtime gets.
        types: of values of the main graph that are rounded to a type once they are computed.

    Raises:
        DataError: An input is missing, or a name is none of the graph's.
        UnsupportedOperatorError: An operator is not known; the message names it.
        EvaluationError: A node cannot be computed from what it gets.
    """
    graph = model.graph
    run = Interpreter(model, observe, constants, enter, types, is_inside_observed)
    run.bind_inputs(graph, feeds)
    wanted = _named_values(graph, (*keep, *(only or ())))
    if only is None:
        wanted |= {v.name: v for v in graph.outputs if v.name}
        nodes: Nodes = graph
    else:
        nodes = _needed(graph, wanted.values())
    run.body(nodes, Scope(model.graph.opset_imports, _UNBOUND), wanted.values())
    return {name: to_float64(run.fetch(value)) for name, value in wanted.items()}


def _named_values(graph: ir.Graph, names: Iterable[str]) -> dict[str, ir.Value]:
    if not names:
        return {}
    known: dict[str, ir.Value] = dict(graph.initializers)
    known |= {v.name: v for v in graph.inputs if v.name}
    known |= {v.name: v for node in graph for v in node.outputs if v.name}
    try:
        return {name: known[name] for name in names}
    except KeyError as error:
        raise DataError(f"the model has no tensor {error.args[0]!r}") from error


def _needed(graph: ir.Graph, values: Iterable[ir.Value]) -> list[ir.Node]:
    """The nodes that these values depend on, in graph order."""
    pending, needed = list(values), set()
    while pending:
        producer = pending.pop().producer()
        if producer is not None and producer not in needed:
            needed.add(producer)
            pending += control.values_read(producer)
    return [node for node in graph if node in needed]


@dataclass(frozen=True)
class Scope:
    """What holds within one body: opsets, and the attributes a function was called with."""

    opsets: Mapping[str, int]
    bindings: Mapping[str, object]


class Interpreter:
    """Values of all scopes in one table: every scope has its own `ir.Value` objects."""

    def __init__(
        self,
        model: ir.Model,
        observe: Observer | None,
        constants: Constants | None,
        enter: Entered | None = None,
        types: Types | None = None,
        is_inside_observed: bool = False,
    ) -> None:
        self._functions = model.functions
        self._observe = observe
        self._constants = constants
        self._enter = enter
        self._types = types or {}
        self._main = model.graph
        self._is_inside_observed = is_inside_observed
        self._values: dict[ir.Value, Array | None] = {}
        self._plans: dict[int, Plan] = {}

    def bind_inputs(self, graph: ir.Graph, feeds: Mapping[str, Array]) -> None:
        """Gives the graph's inputs their values.

        Raises:
            DataError: an input is missing, or there is no such input.
        """
        inputs = {v.name or "": v for v in graph.inputs}
        for name in feeds:
            if name not in inputs:
                raise DataError(f"the model has no input {name!r}; it has {sorted(inputs)}")
        for name, value in inputs.items():
            if name in feeds:
                self._values[value] = feeds[name]
            elif name not in graph.initializers:
                raise DataError(f"the input {name!r} is missing")

    def fetch(self, value: ir.Value) -> Array:
        """A value that was computed, fed, or is an initializer.

        Raises:
            EvaluationError: it is none of these.
        """
        found = self._values.get(value)
        if found is not None:
            return found
        if value.const_value is None:
            raise EvaluationError(f"the tensor {value.name!r} has no value where it is read")
        return value.const_value.numpy()

    def body(self, nodes: Nodes, scope: Scope, outputs: Collection[ir.Value]) -> None:
        """Runs nodes in order; a value but `outputs` is dropped after its last reader."""
        key = id(nodes)  # graphs and functions outlive the run; a loop plans its body once
        if key not in self._plans:
            self._plans[key] = _plan(nodes, outputs)
        for node, dying in self._plans[key]:
            self._run(node, scope)
            for value in dying:
                self._values.pop(value, None)

    def subgraph(self, graph: ir.Graph, arguments: Sequence[Array], scope: Scope) -> list[Array]:
        """The outputs of a subgraph for these arguments; it reads outer values by itself."""
        for value, argument in zip(graph.inputs, arguments, strict=False):
            self._values[value] = argument
            self._tell_inside(value, argument, scope)
        self.body(graph, scope, graph.outputs)
        results = [to_float64(self.fetch(v)) for v in graph.outputs]
        for value in (*graph.inputs, *graph.outputs):
            if value.graph is graph:
                self._values.pop(value, None)
        return results

    def _run(self, node: ir.Node, scope: Scope) -> None:
        try:
            results = self._known_results(node, scope) or self._results(node, scope)
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            where = f"{node.op_type} {node.name!r}"
            raise EvaluationError(f"{where} cannot be computed: {error}") from error
        for value, result in zip(node.outputs, results, strict=False):
            dtype = self._types.get(value)
            array = result if dtype is None else to_float64(result.astype(dtype))
            self._values[value] = array
            if self._observe is not None and value.name and value.graph is self._main:
                self._observe(value.name, array)
            else:
                self._tell_inside(value, array, scope)

    def _tell_inside(self, value: ir.Value, array: Array, scope: Scope) -> None:
        """A tensor of a graph that a node runs is there; within a function it is none by name."""
        if not self._is_inside_observed or scope.bindings is not _UNBOUND:
            return
        if self._observe is not None and value.name and isinstance(array, np.ndarray):
            self._observe(value.name, array)

    def _known_results(self, node: ir.Node, scope: Scope) -> Sequence[Array] | None:
        """What every run gives, if it was told; within a function every call is another run."""
        if self._constants is None or scope.bindings is not _UNBOUND:
            return None
        found = [self._constants(value) for value in node.outputs if value.name != ""]
        known = [to_float64(array) for array in found if array is not None]
        return known if len(known) == len(node.outputs) else None

    def _results(self, node: ir.Node, scope: Scope) -> Sequence[Array]:
        inputs = [None if v is None else self._fetch_optional(v) for v in node.inputs]
        attributes = _attributes(node, scope)
        function = self._functions.get(node.op_identifier())
        if function is not None:
            return self._call(function, inputs, attributes)
        runner = control.OPERATORS.get(node.op_type) if node.domain in DEFAULT_DOMAINS else None
        if runner is not None:

            def run(graph: ir.Graph, arguments: Sequence[Array]) -> list[Array]:
                if self._enter is not None:
                    self._enter(node, graph)
                return self.subgraph(graph, arguments, scope)

            return runner(inputs, attributes, run)
        opset = scope.opsets.get(node.domain)
        if opset is None:
            raise UnsupportedOperatorError(
                f"{node.domain}.{node.op_type} is not known to the float64 reference"
            )
        return run_op(
            node.op_type,
            inputs,
            attributes,
            opset=opset,
            n_outputs=count_outputs(node),
            domain=node.domain,
        )

    def _fetch_optional(self, value: ir.Value) -> Array | None:
        if value in self._values or value.const_value is None:
            return self._values.get(value) if value in self._values else self.fetch(value)
        return value.const_value.numpy()

    def _call(
        self,
        function: ir.Function,
        inputs: Sequence[Array | None],
        attributes: Mapping[str, object],
    ) -> list[Array]:
        defaults = {n: a.value for n, a in function.attributes.items() if a.value is not None}
        for i, formal in enumerate(function.inputs):
            self._values[formal] = inputs[i] if i < len(inputs) else None
        scope = Scope(function.opset_imports, defaults | dict(attributes))
        self.body(function, scope, function.outputs)
        results = [to_float64(self.fetch(v)) for v in function.outputs]
        for value in (*function.inputs, *function.outputs):
            self._values.pop(value, None)
        return results


def _attributes(node: ir.Node, scope: Scope) -> dict[str, Any]:
    """The node's attributes, those of an enclosing function put in where they are named."""
    attributes: dict[str, Any] = {}
    for name, attribute in node.attributes.items():
        outer = attribute.ref_attr_name
        if outer is None:
            attributes[name] = attribute.value
        elif outer in scope.bindings:
            attributes[name] = scope.bindings[outer]
    return attributes


def _plan(nodes: Nodes, outputs: Collection[ir.Value]) -> Plan:
    """Each node with the values of this body that nobody reads after it."""
    ordered = list(nodes)
    own = {v for node in ordered for v in node.outputs}
    alive = set(outputs)
    plan: Plan = []
    for node in reversed(ordered):
        dying = []
        for value in (*control.values_read(node), *node.outputs):
            if value in own and value not in alive:
                alive.add(value)
                dying.append(value)
        plan.append((node, dying))
    plan.reverse()
    return plan
