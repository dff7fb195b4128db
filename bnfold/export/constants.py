"""Evaluates what an exporter leaves to compute though it is constant.

    Shape(weight), Shape(x) where the dimensions asked for are fixed, CastLike(0, x), Expand(0, [9])

and anything computed from these: each becomes an initializer, and a bias that is nothing but such
computed zeros is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Array = NDArray[Any]

FOLDABLE = frozenset(
    {
        *("Cast", "Concat", "ConstantOfShape", "Expand", "Flatten", "Gather", "Identity", "Range"),
        *("Reshape", "Size", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
        *(
            "Abs",
            "Add",
            "Ceil",
            "Clip",
            "Div",
            "Exp",
            "Floor",
            "Log",
            "MatMul",
            "Max",
            "Min",
            "Mod",
        ),
        *("Mod", "Mul", "Neg", "Pow", "Reciprocal", "Sign", "Sqrt", "Sub"),
        *("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Where"),
        *("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
        "ReduceSumSquare",
    }
)
LARGEST_GROWTH_BYTES = 2**20  # a mask made by Expand is better computed than stored


def fold_constants(model: ir.Model) -> None:
    """No node of the model computes something that is known before it runs."""
    opset = model.opset_imports[""]
    known: dict[ir.Value, Array] = {}
    folded: list[ir.Node] = []
    for node in model.graph.all_nodes():
        array = _evaluated(node, known, opset)
        if array is not None and not node.outputs[0].is_graph_output():
            known[node.outputs[0]] = array
            folded.append(node)
    _drop_zero_biases(model, known)
    for node in folded:
        _replace(node, known)
    for node in reversed(folded):
        assert node.graph is not None
        node.graph.remove(node, safe=True)


def _evaluated(node: ir.Node, known: dict[ir.Value, Array], opset: int) -> Array | None:
    """What the node gives whenever it runs, or None if that depends on the run."""
    if node.domain or len(node.outputs) != 1:
        return None
    if node.op_type == "Constant":
        tensor = ir.convenience.get_const_tensor(node.outputs[0])
        return None if tensor is None else tensor.numpy()
    if node.op_type == "Shape":
        return _static_shape(node)
    inputs = [_constant_of(value, known) for value in node.inputs]
    if node.op_type == "CastLike" and inputs[0] is not None:
        like = node.inputs[1]
        return None if like is None or like.dtype is None else inputs[0].astype(like.dtype.numpy())
    if node.op_type not in FOLDABLE or any(
        array is None and value is not None
        for array, value in zip(inputs, node.inputs, strict=True)
    ):
        return None
    return _computed(node, inputs, opset)


def _constant_of(value: ir.Value | None, known: dict[ir.Value, Array]) -> Array | None:
    if value is None:
        return None
    if value in known:
        return known[value]
    if value.is_initializer() and not value.is_graph_input() and value.const_value is not None:
        return value.const_value.numpy()
    return None


def _static_shape(node: ir.Node) -> Array | None:
    """The dimensions that a Shape node asks for, when all of them are fixed."""
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    start = node.attributes["start"].as_int() if "start" in node.attributes else None
    end = node.attributes["end"].as_int() if "end" in node.attributes else None
    dims = list(value.shape)[start:end]  # ONNX clamps and counts from the end as Python does
    if not all(isinstance(dim, int) for dim in dims):
        return None
    return np.array(dims, dtype=np.int64)


def _computed(node: ir.Node, inputs: list[Array | None], opset: int) -> Array | None:
    from onnx.reference import ReferenceEvaluator

    feeds = {
        str(value.name): array
        for value, array in zip(node.inputs, inputs, strict=True)
        if value is not None
    }
    if any(array.dtype.kind == "V" for array in feeds.values() if array is not None):
        return None  # bfloat16 and smaller: the evaluator has no numpy arithmetic for them
    evaluator = ReferenceEvaluator(ir.serde.serialize_node(node), opsets={"": opset})
    with np.errstate(all="ignore"):
        outputs: Any = evaluator.run(None, feeds)
    result = np.asarray(outputs[0])
    given = sum(array.nbytes for array in inputs if array is not None)
    return result if result.nbytes <= given + LARGEST_GROWTH_BYTES else None


def _drop_zero_biases(model: ir.Model, known: dict[ir.Value, Array]) -> None:
    for node in model.graph.all_nodes():
        if node.op_type not in ("Conv", "ConvTranspose") or node.domain or len(node.inputs) < 3:
            continue
        bias = node.inputs[2]
        if bias in known and not known[bias].any():
            node.resize_inputs(2)


def _replace(node: ir.Node, known: dict[ir.Value, Array]) -> None:
    """Readers of the folded node's output read an initializer instead."""
    output = node.outputs[0]
    readers = [usage for usage in output.uses() if usage.node.outputs[0] not in known]
    if not readers:
        return
    assert node.graph is not None
    array = known[output]
    constant = ir.Value(
        name=output.name,
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        shape=ir.Shape(array.shape),
        const_value=ir.tensor(np.array(array), name=output.name),
    )
    output.name = None  # the name is the initializer's now
    node.graph.initializers.add(constant)
    for usage in readers:
        usage.node.replace_input_with(usage.idx, constant)
