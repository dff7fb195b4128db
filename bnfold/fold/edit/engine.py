"""Carries a plan out, whole, so that it can be taken back; `changes` alone touches the graph.

What it keeps true: graph inputs and outputs keep their names, types and order; a tensor name that
occurs both before and after carries the same value; shared constants stay as they are for the
others; fresh names are free in every scope; what nobody reads any more goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import onnx_ir as ir

from bnfold.fold.edit.changes import Changes
from bnfold.fold.edit.names import names_of
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op, is_read
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import NewNode, Plan
from bnfold.fresh_names import FreshNames


@dataclass
class Edit:
    """One plan, carried out and not yet kept.

    Attributes:
        changes: what was done, to take it back.
        nodes: that it put into the graph.
        constants: initializers that it made.
        same_shapes: values that took the place of others.
        reshaped: values that have another shape than they had.
    """

    changes: Changes
    nodes: list[ir.Node] = field(default_factory=list)
    constants: list[ir.Value] = field(default_factory=list)
    same_shapes: list[tuple[ir.Value, ir.Value]] = field(default_factory=list)
    reshaped: list[ir.Value] = field(default_factory=list)
    dead: list[ir.Value] = field(default_factory=list)
    replaced: dict[ir.Value, ir.Value] = field(default_factory=dict)


class Engine:
    """Edits the model that the facts are about.

    Args:
        facts: of the model; told of each new node and constant.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._root = facts.model.graph
        self._names = FreshNames(names_of(facts.model))
        graphs = facts.model.graphs()
        initializers = (value for graph in graphs for value in graph.initializers.values())
        self._ordinals = {value: place for place, value in enumerate(initializers)}

    def apply(self, plan: Plan) -> Edit:
        """The graph is as the plan has it, until `keep` or `undo`."""
        edit = Edit(Changes(self._facts.order, self._ordinals))
        try:
            self._carry_out(plan, edit)
        except BaseException:
            edit.changes.undo()  # whatever it was, nothing is left half done
            raise
        return edit

    def keep(self, edit: Edit) -> None:
        """The edit stays; what it tells of shapes is known from now on."""
        for value in edit.reshaped:
            self._facts.forget_shape(value)
        for value, other in edit.same_shapes:
            self._facts.learn_same_shape(value, other)

    def undo(self, edit: Edit) -> None:
        """The graph is as it was, to the byte."""
        edit.changes.undo()

    def _carry_out(self, plan: Plan, edit: Edit) -> None:
        for (node, index), exact in plan.constants.items():
            old = node.inputs[index]
            assert old is not None
            # a fresh one, and the old one as it was: others may read it, and undo wants it back
            edit.changes.set_input(node, index, self._constant(exact, old.name, node, edit))
            edit.dead.append(old)
        for node, step in plan.replaced.items():
            edit.dead.extend(value for value in node.inputs if value is not None)
            self._rewrite(node, step.nodes, edit)
        # what carries another value than it did may not keep the name that readers know it by
        for value in self._pass_by(plan, edit):
            if value.graph is not None and value.name:
                edit.changes.rename(value, self._fresh(f"{value.name}_folded", edit))
        self._remove(plan.removed, edit)
        while edit.dead:  # a list of our own, as chains of constants are longer than Python's stack
            self._discard(edit.dead.pop(0), edit)

    def _fresh(self, base: str, edit: Edit) -> str:
        """A name that nobody has, and that is free again if the edit is undone."""
        name = self._names(base)
        edit.changes.on_undo(lambda: self._names.release(name))
        return name

    def _pass_by(self, plan: Plan, edit: Edit) -> list[ir.Value]:
        """Removes the nodes passed by; what remains takes over the name of a value it now equals.

        Returns:
            The moved values that no name stands for yet, in an order that is that of each run.
        """
        in_order = sorted(plan.moved, key=self._place)
        moved = dict.fromkeys(edit.replaced.get(value, value) for value in in_order)
        passed = plan.passed_by.items()
        # from the outputs inward: of a chain that goes, the first value gets the last name
        for node, index in sorted(passed, key=lambda d: self._facts.order(d[0]), reverse=True):
            kept, gone = node.inputs[index], node.outputs[0]
            assert kept is not None
            edit.dead.extend(v for v in node.inputs if v is not None and v is not kept)
            # the name of a value that is what it was goes on with it where what takes its place has
            # none of its own any more, or where a caller asks for an output by it
            inherits = gone not in moved and (kept in moved or gone.is_graph_output())
            edit.same_shapes.append((kept, gone))
            edit.changes.replace_uses(gone, kept)
            edit.changes.remove(node)
            if inherits:
                _inherit(kept, gone, edit.changes)
                moved.pop(kept, None)
        return list(moved)

    def _place(self, value: ir.Value) -> tuple[str, tuple[int, ...]]:
        """By its name, and in bodies that use one name for several by where it is made."""
        producer = value.producer()
        return value.name or "", () if producer is None else self._facts.order(producer)

    def _remove(self, nodes: Iterable[ir.Node], edit: Edit) -> None:
        """Removes nodes that nobody reads any more but one another."""
        for node in sorted(nodes, key=self._facts.order, reverse=True):
            edit.dead.extend(value for value in node.inputs if value is not None)
            edit.changes.remove(node)

    def _rewrite(self, node: ir.Node, new_nodes: tuple[NewNode, ...], edit: Edit) -> None:
        """What stands in the node's place; several nodes make its output another value."""
        if len(new_nodes) == 1:
            self._become(node, new_nodes[0], edit)
            return
        temporary: dict[str, ir.Value] = {}
        made = [self._made(node, new, temporary, edit) for new in new_nodes]
        for index, new_node in enumerate(made):
            self._facts.learn_node(new_node, node, index)
        old, result = node.outputs[0], made[-1].outputs[0]
        edit.changes.insert_after(node, made)
        edit.changes.replace_uses(old, result)
        edit.changes.remove(node)
        edit.nodes.extend(made)
        edit.replaced[old] = result

    def _made(
        self, node: ir.Node, new: NewNode, temporary: dict[str, ir.Value], edit: Edit
    ) -> ir.Node:
        """One of several nodes that stand in the node's place."""
        old = node.outputs[0]
        inputs = self._inputs(node, new, temporary, edit)
        same = new.op_type == node.op_type
        node_name = node.name if same else self._fresh_node_name(node, new.op_type, edit)
        output = ir.Value(name=old.name, type=old.type, shape=old.shape, doc_string=old.doc_string)
        output.metadata_props.update(old.metadata_props)
        dims = self._facts.dims(old)
        if new.output is not None:
            first = new.inputs[0] if new.op_type == "DequantizeLinear" else None
            # weights that stay quantised are dequantised here: the value has the weight's shape
            stored = first if isinstance(first, Exact) else None
            dims = dims if stored is None else stored.shape
            shape = old.shape if stored is None or old.type is None else ir.Shape(stored.shape)
            if new.reshapes:
                dims = shape = None
            name = self._fresh(f"{old.name}_{new.output}", edit)
            output = ir.Value(name=name, type=old.type, shape=shape)
            temporary[new.output] = output
        self._facts.learn_value(output, old, dims)
        return ir.Node(
            node.domain,
            new.op_type,
            inputs,
            self._attributes(node, new),
            outputs=[output],
            name=node_name,
            doc_string=node.doc_string if same else None,
            metadata_props=dict(node.metadata_props) if same else None,
        )

    def _become(self, node: ir.Node, new: NewNode, edit: Edit) -> None:
        """The node in place, so that its name, metadata and outputs stay."""
        inputs = self._inputs(node, new, {}, edit)
        attributes = None if new.attributes is None else self._attributes(node, new)
        edit.changes.set_operator(node, new.op_type, attributes)
        edit.changes.set_inputs(node, inputs)
        if new.reshapes:
            edit.reshaped.append(node.outputs[0])

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

    def _inputs(
        self, node: ir.Node, new: NewNode, temporary: dict[str, ir.Value], edit: Edit
    ) -> list[ir.Value | None]:
        """The operands as values; fresh constants are made."""
        values: list[ir.Value | None] = []
        for index, operand in enumerate(new.inputs):
            if isinstance(operand, str):
                values.append(temporary[operand])
            elif isinstance(operand, Exact):
                base = self._base(node, new, index)
                values.append(self._constant(operand, base, node, edit))
            else:
                values.append(operand if operand is None else edit.replaced.get(operand, operand))
        return values

    def _constant(self, exact: Exact, base: str | None, node: ir.Node, edit: Edit) -> ir.Value:
        """A fresh initializer of the main graph, which every scope sees."""
        plain = base or f"{node.name or node.outputs[0].name}_constant"
        name = self._fresh(plain.removesuffix("_folded") + "_folded", edit)
        value = ir.Value(
            name=name,
            shape=ir.Shape(exact.shape),
            type=ir.TensorType(exact.dtype),
            const_value=exact.lazy_tensor(name),
        )
        listed = self._facts.listed_initializers
        edit.changes.add_initializer(self._root, value, listed=listed)
        edit.constants.append(value)
        self._facts.learn_constant(value, exact)
        return value

    def _fresh_node_name(self, node: ir.Node, op_type: str, edit: Edit) -> str:
        base = node.name or node.outputs[0].name or op_type
        return self._fresh(f"{base}_{op_type.lower()}", edit)

    def _discard(self, value: ir.Value, edit: Edit) -> None:
        """Removes a constant that nobody reads any more, and what only it was computed from."""
        if is_read(value):
            return
        producer = value.producer()
        if producer is not None:
            self._discard_producer(value, producer, edit)
            return
        if not isinstance(value.graph, ir.Graph) or not value.is_initializer():
            return
        if value.is_graph_input() and not self._facts.listed_initializers:
            return  # the caller may still set it
        edit.changes.remove_initializer(value.graph, value)

    def _discard_producer(self, value: ir.Value, producer: ir.Node, edit: Edit) -> None:
        facts = self._facts
        constant = facts.is_constant(value) or facts.dequantized(value) is not None
        if producer.graph is None or not (constant or is_op(producer, "Shape")):
            return
        if any(map(is_read, producer.outputs)):
            return
        edit.dead.extend(v for v in producer.inputs if v is not None)
        edit.changes.remove(producer)


def _inherit(kept: ir.Value, gone: ir.Value, changes: Changes) -> None:
    """What takes the place of a value takes its name and what is said of it.

    A shape that was declared of another value, and may be false, does not go on under this name.
    """
    doc_string = gone.doc_string or kept.doc_string
    changes.rename(kept, gone.name)
    changes.describe(kept, gone.shape, gone.type or kept.type, doc_string, gone.metadata_props)
