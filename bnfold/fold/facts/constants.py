"""Which values every run gives alike, and what they are: as the runtime computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.fold.facts.node import SHAPE_ONLY, attribute_of, is_op
from bnfold.fold.facts.operator_facts import PURE
from bnfold.fold.numbers.affine import Dims
from bnfold.fold.numbers.exact import Exact
from bnfold.runtime.domains import DEFAULT_DOMAINS, standard_opset
from bnfold.typed import ConstantError, TypedConstants, run_typed_node

Constant = npt.NDArray[Any]

_NO_REAL_NUMBERS = frozenset(
    (ir.DataType.STRING, ir.DataType.COMPLEX64, ir.DataType.COMPLEX128, ir.DataType.UNDEFINED)
)


class Constants:
    """The constants of a model: stored, computed over stored ones, or static shapes.

    What the graph computes is computed in the graph's own types, as a rounding before a Floor or a
    comparison decides on which step it lands.

    Args:
        model: what is asked about.
        dims: the dimensions of a value, as far as they are known.
        dtype: its element type.
        made: tensors that a fold made, before rounding.
    """

    def __init__(
        self,
        model: ir.Model,
        dims: Callable[[ir.Value | None], Dims | None],
        dtype: Callable[[ir.Value], ir.DataType | None],
        made: dict[ir.Value, Exact],
    ) -> None:
        self._listed_initializers = (model.ir_version or 0) < 4
        self._opset = standard_opset(model.opset_imports)
        self._dims, self._dtype, self._made = dims, dtype, made
        self._typed = TypedConstants(model, known=self._known)
        self._is_pure: dict[ir.Value, bool] = {}

    def get(self, value: ir.Value) -> Constant | None:
        """The value in its own dtype; None if it depends on what is fed, or is not known."""
        tensor = self.stored(value)
        if tensor is not None:
            return tensor.numpy()
        return self._typed.get(value) if self._pure(value) else None

    def stored(self, value: ir.Value) -> ir.TensorProtocol | None:
        """The numbers of an initializer that nobody can override, or of a Constant node."""
        tensor = self._tensor(value)
        if tensor is None or tensor.dtype in _NO_REAL_NUMBERS:
            return None
        return tensor

    def _tensor(self, value: ir.Value) -> ir.TensorProtocol | None:
        if value.is_initializer() or (value.const_value is not None and value.producer() is None):
            if value.is_graph_input() and not self._listed_initializers:
                return None  # an initializer that is also a graph input is a default
            return value.const_value
        node = value.producer()
        if node is not None and is_op(node, "Constant") and "value" in node.attributes:
            return node.attributes["value"].as_tensor()
        return None

    def _pure(self, value: ir.Value) -> bool:
        """Whether it is computed from constants alone, by operators that may be computed early."""
        pending = [value]  # a walk of our own, as chains are longer than Python's stack
        while pending:
            current = pending[-1]
            if current in self._is_pure:
                pending.pop()
                continue
            node = current.producer()
            if self._known(current) is not None:
                self._is_pure[current] = True
                continue
            if node is None or not is_op(node, *PURE):
                self._is_pure[current] = False
                continue
            sources = [source for source in node.inputs if source is not None]
            if any(self._is_pure.get(source) is False for source in sources):
                self._is_pure[current] = False
                continue
            missing = next((s for s in sources if s not in self._is_pure), None)
            if missing is None:
                self._is_pure[current] = True
            else:
                pending.append(missing)
        return self._is_pure[value]

    def _known(self, value: ir.Value) -> Constant | None:
        """What is known of the value without looking at all inputs of its producer."""
        made = self._made.get(value)
        if made is not None:
            return made.rounded()
        tensor = self.stored(value)
        if tensor is not None:
            return tensor.numpy()
        node = value.producer()
        if node is None or node.domain not in DEFAULT_DOMAINS:
            return None
        if is_op(node, *SHAPE_ONLY):
            return self._static_shape(node)
        if is_op(node, "Gather", "Slice"):
            return self._part_of_shape(node)
        return self._cast_like(node, value) if is_op(node, "CastLike") else None

    def _static_shape(self, node: ir.Node) -> Constant | None:
        shape = self._extents(node)
        if shape is None or np.any(shape < 0):
            return None
        return shape if is_op(node, "Shape") else np.asarray(np.prod(shape, dtype=np.int64))

    def _extents(self, node: ir.Node) -> Constant | None:
        """What a Shape or Size looks at, -1 where it is not static."""
        dims = self._dims(node.inputs[0])
        if dims is None:
            return None
        if is_op(node, "Shape"):
            dims = dims[attribute_of(node, "start", 0) : attribute_of(node, "end", None)]
        return np.array([d if isinstance(d, int) else -1 for d in dims], dtype=np.int64)

    def _part_of_shape(self, node: ir.Node) -> Constant | None:
        """A Gather or Slice that takes only static extents of a shape that has others too."""
        shape = None if node.inputs[0] is None else node.inputs[0].producer()
        if shape is None or not is_op(shape, "Shape"):
            return None
        rest = [None if source is None else self.get(source) for source in node.inputs[1:]]
        if any(c is None for c, v in zip(rest, node.inputs[1:], strict=True) if v is not None):
            return None
        extents = self._extents(shape)
        if extents is None:
            return None
        try:
            (part,) = run_typed_node(node, [extents, *rest], opset=self._opset)
        except ConstantError:
            return None
        return None if np.any(part < 0) else part

    def _cast_like(self, node: ir.Node, value: ir.Value) -> Constant | None:
        """Of the second input only the dtype counts, and that is the output's."""
        dtype, source = self._dtype(value), node.inputs[0]
        if dtype is None or source is None or dtype.bitwidth < 16:
            return None
        array = self.get(source)
        if array is None:
            return None
        with np.errstate(all="ignore"):
            return np.asarray(array.astype(dtype.numpy()))
