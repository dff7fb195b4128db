"""The table of operators, and the two ways to run one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.float64 import (
    cast,
    contributed,
    conv,
    elementwise,
    fallback,
    indexing,
    linear,
    logic,
    norm,
    pad,
    pool,
    quant,
    recurrent,
    reduce,
    resize,
    roi,
    sample,
    shape,
    softmax,
)
from bnfold.float64.call import Array, Call, Operator
from bnfold.runtime.domains import DEFAULT_DOMAINS

_FAMILIES = (
    cast,
    conv,
    elementwise,
    indexing,
    linear,
    logic,
    norm,
    pad,
    pool,
    quant,
    recurrent,
    reduce,
    resize,
    roi,
    sample,
    shape,
    softmax,
)
OPERATORS: Mapping[str, Operator] = {
    name: operator for family in _FAMILIES for name, operator in family.OPERATORS.items()
}
_CONTRIBUTED = ("DequantizeLinear", "Gelu", "QuantizeLinear")  # com.microsoft, same meaning
_MICROSOFT = "com.microsoft"


def run_op(
    op_type: str,
    inputs: Sequence[Array | None],
    attributes: Mapping[str, object],
    *,
    opset: int,
    n_outputs: int = 1,
    domain: str = "",
    round_casts: bool = False,
    output_dtype: np.dtype[Any] | None = None,
) -> list[Array]:
    """The outputs of an operator; everything floating is float64.

    Args:
        op_type: the operator's ONNX name.
        inputs: arrays of any ONNX dtype; None where an optional input is left out.
        attributes: Python values; tensors as arrays, onnx_ir tensors or TensorProtos.
        opset: of the operator's domain.
        n_outputs: how many outputs the node has; it decides what old batch norms and Split do.
        domain: the operator's domain.
        round_casts: Cast and CastLike to a float dtype round to it, as a runtime would.
        output_dtype: what CastLike casts to where the dtype of its second input, which may
            already be held in float64, does not tell.

    Raises:
        UnsupportedOperatorError: The operator, or this form of it, is not known.
    """
    call = Call(
        op_type=op_type,
        inputs=inputs,
        attributes=attributes,
        opset=opset,
        n_outputs=n_outputs,
        round_casts=round_casts,
        output_dtype=output_dtype,
    )
    known = domain in DEFAULT_DOMAINS or (domain == _MICROSOFT and op_type in _CONTRIBUTED)
    operator = OPERATORS.get(op_type) if known else None
    operator = (
        contributed.OPERATORS.get(op_type) if domain == _MICROSOFT and not known else operator
    )
    with np.errstate(all="ignore"):
        result = operator(call) if operator else fallback.run(call, domain)
    if isinstance(result, np.ndarray | np.generic):
        return [np.asarray(result)]
    return [np.asarray(y) if isinstance(y, np.generic) else y for y in result]


def count_outputs(node: ir.Node) -> int:
    """How many outputs the node has, without those left out at the end."""
    used = [i for i, output in enumerate(node.outputs, start=1) if output.name != ""]
    return max(used, default=0)


def run_node(
    node: ir.Node,
    inputs: Sequence[Array | None],
    *,
    opset: int,
    attributes: Mapping[str, object] | None = None,
    round_casts: bool = False,
) -> list[Array]:
    """The outputs of a node without subgraphs, in float64; `attributes` override the node's own.

    Raises:
        UnsupportedOperatorError: The operator, or this form of it, is not known.
    """
    values: dict[str, object] = {name: a.value for name, a in node.attributes.items()}
    if attributes:
        values.update(attributes)
    output = node.outputs[0] if node.outputs else None
    dtype = output.dtype if output is not None and node.op_type == "CastLike" else None
    return run_op(
        node.op_type,
        inputs,
        values,
        opset=opset,
        n_outputs=count_outputs(node),
        domain=node.domain,
        round_casts=round_casts,
        output_dtype=None if dtype is None else dtype.numpy(),
    )
