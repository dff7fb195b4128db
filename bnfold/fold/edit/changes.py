"""Changes of a graph, each with what takes it back: the log of an edit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import onnx_ir as ir


class NotUndoneError(Exception):
    """The graph is neither as it was nor as it should be: nobody may have it."""


class Changes:
    """Changes a graph, and takes all of it back when told to.

    Args:
        order: a node's place in topological order, by which a removed one finds its way back.
        ordinals: an initializer's place among the initializers; new ones are added behind.
    """

    def __init__(
        self, order: Callable[[ir.Node], tuple[int, ...]], ordinals: dict[ir.Value, int]
    ) -> None:
        self._order = order
        self._ordinals = ordinals
        self._inverses: list[Callable[[], object]] = []

    def undo(self) -> None:
        """The graph is as it was before the first change.

        Raises:
            NotUndoneError: it is not.
        """
        try:
            while self._inverses:
                self._inverses.pop()()
        except Exception as error:
            raise NotUndoneError(f"a rewrite could not be taken back: {error}") from error

    def on_undo(self, inverse: Callable[[], object]) -> None:
        """Something else to be taken back with the rest."""
        self._inverses.append(inverse)

    def set_input(self, node: ir.Node, index: int, value: ir.Value | None) -> None:
        """The node reads the value there."""
        old = node.inputs[index]
        self.on_undo(lambda: node.replace_input_with(index, old))
        node.replace_input_with(index, value)

    def set_inputs(self, node: ir.Node, values: Sequence[ir.Value | None]) -> None:
        """The node reads these values, and no others."""
        old = tuple(node.inputs)
        self.on_undo(lambda: _read(node, old))
        _read(node, values)

    def set_operator(
        self, node: ir.Node, op_type: str, attributes: Iterable[ir.Attr] | None
    ) -> None:
        """The node is this operator; None keeps its attributes."""
        old_type, old = node.op_type, tuple(node.attributes.values())
        self.on_undo(lambda: _become(node, old_type, old))
        _become(node, op_type, old if attributes is None else tuple(attributes))

    def replace_uses(self, old: ir.Value, new: ir.Value) -> None:
        """Whoever reads `old`, the outputs of its graph among them, reads `new`."""
        for use in tuple(old.uses()):
            self.set_input(use.node, use.idx, new)
        producer = old.producer()
        graph = None if producer is None else producer.graph
        for index, output in enumerate(graph.outputs if graph is not None else ()):
            if output is old:
                self._set_output(graph, index, new)

    def _set_output(self, graph: ir.Graph | ir.Function | None, index: int, new: ir.Value) -> None:
        assert graph is not None, "only a graph has outputs"
        outputs, old = graph.outputs, graph.outputs[index]
        if new.graph is not None and new.graph is not graph:
            raise ValueError("an output is made in its graph")  # else it would be half replaced

        def put_back() -> None:
            outputs[index] = old

        self.on_undo(put_back)
        outputs[index] = new

    def insert_after(self, node: ir.Node, new: Sequence[ir.Node]) -> None:
        """New nodes stand behind the node."""
        graph = node.graph
        assert graph is not None, "it stands in a graph"
        graph.insert_after(node, new)

        def take_out() -> None:
            for made in reversed(new):
                graph.remove(made, safe=True)

        self.on_undo(take_out)

    def remove(self, node: ir.Node) -> None:
        """The node, which nobody reads, is gone."""
        graph, inputs = node.graph, tuple(node.inputs)
        assert graph is not None, "it stands in a graph"

        def put_back() -> None:
            place = self._order(node)
            follower = next((other for other in graph if self._order(other) > place), None)
            if follower is None:
                graph.append(node)
            else:
                graph.insert_before(follower, node)
            _read(node, inputs)

        graph.remove(node, safe=True)
        self.on_undo(put_back)

    def add_initializer(self, graph: ir.Graph, value: ir.Value, *, listed: bool) -> None:
        """The graph has the initializer, among its inputs too where that is how it lists them."""
        graph.register_initializer(value)
        self._ordinals[value] = len(self._ordinals)
        self.on_undo(lambda: graph.initializers.pop(value.name or ""))
        if listed:
            graph.inputs.append(value)
            self.on_undo(lambda: graph.inputs.remove(value))

    def remove_initializer(self, graph: ir.Graph, value: ir.Value) -> None:
        """The graph has the initializer no more, nor the input that it was listed as."""
        name = value.name or ""
        if value.is_graph_input():
            position = next(i for i, listed in enumerate(graph.inputs) if listed is value)
            self.on_undo(lambda: graph.inputs.insert(position, value))
            del graph.inputs[position]

        def put_back() -> None:
            graph.initializers[name] = value
            stored = sorted(graph.initializers.items(), key=lambda item: self._ordinals[item[1]])
            graph.initializers.data.clear()  # only their order changes
            graph.initializers.data.update(stored)

        del graph.initializers[name]
        self.on_undo(put_back)

    def rename(self, value: ir.Value, name: str | None) -> None:
        """The value has another name."""
        old = value.name

        def put_back() -> None:
            value.name = old

        self.on_undo(put_back)
        value.name = name

    def describe(
        self,
        value: ir.Value,
        shape: ir.Shape | None,
        type: ir.TypeProtocol | None,
        doc_string: str | None,
        metadata: Mapping[str, str],
    ) -> None:
        """The value is declared like this; metadata is added."""
        old = (value.shape, value.type, value.doc_string, dict(value.metadata_props))
        self.on_undo(lambda: _declare(value, *old))
        _declare(value, shape, type, doc_string, {**old[3], **metadata})


def _read(node: ir.Node, values: Sequence[ir.Value | None]) -> None:
    if len(node.inputs) != len(values):
        node.resize_inputs(len(values))
    for index, value in enumerate(values):
        node.replace_input_with(index, value)


def _become(node: ir.Node, op_type: str, attributes: Iterable[ir.Attr]) -> None:
    node.op_type = op_type
    node.attributes.clear()
    for attribute in attributes:
        node.attributes[attribute.name] = attribute


def _declare(
    value: ir.Value,
    shape: ir.Shape | None,
    type: ir.TypeProtocol | None,
    doc_string: str | None,
    metadata: Mapping[str, str],
) -> None:
    value.shape, value.type, value.doc_string = shape, type, doc_string
    value.metadata_props.clear()
    value.metadata_props.update(metadata)
