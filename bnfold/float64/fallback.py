"""Operators outside the table: the ONNX project's own Python reference, fed with float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnx_ir as ir

from bnfold.float64.call import (
    FLOAT64,
    FLOAT_DTYPES,
    Array,
    Call,
    UnsupportedOperatorError,
    tensor_value,
    to_float64,
)

_CHOOSE_DTYPE = ("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix")
RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)


_UNKNOWN = (
    NotImplementedError,
    RuntimeError,
    AttributeError,
    KeyError,
    TypeError,
    ImportError,
)


def run(call: Call, domain: str) -> Sequence[Array]:
    """The operator's outputs by `onnx.reference`, which must not round them on the way.

    Raises:
        UnsupportedOperatorError: It is random, unknown there too, or computed in less than float64.
    """
    name = f"{domain}.{call.op_type}" if domain else call.op_type
    if call.op_type in RANDOM:
        raise UnsupportedOperatorError(f"{name} draws random numbers: it has no one value")
    from onnx.reference import ReferenceEvaluator

    feeds = {f"x{i}": x for i, x in enumerate(call.inputs) if x is not None}
    try:
        evaluator = ReferenceEvaluator(_one_node_model(call, domain))
        outputs: Any = evaluator.run(None, feeds)
    except _UNKNOWN as error:
        raise UnsupportedOperatorError(
            f"{name} (opset {call.opset}) is not known to the float64 reference: {error}"
        ) from error
    for y in outputs:
        if isinstance(y, np.ndarray) and y.dtype in FLOAT_DTYPES and y.dtype != FLOAT64:
            raise UnsupportedOperatorError(f"{name} is known only in {y.dtype}, not in float64")
    return list(outputs)


def _one_node_model(call: Call, domain: str) -> onnx.ModelProto:
    present = [f"x{i}" if x is not None else "" for i, x in enumerate(call.inputs)]
    outputs = [f"y{i}" for i in range(call.n_outputs)]
    attributes: dict[str, Any] = {
        name: _attribute(value) for name, value in call.attributes.items()
    }
    if call.op_type in _CHOOSE_DTYPE:
        attributes["output_datatype"] = onnx.TensorProto.DOUBLE
    node = onnx.helper.make_node(call.op_type, present, outputs, domain=domain, **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "operator",
        [_input(name, x) for name, x in zip(present, call.inputs, strict=True) if x is not None],
        [onnx.ValueInfoProto(name=name) for name in outputs],
    )
    opsets = [onnx.helper.make_opsetid(domain, call.opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets)


def _input(name: str, x: object) -> onnx.ValueInfoProto:
    if not isinstance(x, np.ndarray):
        return onnx.ValueInfoProto(name=name)  # a sequence
    elem_type = ir.DataType.from_numpy(x.dtype).value
    return onnx.helper.make_tensor_value_info(name, elem_type, x.shape)


def _attribute(value: object) -> object:
    if isinstance(value, ir.TensorProtocol | onnx.TensorProto | np.ndarray):
        return ir.to_proto(ir.tensor(to_float64(tensor_value(value))))
    if isinstance(value, ir.Graph):
        raise NotImplementedError("subgraphs are run by run_graph only")
    return value
