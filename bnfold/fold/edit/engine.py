"""The one file that edits a graph: it carries a plan out, whole.

What it keeps true: graph inputs and outputs keep their names, types and order; a tensor name that
occurs both before and after carries the same value; shared constants stay as they are for the
others; fresh names are free in every scope; what nobody reads any more goes.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from bnfold.fold.edit.names import Names
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import NewNode, Operand, Plan


class Engine:
    """Edits the model that the facts are about.

    Args:
        facts: of the model; told of each new node and constant.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._root = facts.model.graph
        self._names = Names(facts.model)
        self._replaced: dict[ir.Value, ir.Value] = {}

    def apply(self, plan: Plan) -> None:
        """The graph after the plan."""
        dead: list[ir.Value] = []
        self._replaced.clear()
        for (node, index), exact in plan.constants.items():
            old = node.inputs[index]
            assert old is not None
            node.replace_input_with(index, self._constant(exact, old.name, node))
            dead.append(old)
        for node, step in plan.replaced.items():
            dead.extend(value for value in node.inputs if value is not None)
            self._rewrite(node, step.nodes)
        for value in sorted(self._drop(plan, dead), key=lambda v: v.name or ""):
            if value.graph is not None and value.name:
                value.name = self._names.fresh(f"{value.name}_folded")
        self._remove(plan.removed, dead)
        for value in dead:
            self._discard(value)

    def clone(self, node: ir.Node) -> ir.Node:
        """A copy of the node behind it, with fresh names, over the same inputs."""
        old = node.outputs[0]
        output = ir.Value(
            name=self._names.fresh(f"{old.name}_clone"), type=old.type, shape=old.shape
        )
        copy = ir.Node(
            node.domain,
            node.op_type,
            list(node.inputs),
            list(node.attributes.values()),
            outputs=[output],
            name=self._names.fresh(f"{node.name}_clone") if node.name else "",
            version=node.version,
        )
        assert node.graph is not None
        node.graph.insert_after(node, copy)
        self._facts.learn_node(copy, node, 0)
        self._facts.learn_value(output, old, self._facts.dims(old))
        return copy

    def _drop(self, plan: Plan, dead: list[ir.Value]) -> set[ir.Value]:
        """Removes the dropped nodes; what remains takes over the name of a value it now equals.

        Returns:
            The moved values that no name stands for yet.
        """
        moved = {self._replaced.get(value, value) for value in plan.moved}
        for node, index in sorted(
            plan.passed_by.items(), key=lambda d: self._facts.order(d[0]), reverse=True
        ):
            kept, gone = node.inputs[index], node.outputs[0]
            assert kept is not None and node.graph is not None
            dead.extend(v for v in node.inputs if v is not None and v is not kept)
            inherits = gone not in moved and (kept in moved or gone.is_graph_output())
            self._facts.learn_same_shape(kept, gone)
            ir.convenience.replace_all_uses_with(gone, kept, replace_graph_outputs=True)
            node.graph.remove(node, safe=True)
            if inherits:
                _inherit(kept, gone)
                moved.discard(kept)
        return moved

    def _remove(self, nodes: Iterable[ir.Node], dead: list[ir.Value]) -> None:
        """Removes nodes that nobody reads any more but one another."""
        for node in sorted(nodes, key=self._facts.order, reverse=True):
            dead.extend(value for value in node.inputs if value is not None)
            assert node.graph is not None
            node.graph.remove(node, safe=True)

    def _rewrite(self, node: ir.Node, new_nodes: tuple[NewNode, ...]) -> None:
        """What stands in the node's place; several nodes make its output another value."""
        if len(new_nodes) == 1:
            self._edit(node, new_nodes[0])
            return
        temporary: dict[str, ir.Value] = {}
        made: list[ir.Node] = []
        old = node.outputs[0]
        for new in new_nodes:
            inputs = [
                self._operand(operand, node, self._base(node, new, i), temporary)
                for i, operand in enumerate(new.inputs)
            ]
            attributes = self._attributes(node, new)
            same = new.op_type == node.op_type
            name = node.name if same else self._fresh_node_name(node, new.op_type)
            stored = new.inputs[0] if isinstance(new.inputs[0], Exact) else None
            shape = old.shape if stored is None or old.type is None else ir.Shape(stored.shape)
            dims = self._facts.dims(old) if stored is None else stored.shape
            output = ir.Value(name=None, type=old.type, shape=shape)
            output.name = (
                old.name if new.output is None else self._names.fresh(f"{old.name}_{new.output}")
            )
            made.append(
                ir.Node(
                    node.domain,
                    new.op_type,
                    inputs,
                    attributes,
                    outputs=[output],
                    name=name,
                    doc_string=node.doc_string if same else None,
                    metadata_props=dict(node.metadata_props) if same else None,
                )
            )
            if new.output is not None:
                temporary[new.output] = output
            self._facts.learn_value(output, old, dims)
        for index, new_node in enumerate(made):
            self._facts.learn_node(new_node, node, index)
        result = made[-1].outputs[0]
        assert node.graph is not None
        ir.convenience.replace_nodes_and_values(node.graph, node, [node], made, [old], [result])
        self._replaced[old] = result

    def _edit(self, node: ir.Node, new: NewNode) -> None:
        """The node in place, so that its name, metadata and outputs stay."""
        inputs = [
            self._operand(operand, node, self._base(node, new, i), {})
            for i, operand in enumerate(new.inputs)
        ]
        node.op_type = new.op_type
        if new.attributes is not None:
            attributes = self._attributes(node, new)
            node.attributes.clear()
            for attribute in attributes:
                node.attributes[attribute.name] = attribute
        if len(node.inputs) != len(inputs):
            node.resize_inputs(len(inputs))
        for index, value in enumerate(inputs):
            node.replace_input_with(index, value)

    def _attributes(self, node: ir.Node, new: NewNode) -> list[ir.Attr]:
        if new.attributes is None:
            return list(node.attributes.values())
        return list(ir.convenience.convert_attributes(dict(new.attributes)))

    def _base(self, node: ir.Node, new: NewNode, index: int) -> str | None:
        """The name of the constant that a fresh one takes the place of."""
        if new.op_type != node.op_type or index >= len(node.inputs):
            return None
        old = node.inputs[index]
        return old.name if old is not None and self._facts.is_constant(old) else None

    def _operand(
        self, operand: Operand, node: ir.Node, base: str | None, temporary: dict[str, ir.Value]
    ) -> ir.Value | None:
        if isinstance(operand, str):
            return temporary[operand]
        if isinstance(operand, Exact):
            return self._constant(operand, base, node)
        return operand if operand is None else self._replaced.get(operand, operand)

    def _constant(self, exact: Exact, base: str | None, node: ir.Node) -> ir.Value:
        """A fresh initializer of the main graph, which every scope sees."""
        plain = base or f"{node.name or node.outputs[0].name}_constant"
        name = self._names.fresh(plain.removesuffix("_folded") + "_folded")
        tensor = exact.lazy_tensor(name)
        value = ir.Value(
            name=name,
            shape=ir.Shape(exact.shape),
            type=ir.TensorType(exact.dtype),
            const_value=tensor,
        )
        self._root.register_initializer(value)
        if self._facts.listed_initializers:
            self._root.inputs.append(value)
        self._facts.learn_constant(value, exact)
        return value

    def _fresh_node_name(self, node: ir.Node, op_type: str) -> str:
        base = node.name or node.outputs[0].name or op_type
        return self._names.fresh(f"{base}_{op_type.lower()}")

    def _discard(self, value: ir.Value) -> None:
        """Removes a constant that nobody reads any more, and what only it was computed from."""
        pending = [value]  # chains of constants are longer than Python's stack
        while pending:
            pending.extend(self._discard_one(pending.pop()))

    def _discard_one(self, value: ir.Value) -> list[ir.Value]:
        """Removes the value if nobody reads it; returns what it was computed from."""
        if value.uses() or value.is_graph_output():
            return []
        graph = value.graph
        producer = value.producer()
        if producer is None:
            if graph is None or not value.is_initializer():
                return []
            if value.is_graph_input():
                if not self._facts.listed_initializers:
                    return []  # the caller may still set it
                graph.inputs.remove(value)
            del graph.initializers[value.name or ""]
            return []
        facts = self._facts
        if producer.graph is None or not (
            facts.is_constant(value)
            or facts.dequantized(value) is not None
            or is_op(producer, "Shape")
        ):
            return []
        if any(v.uses() or v.is_graph_output() for v in producer.outputs):
            return []
        inputs = [v for v in producer.inputs if v is not None]
        producer.graph.remove(producer, safe=True)
        return inputs


def _inherit(kept: ir.Value, gone: ir.Value) -> None:
    kept.name = gone.name
    if gone.shape is not None or kept.shape is None:
        kept.shape = gone.shape
    kept.type = gone.type or kept.type
    kept.doc_string = gone.doc_string or kept.doc_string
    kept.metadata_props.update(gone.metadata_props)
