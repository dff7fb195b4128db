"""Which nodes are an affine `s * x + t` with constants: batch norms and constant arithmetic.

    BatchNormalization (inference)   s = gamma / sqrt(var + epsilon), t = beta - mean * s
    x * c, c * x, x / c              s = c, c, 1 / c                  t = 0
    x + c, c + x, x - c, c - x       s = 1, 1, 1, -1                  t = c, c, -c, c

A constant counts only if, right-aligned against the known rank of `x`, it leaves the shape of `x`
as it is and varies along one axis at most. All in float64 from the stored values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, describe, input_of, is_op, is_read, op_of
from bnfold.fold.numbers.affine import Affine, Array, along
from bnfold.fold.plan import Refusal
from bnfold.fold.sources.not_constant import not_constant

_SPATIAL_UNTIL = 9  # the opset that no longer has the attribute
ARITHMETIC = ("Mul", "Div", "Add", "Sub")
AFFINES = ("BatchNormalization", *ARITHMETIC)
"""The operators that may be an affine."""


@dataclass(frozen=True)
class Source:
    """A node that is an affine of its input.

    Attributes:
        node: the BatchNormalization, Mul, Div, Add or Sub.
        index: the input that is `x`.
        affine: `s` and `t`, with the rank of `x`.
    """

    node: ir.Node
    index: int
    affine: Affine

    @property
    def is_batch_norm(self) -> bool:
        """Whether it is a BatchNormalization, not constant arithmetic."""
        return is_op(self.node, "BatchNormalization")


def source_of(node: ir.Node, facts: Facts) -> Source | Refusal | None:
    """The affine that the node is; why a batch norm is none; None for any other node."""
    if is_op(node, "BatchNormalization"):
        return _batch_norm(node, facts)
    if is_op(node, *ARITHMETIC):
        return _arithmetic(node, facts)
    return None


def custom_operator(node: ir.Node) -> Refusal:
    """Why nothing moves through an operator that is not of the standard domain."""
    sentence = f"nothing is known of operators of the domain '{node.domain}'"
    return Refusal("custom-operator", sentence, at=describe(node))


def _batch_norm(node: ir.Node, facts: Facts) -> Source | Refusal:
    refusal = not_inference(node, facts)
    if refusal is not None:
        return refusal
    x = node.inputs[0]
    rank = facts.rank(x) or facts.rank(node.outputs[0])
    producer = None if x is None else x.producer()
    if rank is None and producer is not None and not op_of(producer):
        return custom_operator(producer)
    if rank is None or rank < 2:
        return Refusal(
            "rank-unknown",
            "the rank of its input is not known",
            advice="declare the input's shape, symbolic dimensions will do",
        )
    parameters: list[Array] = []
    for index, name in enumerate(("scale", "bias", "mean", "variance"), start=1):
        value = input_of(node, index)
        constant = _constant(value, facts)
        if constant is None:
            return not_constant(value, facts, name, "dynamic-parameters")
        vector = _per_channel(node, np.asarray(constant, dtype=np.float64), rank, facts)
        if isinstance(vector, Refusal):
            return vector
        parameters.append(vector)
    if len({p.size for p in parameters}) != 1:
        return Refusal("malformed", "its parameters have different lengths")
    return _normalised(node, parameters, rank, facts)


def not_inference(node: ir.Node, facts: Facts) -> Refusal | None:
    """Why the node normalises with the batch's own statistics, or not per channel."""
    opset = node.version or facts.opset()
    extra = [value for value in node.outputs[1:] if value.name]
    if opset >= 14:
        training = attribute_of(node, "training_mode", 0) == 1
    elif opset < 7:
        training = attribute_of(node, "is_test", 0) == 0
    else:
        training = bool(extra)  # these opsets tell the mode by the number of outputs
    if training:
        return Refusal(
            "training-mode",
            "it normalises with the statistics of the batch it is given",
            advice="export in inference mode (model.eval()); or --repair inference, which uses "
            "the stored statistics",
        )
    if any(map(is_read, extra)):
        return Refusal("training-outputs", "its training outputs are read")
    return None


def _per_channel(node: ir.Node, parameter: Array, rank: int, facts: Facts) -> Array | Refusal:
    """The parameter as `[C]`: spatial = 0, before opset 9, has one number for each position.

    With two axes positions are channels; and maps that are equal at all positions are per channel.
    """
    opset = node.version or facts.opset()
    if opset >= _SPATIAL_UNTIL or attribute_of(node, "spatial", 1) != 0 or rank == 2:
        return parameter.reshape(-1)
    if parameter.ndim == 1:
        return Refusal(
            "not-spatial",
            "spatial = 0 with one number for each channel is no valid model",
            advice="the exporter meant spatial = 1: --repair spatial",
        )
    by_channel = parameter.reshape(parameter.shape[0], -1)
    if np.any(by_channel != by_channel[:, :1]):
        return Refusal("not-spatial", "spatial = 0 normalises each position by itself")
    return np.array(by_channel[:, 0])


def _normalised(
    node: ir.Node, parameters: list[Array], rank: int, facts: Facts
) -> Source | Refusal:
    gamma, beta, mean, variance = parameters
    epsilon = float(attribute_of(node, "epsilon", np.float32(1e-5)))
    spread = node.inputs[4]
    halves = spread is not None and facts.dtype(spread) == ir.DataType.FLOAT16
    if halves and epsilon != 0 and np.float16(epsilon) == 0:
        return Refusal(
            "epsilon-underflow",
            f"its epsilon {epsilon:g} is 0 in float16, so runtimes disagree on what it computes",
            advice="choose an epsilon that float16 can hold (6e-8 or more)",
        )
    if not all(np.isfinite(p).all() for p in parameters):
        return Refusal("not-finite", "its parameters contain NaN or infinity")
    if (variance + epsilon <= 0).any():
        return Refusal("variance-not-positive", "variance + epsilon is not positive")
    scale = gamma / np.sqrt(variance + epsilon)
    shift = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return Refusal("not-finite", "its scale or shift is not finite")
    return Source(node, 0, along(1, rank, scale, shift))


def _arithmetic(node: ir.Node, facts: Facts) -> Source | None:
    first, second = (_constant(value, facts) for value in node.inputs)
    if (first is None) == (second is None):
        return None
    index = 0 if first is None else 1
    x, constant = node.inputs[index], first if second is None else second
    dims = facts.dims(x)
    if constant is None or dims is None or constant.dtype.kind != "f":
        return None
    if constant.ndim > len(dims) or all(facts.dtype(v) is None for v in node.inputs if v):
        return None
    if "axis" in node.attributes:  # opset 6 names the axis where the constant begins
        behind = len(dims) - attribute_of(node, "axis", 0) % len(dims) - constant.ndim
        constant = constant.reshape(constant.shape + (1,) * max(0, behind))
    c = constant.reshape((1,) * (len(dims) - constant.ndim) + constant.shape)
    affine = _constant_affine(op_of(node), c, x_is_first=index == 0)
    if affine is None or not affine.fits(dims) or sum(e > 1 for e in affine.extents) > 1:
        return None
    return Source(node, index, affine)


def _constant(value: ir.Value | None, facts: Facts) -> Array | None:
    constant = facts.constant(value)
    return facts.dequantized(value) if constant is None else constant


def _constant_affine(op: str, c: Array, *, x_is_first: bool) -> Affine | None:
    one, zero = np.ones_like(c), np.zeros_like(c)
    if not np.all(np.isfinite(c)):
        return None
    if op == "Mul":
        return Affine(c, zero)
    if op == "Div":
        with np.errstate(all="ignore"):
            scale = 1 / c
        return Affine(scale, zero) if x_is_first and np.all(np.isfinite(scale)) else None
    if op == "Add":
        return Affine(one, c)
    return Affine(one, -c) if x_is_first else Affine(-one, c)
