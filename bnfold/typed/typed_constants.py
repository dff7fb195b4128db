"""Values that every run gives alike, in the types that the graph names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.float64.call import Array
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.typed import typed_session
from bnfold.typed.errors import ConstantError
from bnfold.typed.typed_node import ConstantBudget, run_typed_node

Known = Callable[[ir.Value], Array | None]

_KEPT_ELEMENTS = 1 << 16  # what nobody asked for is kept up to this size, larger is computed again
_LONGEST_CHAIN = 64  # of float16 nodes that are run as one
_CARRIED_WIDER = frozenset(np.dtype(t) for t in (np.float16,))


class TypedConstants:
    """The constants of a model as onnxruntime computes them on a CPU, one by one when asked for.

    Each operator over stored tensors is computed in the types that the graph names and rounded to
    them (`run_typed_node`). In float16 onnxruntime widens a chain of operators as a whole and
    rounds at its end, so that a chain is run as one.

        constants = TypedConstants(model)
        constants.get(value)       # an array in the value's own dtype, or None
        constants.reason(value)    # why it is None: a ConstantError

    Pass `constants.get` to `bnfold.float64.run_graph(..., constants=...)` for a reference whose
    constants stand on the steps that the runtime's stand on.
    """

    def __init__(
        self, model: ir.Model, *, known: Known | None = None, budget: ConstantBudget | None = None
    ) -> None:
        """Nothing is computed yet.

        Args:
            model: where opsets come from, and, but for `known`, stored tensors.
            known: what is to be believed of a value before its producer is looked at, in the
                value's own dtype, or None: an initializer that was replaced, a static shape.
            budget: what one node, and all of them together, may cost.
        """
        self._opsets = {"": 1} | {
            "" if domain in DEFAULT_DOMAINS else domain: version
            for domain, version in model.opset_imports.items()
        }
        self._listed_initializers = (model.ir_version or 0) < 4
        self._known = known or self._stored
        self._budget = budget or ConstantBudget()
        self._spent = 0
        self._found: dict[ir.Value, Array | ConstantError] = {}

    def get(self, value: ir.Value) -> Array | None:
        """The value in its own dtype, or None if it is not known before the graph runs.

        The array is not to be written to.
        """
        found = self._find(value)
        return None if isinstance(found, ConstantError) else found

    def reason(self, value: ir.Value) -> ConstantError | None:
        """Why `get` has no answer; None where it has one."""
        found = self._find(value)
        return found if isinstance(found, ConstantError) else None

    def _find(self, value: ir.Value) -> Array | ConstantError:
        passing: list[ir.Value] = []
        pending = [value]  # a walk of our own, as chains are longer than Python's stack
        while pending:
            current = pending[-1]
            if current in self._found:
                pending.pop()
                continue
            found = self._known(current)
            if found is not None:
                self._found[current] = found
                passing.append(current)
                continue
            missing = self._next_source(current)
            if missing is not None:
                pending.append(missing)
                continue
            passing += self._compute(current)
        answer = self._found[value]
        self._forget([v for v in passing if v is not value])
        return answer

    def _next_source(self, value: ir.Value) -> ir.Value | None:
        """An input of its producer that was not looked at; None if one is no constant."""
        node = value.producer()
        if node is None or _has_graphs(node):
            return None
        sources = [source for source in node.inputs if source is not None]
        if any(isinstance(self._found.get(s), ConstantError) for s in sources):
            return None
        return next((s for s in sources if s not in self._found), None)

    def _compute(self, value: ir.Value) -> Sequence[ir.Value]:
        """Finds all outputs of the value's producer, or why there are none."""
        node = value.producer()
        if node is None:
            self._found[value] = ConstantError("run-time", f"{value.name!r} is fed")
            return ()
        try:
            results = self._results(node)
        except ConstantError as error:
            for output in node.outputs:
                self._found[output] = error
            return ()
        self._found.update(zip(node.outputs, results, strict=False))
        if self._is_chained(node):
            self._run_chain(node)
        return node.outputs

    def _results(self, node: ir.Node) -> list[Array]:
        if _has_graphs(node):
            raise ConstantError("unsupported", f"{node.op_type} {node.name!r} runs graphs")
        found = [None if source is None else self._found.get(source) for source in node.inputs]
        for error in found:  # what is constant beside one that is none may be forgotten already
            if isinstance(error, ConstantError):
                raise ConstantError(error.cause, str(error))
        inputs = [array for array in found if not isinstance(array, ConstantError)]
        if self._spent > self._budget.total:
            raise ConstantError("budget", f"constants take over {self._budget.total:,} numbers")
        opset = self._opsets.get("" if node.domain in DEFAULT_DOMAINS else node.domain, 1)
        results = run_typed_node(node, inputs, opset=opset, budget=self._budget)
        self._spent += sum(y.size for y in results)
        return results

    def _is_chained(self, node: ir.Node) -> bool:
        """Whether the runtime may hold one of its float16 inputs in float32."""
        return any(self._is_carried(source) for source in node.inputs)

    def _is_carried(self, value: ir.Value | None) -> bool:
        if value is None or value.producer() is None or _is_constant_node(value):
            return False
        found = self._found.get(value)
        return isinstance(found, np.ndarray) and found.dtype in _CARRIED_WIDER

    def _run_chain(self, last: ir.Node) -> None:
        """The outputs of `last` again, by one session of all float16 nodes that lead to it.

        Where the chain is too long or the runtime does not take it, each node's rounding stays.
        """
        nodes, names, feeds = self._chain(last)
        if len(nodes) > _LONGEST_CHAIN:
            return
        steps = [_step(node, names) for node in nodes]
        wanted = {
            names[v]: found.dtype
            for v in last.outputs
            if isinstance(found := self._found.get(v), np.ndarray) and v.name != ""
        }
        try:
            arrays = typed_session.run(
                typed_session.build(steps, feeds, self._opsets), feeds, wanted
            )
        except ConstantError:
            return
        by_name = dict(zip(wanted, arrays, strict=True))
        self._found.update({v: by_name[names[v]] for v in last.outputs if names[v] in by_name})

    def _chain(
        self, last: ir.Node
    ) -> tuple[list[ir.Node], Mapping[ir.Value, str], Mapping[str, Array]]:
        """Nodes in order, a name for each value, and what is fed to them."""
        nodes: list[ir.Node] = []
        names: dict[ir.Value, str] = {}
        feeds: dict[str, Array] = {}
        stack: list[tuple[ir.Node, bool]] = [(last, False)]
        seen = {last}
        while stack and len(nodes) <= _LONGEST_CHAIN:
            node, ready = stack.pop()
            if ready:
                nodes.append(node)
                continue
            stack.append((node, True))
            for value in (*node.inputs, *node.outputs):
                if value is not None:
                    names.setdefault(value, f"v{len(names)}")
            for source in node.inputs:
                producer = None if source is None else source.producer()
                if producer is not None and self._is_carried(source):
                    if producer not in seen:
                        seen.add(producer)
                        stack.append((producer, False))
                elif source is not None:
                    feeds[names[source]] = self._found[source]  # type: ignore[assignment]
        return nodes, names, feeds

    def _forget(self, values: Sequence[ir.Value]) -> None:
        for value in values:
            found = self._found.get(value)
            is_large = isinstance(found, np.ndarray) and found.size > _KEPT_ELEMENTS
            if is_large and not self._feeds_a_chain(value):
                del self._found[value]

    def _feeds_a_chain(self, value: ir.Value) -> bool:
        """Whether a chain of float16 that ends further on starts from it, or passes it."""
        makes = (output for use in value.uses() for output in use.node.outputs)
        return self._is_carried(value) or any(self._is_carried(output) for output in makes)

    def _stored(self, value: ir.Value) -> Array | None:
        """The tensor of an initializer that nobody can override."""
        if value.const_value is None or value.producer() is not None:
            return None
        if value.is_graph_input() and not self._listed_initializers:
            return None  # an initializer that is also a graph input is a default
        return value.const_value.numpy()


def _has_graphs(node: ir.Node) -> bool:
    kinds = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
    return any(a.is_ref() or a.type in kinds for a in node.attributes.values())


def _is_constant_node(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type == "Constant"


def _step(node: ir.Node, names: Mapping[ir.Value, str]) -> typed_session.Step:
    return typed_session.Step(
        op_type=node.op_type,
        domain="",
        attributes=list(node.attributes.values()),
        inputs=["" if v is None else names[v] for v in node.inputs],
        outputs=["" if v.name == "" else names[v] for v in node.outputs],
    )
