"""Questions about a graph: which values are constant, what shape they have, who reads them.

`Facts` is built once for a model and holds what every rule asks for. It never edits the graph; the
engine tells it of new nodes and constants.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from bnfold.float64 import UnsupportedOperatorError, run_node
from bnfold.fold.facts.constants import Constant, Constants
from bnfold.fold.facts.known_shapes import concrete_dims, infer
from bnfold.fold.facts.node import inner_first, is_op, returning
from bnfold.fold.numbers.affine import Dims
from bnfold.fold.numbers.exact import Exact, exact_of, of_array, of_tensor

FLOATS = frozenset(
    (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)
)


class Facts:
    """What is known of a model's values.

    Attributes:
        model: the graph that the facts are about.
        listed_initializers: IR version < 4, where every initializer is listed as a graph input.
        body_numbers: of the bodies of which a node makes outputs its own, from 1 on.
    """

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.listed_initializers = (model.ir_version or 0) < 4
        self._dims: dict[ir.Value, Dims] = {}
        self._dtypes: dict[ir.Value, ir.DataType] = {}
        self._order: dict[ir.Node, tuple[int, ...]] = {}
        self._constants: dict[ir.Value, Constant | None] = {}
        self._exact: dict[ir.Value, Exact] = {}
        self._concrete: dict[int, dict[ir.Value, tuple[int, ...]]] = {}
        self._known = self._constants_of_now()
        self._dims, self._dtypes = infer(model, self.constant)
        self._constants.clear()  # static shapes tell more constants
        self._known = self._constants_of_now()
        self._returned: dict[object, tuple[ir.Node, int, int]] = {}
        for index, node in enumerate(inner_first(model.graph)):
            self._order[node] = (index,)
            place = len(node.inputs)
            for body in returning(node):
                self._returned[body.graph] = node, place, body.first
                place += len(body.graph.outputs) - body.first
        self.body_numbers = {body: number for number, body in enumerate(self._returned, start=1)}
        self._leaving = {value for graph in model.graphs() for value in self._from_outside(graph)}

    def order(self, node: ir.Node) -> tuple[int, ...]:
        """The node's place in topological order, to compare and no more."""
        return self._order[node]

    def dims(self, value: ir.Value | None) -> Dims | None:
        """The dimensions: int, symbol, or None where unknown; None for an unknown rank."""
        return None if value is None else self._dims.get(value)

    def rank(self, value: ir.Value | None) -> int | None:
        """How many axes the value has; None if it is not known."""
        dims = self.dims(value)
        return None if dims is None else len(dims)

    def dim(self, value: ir.Value | None, axis: int) -> int | None:
        """A static extent; None if it is not known."""
        dims = self.dims(value)
        if dims is None or not -len(dims) <= axis < len(dims):
            return None
        extent = dims[axis]
        return extent if isinstance(extent, int) else None

    def opset(self, domain: str = "") -> int:
        """The version of the domain's operators that the model uses."""
        imports = self.model.opset_imports
        return imports.get(domain, imports.get("ai.onnx" if domain == "" else domain, 1))

    def readers(self, value: ir.Value) -> list[tuple[ir.Node, int]]:
        """The nodes that read the value, with the index in `reads_of`, in topological order."""
        uses = [(use.node, use.idx) for use in value.uses()]
        if value.is_graph_output():
            uses += self._readers_of_returned(value)
        # no function to sort by: it would be called for each of thousands, at each question
        places = [(self._order.get(node, ()), index, at) for at, (node, index) in enumerate(uses)]
        return [uses[at] for _, _, at in sorted(places)]

    def leaves(self, value: ir.Value) -> bool:
        """Whether the caller reads it, the next turn of a loop, or a body that has not made it."""
        if not value.is_graph_output():
            return False
        producer = value.producer()
        graph = None if producer is None else producer.graph
        found = self._returned.get(graph)
        if found is None or graph is None or value in self._leaving:
            return True
        return any(output is value for output in graph.outputs[: found[2]])

    def enclosing(self, graph: object) -> ir.Node | None:
        """The node that the graph is a body of, where it makes outputs of the body its own."""
        found = self._returned.get(graph)
        return None if found is None else found[0]

    def constant(self, value: ir.Value | None) -> Constant | None:
        """The value if every run gives the same: floats in float64, integers as they are.

        Stored, or computed over constants in the graph's own types, or from nothing of a run-time
        value but its static shape or dtype.
        """
        if value is None:
            return None
        if value not in self._constants:
            self._constants[value] = self._find_constant(value)
        return self._constants[value]

    def is_constant(self, value: ir.Value | None) -> bool:
        """Whether the value is stored or computed over constants; large ones are not read."""
        if value is None:
            return False
        return self._known.stored(value) is not None or self.constant(value) is not None

    def exact(self, value: ir.Value | None) -> Exact | None:
        """A floating constant before rounding; None if the value is none."""
        if value is None:
            return None
        if value not in self._exact:
            tensor = self._known.stored(value)
            dtype = self.dtype(value) if tensor is None else tensor.dtype
            if dtype is None or dtype not in FLOATS:
                return None
            if tensor is not None:
                self._exact[value] = of_tensor(tensor)
            else:
                computed = self.constant(value)
                if computed is None:
                    return None
                self._exact[value] = of_array(computed, dtype)
        return self._exact[value]

    def dequantized(self, value: ir.Value | None) -> Constant | None:
        """What a DequantizeLinear over constants stands for, in float64.

        It is no constant in the sense above: to store it would undo the quantisation.
        """
        node = None if value is None else value.producer()
        if value is None or node is None or not is_op(node, "DequantizeLinear"):
            return None
        inputs = [self.constant(source) for source in node.inputs]
        if any(c is None for c, v in zip(inputs, node.inputs, strict=True) if v is not None):
            return None
        try:
            with np.errstate(all="ignore"):
                return np.asarray(run_node(node, inputs, opset=self.opset())[0])
        except (UnsupportedOperatorError, ValueError, IndexError, ZeroDivisionError):
            return None

    def dtype(self, value: ir.Value) -> ir.DataType | None:
        """The element type; None if it is not known."""
        tensor = value.const_value or self._known.stored(value)
        if tensor is not None:
            return tensor.dtype
        return value.dtype or self._dtypes.get(value)

    def concrete_dims(self, extent: int) -> dict[ir.Value, tuple[int, ...]]:
        """Shapes of all values when each open dimension of the inputs is `extent`."""
        if extent not in self._concrete:
            self._concrete[extent] = concrete_dims(self.model, self._dims, extent, self.constant)
        return self._concrete[extent]

    def learn_node(self, node: ir.Node, place: ir.Node, index: int) -> None:
        """A node that the engine put where another stands: the `index`th of several."""
        self._order[node] = (*self._order[place], index)

    def learn_constant(self, value: ir.Value, exact: Exact) -> None:
        """An initializer that the engine made, with its unrounded value."""
        self._exact[value] = exact
        self._dims[value] = exact.shape

    def learn_value(self, value: ir.Value, like: ir.Value, dims: Dims | None) -> None:
        """A value that the engine made, with the element type of another."""
        dtype = self.dtype(like)
        if dtype is not None:
            self._dtypes[value] = dtype
        if dims is not None:
            self._dims[value] = dims

    def forget_shape(self, value: ir.Value) -> None:
        """The value has another shape than it had: nothing is known of it until it is learnt."""
        self._dims.pop(value, None)
        for dims in self._concrete.values():
            dims.pop(value, None)

    def learn_same_shape(self, value: ir.Value, other: ir.Value) -> None:
        """Two values have one shape: what is known of either is known of the first."""
        own, more = self.dims(value), self.dims(other)
        if own is None:
            self.learn_value(value, other, more)
        elif more is not None and len(more) == len(own):
            pairs = zip(own, more, strict=True)
            self._dims[value] = tuple(b if isinstance(b, int) or a is None else a for a, b in pairs)

    def _readers_of_returned(self, value: ir.Value) -> list[tuple[ir.Node, int]]:
        producer = value.producer()
        graph = None if producer is None else producer.graph
        found = self._returned.get(graph)
        if found is None or graph is None:
            return []
        node, place, first = found
        outputs = enumerate(graph.outputs[first:], start=place)
        return [(node, index) for index, output in outputs if output is value]

    @staticmethod
    def _from_outside(graph: ir.Graph) -> Iterator[ir.Value]:
        """What the graph returns that it has not made."""
        for value in graph.outputs:
            producer = value.producer()
            if producer is not None and producer.graph is not graph:
                yield value

    def _constants_of_now(self) -> Constants:
        return Constants(self.model, self.dims, self.dtype, self._exact)

    def _find_constant(self, value: ir.Value) -> Constant | None:
        tensor = self._known.stored(value)
        exact = self._exact.get(value) or (None if tensor is None else exact_of(tensor))
        if exact is not None:  # made by a fold, of this model or of the one that it is a copy of
            return exact.value() if exact.dtype in FLOATS else exact.rounded()
        array = self._known.get(value)
        if array is None:
            return None
        dtype = ir.DataType.from_numpy(array.dtype) if tensor is None else tensor.dtype
        return array.astype(np.float64) if dtype in FLOATS else array
