"""Questions about a graph: which values are constant, what shape they have, who reads them.

`Facts` is built once for a model and holds what every rule asks for. It never edits the graph; the
engine tells it of new nodes and constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.float64 import UnsupportedOperatorError, run_node
from bnfold.fold.facts.shapes import concrete_dims, infer
from bnfold.fold.numbers.affine import Dims
from bnfold.fold.numbers.exact import Exact, of_array, of_tensor

FLOATS = frozenset(
    (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)
)
DEFAULT_DOMAINS = frozenset(("", "ai.onnx"))
_SHAPE_ONLY = frozenset(("Shape", "Size"))
_PURE = frozenset(
    "Abs Add And ArgMax ArgMin Cast CastLike Ceil Clip Concat ConstantOfShape CumSum Div Einsum "
    "Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm Greater GreaterOrEqual "
    "Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log LpNormalization MatMul Max Mean Min Mod "
    "Mul Neg Not OneHot Or Pad Pow QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu "
    "Reshape Round ScatterElements ScatterND Sigmoid Sign Size Slice Softmax Softplus Split Sqrt "
    "Squeeze Sub Sum Tanh Tile Transpose Trilu Unsqueeze Where Xor".split()
)
_LARGEST_COMPUTED = 1 << 24  # elements of a constant that is computed and not stored

Constant = npt.NDArray[Any]


class Facts:
    """What is known of a model's values.

    Attributes:
        model: the graph that the facts are about.
        listed_initializers: IR version < 4, where every initializer is listed as a graph input.
    """

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.listed_initializers = (model.ir_version or 0) < 4
        self._dims, self._dtypes = infer(model)
        self._order: dict[ir.Node, tuple[int, ...]] = {}
        self._constants: dict[ir.Value, Constant | None] = {}
        self._exact: dict[ir.Value, Exact] = {}
        self._concrete: dict[int, dict[ir.Value, tuple[int, ...]]] = {}
        for index, node in enumerate(model.graph.all_nodes()):
            self._order[node] = (index,)

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
        """The nodes that read the value, with the input's index, in topological order."""
        uses = [(use.node, use.idx) for use in value.uses()]
        return sorted(uses, key=lambda use: (self._order.get(use[0], -1.0), use[1]))

    def constant(self, value: ir.Value | None) -> Constant | None:
        """The value if every run gives the same: floats in float64, integers as they are.

        Stored, or computed over constants, or from nothing of a run-time value but its static
        shape or dtype.
        """
        if value is None:
            return None
        pending = [value]  # a walk of our own, as chains are longer than Python's stack
        while pending:
            known = pending[-1] in self._constants
            source = None if known else self._unknown_source(pending[-1])
            if source is not None:
                pending.append(source)
            elif not known:
                self._constants[pending[-1]] = self._find_constant(pending[-1])
            else:
                pending.pop()
        return self._constants[value]

    def is_constant(self, value: ir.Value | None) -> bool:
        """Whether the value is stored or computed over constants; large ones are not read."""
        if value is None:
            return False
        return self._stored(value) is not None or self.constant(value) is not None

    def exact(self, value: ir.Value | None) -> Exact | None:
        """A floating constant before rounding; None if the value is none."""
        if value is None:
            return None
        if value not in self._exact:
            tensor = self._stored(value)
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
        return self._compute(node, value)

    def dtype(self, value: ir.Value) -> ir.DataType | None:
        """The element type; None if it is not known."""
        tensor = value.const_value or self._stored(value)
        if tensor is not None:
            return tensor.dtype
        return value.dtype or self._dtypes.get(value)

    def concrete_dims(self, extent: int) -> dict[ir.Value, tuple[int, ...]]:
        """Shapes of all values when each open dimension of the inputs is `extent`."""
        if extent not in self._concrete:
            self._concrete[extent] = concrete_dims(self.model, self._dims, extent)
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

    def learn_same_shape(self, value: ir.Value, other: ir.Value) -> None:
        """Two values have one shape: what is known of either is known of the first."""
        own, more = self.dims(value), self.dims(other)
        if own is None:
            self.learn_value(value, other, more)
        elif more is not None and len(more) == len(own):
            pairs = zip(own, more, strict=True)
            self._dims[value] = tuple(b if isinstance(b, int) or a is None else a for a, b in pairs)

    def _stored(self, value: ir.Value) -> ir.TensorProtocol | None:
        """The tensor of an initializer that nobody can override, or of a Constant node."""
        if value.is_initializer() or (value.const_value is not None and value.producer() is None):
            if value.is_graph_input() and not self.listed_initializers:
                return None  # an initializer that is also a graph input is a default
            return value.const_value
        node = value.producer()
        if node is not None and node.op_type == "Constant" and node.domain in DEFAULT_DOMAINS:
            attribute = node.attributes.get("value")
            return None if attribute is None else attribute.as_tensor()
        return None

    def _unknown_source(self, value: ir.Value) -> ir.Value | None:
        """An input that the value is computed from and that was not looked at yet."""
        node = value.producer()
        if node is None or not is_op(node, *_PURE) or value in self._exact:
            return None
        sources = [source for source in node.inputs if source is not None]
        if any(s in self._constants and self._constants[s] is None for s in sources):
            return None  # one that is no constant is enough
        return next((source for source in sources if source not in self._constants), None)

    def _find_constant(self, value: ir.Value) -> Constant | None:
        exact = self._exact.get(value)
        if exact is not None:
            return exact.value() if exact.dtype in FLOATS else exact.rounded()
        tensor = self._stored(value)
        if tensor is not None:
            array = tensor.numpy()
            return array.astype(np.float64) if tensor.dtype in FLOATS else array
        node = value.producer()
        if node is None or node.domain not in DEFAULT_DOMAINS:
            return None
        if node.op_type in _SHAPE_ONLY:
            return self._static_shape(node)
        if node.op_type != "Constant" and node.op_type not in _PURE:
            return None
        found = self._compute(node, value)
        return self._part_of_shape(node, value) if found is None else found

    def _static_shape(self, node: ir.Node) -> Constant | None:
        shape = self._extents(node)
        if shape is None or np.any(shape < 0):
            return None
        return shape if node.op_type == "Shape" else np.asarray(np.prod(shape, dtype=np.int64))

    def _extents(self, node: ir.Node) -> Constant | None:
        """What a Shape or Size looks at, -1 where it is not static."""
        dims = self.dims(node.inputs[0])
        if dims is None:
            return None
        if node.op_type == "Shape":
            dims = dims[attribute_of(node, "start", 0) : attribute_of(node, "end", None)]
        return np.array([d if isinstance(d, int) else -1 for d in dims], dtype=np.int64)

    def _part_of_shape(self, node: ir.Node, value: ir.Value) -> Constant | None:
        """A Gather or Slice that takes only static extents of a shape that has others too."""
        shape = None if node.inputs[0] is None else node.inputs[0].producer()
        if not is_op(node, "Gather", "Slice") or shape is None or not is_op(shape, "Shape"):
            return None
        rest = [self.constant(source) for source in node.inputs[1:]]
        if any(c is None for c, v in zip(rest, node.inputs[1:], strict=True) if v is not None):
            return None
        part = self._run(node, [self._extents(shape), *rest], value)
        return None if part is None or np.any(part < 0) else part

    def _compute(self, node: ir.Node, value: ir.Value) -> Constant | None:
        inputs: list[Constant | None] = []
        for index, source in enumerate(node.inputs):
            if node.op_type == "CastLike" and index == 1:
                inputs.append(None)  # only its dtype counts, and that is the output's
                continue
            constant = self.constant(source)
            if source is not None and constant is None:
                return None
            inputs.append(constant)
        dims = self.dims(value)
        if dims is None or _size(dims) > _LARGEST_COMPUTED:
            sizes = [c for c in inputs if c is not None]
            if any(c.size > _LARGEST_COMPUTED for c in sizes):
                return None
        try:
            return self._run(node, inputs, value)
        except (UnsupportedOperatorError, ValueError, IndexError, ZeroDivisionError):
            return None

    def _divided(
        self, node: ir.Node, inputs: Sequence[Constant | None]
    ) -> Sequence[Constant | None]:
        """x / scale in float32, as runtimes round it before they round to integers; and scale 1."""
        x, scale = inputs[0], inputs[1]
        dtype = None if node.inputs[0] is None else self.dtype(node.inputs[0])
        if x is None or scale is None or dtype != ir.DataType.FLOAT or scale.ndim > 1:
            raise UnsupportedOperatorError("only float32 is quantised here, by tensor or by axis")
        axis = attribute_of(node, "axis", 1) % max(1, x.ndim)
        laid = (
            scale.reshape(-1, *(1,) * (x.ndim - 1 - axis)) if scale.size > 1 else scale.reshape(())
        )
        quotient = x.astype(np.float32) / laid.astype(np.float32)
        return [quotient.astype(np.float64), np.ones_like(scale), *inputs[2:]]

    def _run(
        self, node: ir.Node, inputs: Sequence[Constant | None], value: ir.Value
    ) -> Constant | None:
        if node.op_type == "CastLike":
            dtype = self.dtype(value)
            return None if dtype is None else _cast(inputs[0], dtype)
        if node.op_type == "Cast":
            return _cast(inputs[0], ir.DataType(attribute_of(node, "to", 0)))
        if node.op_type == "QuantizeLinear":
            inputs = self._divided(node, inputs)
        index = value.index()
        with np.errstate(all="ignore"):
            results = run_node(node, inputs, opset=self.opset(node.domain))
        return np.asarray(results[0 if index is None else index])


def _cast(array: Constant | None, dtype: ir.DataType) -> Constant | None:
    """A Cast rounds: it is part of what the graph computes."""
    if array is None:
        return None
    with np.errstate(all="ignore"):
        if dtype == ir.DataType.DOUBLE:
            return array.astype(np.float64)
        if dtype in FLOATS:
            return array.astype(dtype.numpy()).astype(np.float64)
        return array.astype(dtype.numpy())


def _size(dims: Dims) -> int:
    size = 1
    for dim in dims:
        size *= dim if isinstance(dim, int) else 1
    return size


def attribute_of(node: ir.Node, name: str, default: Any) -> Any:
    """The attribute's value, text decoded; the default where it is not there."""
    attribute = node.attributes.get(name)
    if attribute is None:
        return default
    value = attribute.value
    return value.decode() if isinstance(value, bytes) else value


def input_of(node: ir.Node, index: int) -> ir.Value | None:
    """The input, or None where it is left out, by an empty name or by a short list."""
    return node.inputs[index] if index < len(node.inputs) else None


def describe(node: ir.Node) -> str:
    """The node as messages name it: by its name, or else by the tensor that it makes."""
    name = node.name
    if name:
        return f"{node.op_type} '{name}'"
    outputs = [value.name for value in node.outputs if value.name]
    return f"{node.op_type} -> '{outputs[0]}'" if outputs else node.op_type


def is_op(node: ir.Node | None, *op_types: str) -> bool:
    """Whether the node is one of these standard operators."""
    return node is not None and node.domain in DEFAULT_DOMAINS and node.op_type in op_types


def reads_no_number(node: ir.Node, index: int) -> bool:
    """Whether the node looks at nothing of its input but the shape, or the element type."""
    return is_op(node, *_SHAPE_ONLY) or (index == 1 and is_op(node, "CastLike"))
