"""Of which products by a quantised weight onnxruntime makes MatMulNBits, which rounds x to 8 bits.

Where the weight alone is quantised a product is one of floats, but for one form, of which
onnxruntime's optimiser makes a kernel that rounds the activations too: they are off by a hundredth.
A fold makes no such form of a product that had none. Seen in 1.32; earlier versions know a part of
the forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, op_of
from bnfold.fold.moves.absorb.quantization import Quantized, quantized_of
from bnfold.fold.plan import Refusal
from bnfold.fold.sources.source import Source, source_of

ROUNDING_KERNEL = Refusal(
    "rounding-kernel",
    "of a product by this weight, or of another one by it, onnxruntime may then make a kernel "
    "that rounds activations to 8 bits",
)
_BITS = (2, 4, 8)
_SCALES = (ir.DataType.FLOAT, ir.DataType.FLOAT16)
_LEAST_BLOCK = 16
_LAYOUTS = ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast")
_NEUTRAL: Mapping[str, float] = {"alpha": 1.0, "transB": 0}


@dataclass(frozen=True)
class Product:
    """A product by a quantised weight, as onnxruntime looks at it.

    Attributes:
        op: MatMul or Gemm; any other is no product here.
        weight: its second operand.
        attributes: of the node, without those that it does not state.
        bias: the shape of the third operand; None where it has none.
        shares_weight: whether something else reads the weight.
        x_is_quantised: whether x comes out of a DequantizeLinear too.
    """

    op: str
    weight: Quantized
    attributes: Mapping[str, float]
    bias: tuple[int, ...] | None
    shares_weight: bool
    x_is_quantised: bool

    @property
    def rounds_x(self) -> bool:
        """Whether onnxruntime makes the kernel of it that rounds x, if of any such product."""
        return not self.shares_weight and self.would_round_x

    @property
    def would_round_x(self) -> bool:
        """Whether it may make it, were the weight its own: transA goes with a Transpose before."""
        return not self.x_is_quantised and self._is_plain() and _has_form(self.weight)

    def _is_plain(self) -> bool:
        """x W or x^T W, or one of them + b with one number for each column."""
        if self.op != "Gemm":
            return self.op == "MatMul"
        if any(self.attributes.get(name, value) != value for name, value in _NEUTRAL.items()):
            return False
        if self.bias is None:
            return True
        columns = self.weight.levels.shape[-1]
        return self.attributes.get("beta", 1.0) == 1.0 and self.bias == (columns,)


def product_of(node: ir.Node, weight: Quantized, facts: Facts) -> Product:
    """The product that a node is."""
    x, bias = input_of(node, 0), input_of(node, 2)
    dims = None if bias is None else facts.dims(bias)
    # a size that is not known is none of those that the kernel takes: what has it stays as it is
    shape = None if bias is None else tuple(d if isinstance(d, int) else -1 for d in dims or ())
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    is_shared = bool(_other_readers(node, facts))
    is_quantised = is_op(None if x is None else x.producer(), "DequantizeLinear")
    return Product(op_of(node), weight, attributes, shape, is_shared, is_quantised)


def would_round_without(node: ir.Node, facts: Facts) -> bool:
    """Whether another reader of the node's weight becomes such a product once the node is none."""
    others = _other_readers(node, facts)
    # of three or more who read it two are left, for whom no such kernel is made; nor is it for a
    # weight that the caller reads
    other = others[0] if len(others) == 1 else None
    if other is None:
        return False
    weight = quantized_of(node.inputs[1], facts)
    assert weight is not None
    if is_op(other, *_LAYOUTS):
        return _is_matrix(weight) and _leads_to_product(other.outputs[0])
    is_weight = input_of(other, 1) is node.inputs[1]
    return is_weight and product_of(other, weight, facts).would_round_x


def without_kernel(weight: Quantized, axis: int) -> Quantized:
    """The same numbers, in a form that the kernel does not take: axes are counted from behind.

    One scale becomes one for each entry of `axis`, all alike.
    """
    if weight.axis is not None:
        # the optimiser compares the attribute with 1, and does not count it from the front first
        return replace(weight, stored_axis=-1)
    count = (weight.levels.shape[axis],)
    scale = np.broadcast_to(weight.scale.reshape(-1), count)
    zero = np.broadcast_to(weight.zero_point.reshape(-1), count)
    return replace(weight, scale=scale, zero_point=zero, axis=axis, stored_axis=-1)


def comes_to_round(value: ir.Value, old: Quantized, new: Quantized) -> bool:
    """Whether `new` for `old` in a DequantizeLinear makes such a kernel of a product further on.

    Optimisers take layouts between the two away. What takes an affine away asks `leaves_to_round`.
    """
    # one scale in a list of one is no form of the kernel's, and one for each column is
    is_list = old.axis is None and old.scale.ndim == 1 and new.axis is not None
    return is_list and _is_matrix(new) and _leads_to_product(value)


def leaves_to_round(affine: ir.Node, facts: Facts) -> bool:
    """Whether without this affine such a kernel may be made of a product further on."""
    source = source_of(affine, facts)
    value = affine.inputs[source.index] if isinstance(source, Source) else None
    while value is not None and (maker := value.producer()) and is_op(maker, *_LAYOUTS):
        value = maker.inputs[0]
    weight = quantized_of(value, facts)
    if weight is None or not _is_matrix(weight):
        return False
    return _leads_to_product(affine.outputs[0])


def _leads_to_product(value: ir.Value) -> bool:
    """Whether a product reads it as its weight, behind layouts or not."""
    pending, seen = [value], {value}
    while pending:
        for use in pending.pop().uses():
            if use.idx == 1 and is_op(use.node, "MatMul", "Gemm"):
                return True
            if is_op(use.node, *_LAYOUTS):
                pending += [made for made in use.node.outputs if made not in seen]
                seen.update(use.node.outputs)
    return False


def _other_readers(node: ir.Node, facts: Facts) -> list[ir.Node | None]:
    """Who reads the node's weight too; None for the caller."""
    weight = node.inputs[1]
    if weight is None:
        return []
    found: list[ir.Node | None] = [reader for reader, _ in facts.readers(weight)]
    found.remove(node)  # once: who reads it by both inputs is another reader too
    return [*found, None] if facts.leaves(weight) else found


def _has_form(weight: Quantized) -> bool:
    """Of a matrix: one scale without axes, one for each column, or blocks of rows."""
    if not _is_matrix(weight):
        return False
    if weight.block:
        is_power = weight.block & (weight.block - 1) == 0
        return weight.written_axis == 0 and weight.block >= _LEAST_BLOCK and is_power
    by_column = weight.scale.shape == weight.levels.shape[1:] and weight.written_axis in (None, 1)
    return weight.scale.ndim == 0 or by_column


def _is_matrix(weight: Quantized) -> bool:
    """Of integers that the kernel knows, with scales that it knows."""
    levels, scales = weight.dtypes
    is_known = levels.bitwidth in _BITS and not levels.is_floating_point() and scales in _SCALES
    return weight.levels.ndim == 2 and is_known
