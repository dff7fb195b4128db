"""One node in the graph's own types, within a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.float64.call import Array, Call
from bnfold.float64.operators import count_outputs
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.inference import NotInferredError, infer_shapes
from bnfold.typed import typed_exact, typed_session, typed_sizes
from bnfold.typed.errors import ConstantError

# What onnxruntime is asked for: always the same for the same inputs, no subgraphs, no strings.
RUNTIME_OPERATORS = frozenset(
    "Abs Acos Acosh Add ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization "
    "BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu "
    "CenterCropPad Clip Conv ConvInteger ConvTranspose Cos Cosh CumSum DequantizeLinear "
    "DynamicQuantizeLinear Einsum Elu Erf Exp GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool "
    "GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax "
    "InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization LpPool "
    "MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod PRelu Pow "
    "QLinearConv QLinearMatMul QuantizeLinear RMSNormalization Range Reciprocal ReduceL1 ReduceL2 "
    "ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare Relu Resize ReverseSequence ScatterElements ScatterND Selu Shrink Sigmoid "
    "Sign Sin Sinh Softmax Softplus Softsign Sub Sum Tan Tanh ThresholdedRelu TopK Unique "
    "Upsample".split()
)
_SIZE_BY_VALUES = frozenset(("Unique",))  # open to shape inference, never more than the inputs
_REFUSED = (ValueError, TypeError, LookupError, ArithmeticError, ModelError)


@dataclass(frozen=True)
class ConstantBudget:
    """What constants may cost.

    Attributes:
        elements: of the outputs of one node.
        products: that one node sums up in them.
        total: elements of all nodes that one `TypedConstants` computes, again where it must.
    """

    elements: int = 1 << 24
    products: int = 1 << 30
    total: int = 1 << 27


def run_typed_node(
    node: ir.Node,
    inputs: Sequence[Array | None],
    *,
    opset: int,
    budget: ConstantBudget | None = None,
) -> list[Array]:
    """The outputs of a node for inputs in the graph's types: what onnxruntime gives on a CPU.

    Operators that IEEE 754 leaves no freedom in are computed by numpy, the others by onnxruntime
    itself with optimisations off; the tests hold the two equal to the last bit. In float16, where
    onnxruntime has few kernels, each operator is computed in float32 and rounded; what becomes of
    two in a row is for `TypedConstants` to say.

    Args:
        node: without subgraphs; its attributes are its own (none refers to a function's).
        inputs: in the dtypes that the graph stores; None where an optional input is left out.
        opset: of the node's domain.
        budget: what the node may cost; nothing larger is allocated on the way.

    Raises:
        ConstantError: The node is not computed; `cause` is never `run-time`.
    """
    limits = budget or ConstantBudget()
    where = f"{node.op_type} {node.name!r}"
    if node.domain not in DEFAULT_DOMAINS:
        raise ConstantError("unsupported", f"{where}: only ONNX's own operators are computed")
    if any(x is not None and x.dtype.kind not in "fiubV" for x in inputs):
        raise ConstantError("unsupported", f"{where}: only numbers are computed")
    try:
        call = _call(node, inputs, opset)
        operator = typed_exact.operator_for(call)
        if operator is None:
            return _in_runtime(node, call, limits)
        grows = typed_sizes.GROWING.get(node.op_type, typed_sizes.broadcast)
        if node.op_type not in typed_exact.COPIES or node.op_type in typed_sizes.GROWING:
            _require("numbers", grows(call), limits.elements)
        with np.errstate(all="ignore"):
            result = operator(call)
    except ConstantError as error:
        raise ConstantError(error.cause, f"{where}: {error}") from error
    except _REFUSED as error:
        raise ConstantError("invalid", f"{where} cannot be computed: {error}") from error
    return [np.asarray(y) for y in (result if isinstance(result, list | tuple) else [result])]


def _call(node: ir.Node, inputs: Sequence[Array | None], opset: int) -> Call:
    return Call(
        op_type=node.op_type,
        inputs=inputs,
        attributes={name: a.value for name, a in node.attributes.items()},
        opset=opset,
        n_outputs=count_outputs(node),
        round_casts=True,
        output_dtype=None,
        widen=False,
    )


def _require(what: str, amount: int, limit: int) -> None:
    if amount > limit:
        raise ConstantError("budget", f"it would take {amount:,} {what}, over {limit:,}")


def _in_runtime(node: ir.Node, call: Call, limits: ConstantBudget) -> list[Array]:
    inputs = call.inputs
    if node.op_type not in RUNTIME_OPERATORS:
        raise ConstantError("unsupported", "the operator is not computed ahead of time")
    if any(x is not None and x.ndim and not x.size for x in inputs[:1]):
        raise ConstantError("unsupported", "an input without elements is left to the runtime")
    feeds = {f"x{i}": x for i, x in enumerate(inputs) if x is not None}
    step = typed_session.Step(
        op_type=node.op_type,
        domain="",
        attributes=list(node.attributes.values()),
        inputs=[f"x{i}" if x is not None else "" for i, x in enumerate(inputs)],
        outputs=[f"y{i}" if v.name != "" else "" for i, v in enumerate(node.outputs)],
    )
    model = typed_session.build([step], feeds, {"": call.opset})
    wanted = _infer(model, step, call, limits)
    found = iter(typed_session.run(model, feeds, wanted))
    return [next(found) if name in wanted else np.zeros(0) for name in step.outputs]


def _infer(
    model: onnx.ModelProto, step: typed_session.Step, call: Call, limits: ConstantBudget
) -> Mapping[str, np.dtype[Any]]:
    """The dtypes of the outputs, whose sizes are known beforehand and within the budget."""
    try:
        inferred = infer_shapes(model)
    except NotInferredError as error:
        raise ConstantError("invalid", str(error)) from error
    known = {info.name: info.type.tensor_type for info in inferred.graph.value_info}
    wanted = {}
    for name in filter(None, step.outputs):
        kind = known.get(name)
        if kind is None or not kind.elem_type:
            raise ConstantError("unsupported", "the type of its output is not known beforehand")
        made = math.prod(d.dim_value for d in kind.shape.dim)
        if any(not d.HasField("dim_value") for d in kind.shape.dim) or not kind.HasField("shape"):
            if step.op_type not in _SIZE_BY_VALUES:
                raise ConstantError("unsupported", "the size of its output is not known beforehand")
            made = call[0].size
        if not made:
            raise ConstantError("unsupported", "an output without elements is left to the runtime")
        _require("numbers", made, limits.elements)
        _require("multiplications", typed_sizes.products(call, made), limits.products)
        wanted[name] = ir.DataType(kind.elem_type).numpy()
    return wanted
