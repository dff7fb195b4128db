"""A few nodes in onnxruntime: one session, optimisations off, one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from bnfold.float64.call import FLOAT_DTYPES, Array
from bnfold.runtime import engine
from bnfold.runtime.empty_ends import without_empty_ends
from bnfold.typed.errors import ConstantError

_INLINE_ELEMENTS = 1024  # a smaller input goes into the model, where shape inference reads it
_IR_VERSION = 10
_SETTING = engine.Setting(level="none", for_values=True)
_FEEDABLE = frozenset(np.dtype(t) for t in (np.float16, np.float32, np.float64, np.bool_)) | {
    np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class Step:
    """A node whose values have names of our own; '' is an input or output that is left out."""

    op_type: str
    domain: str
    attributes: Sequence[ir.Attr]
    inputs: Sequence[str]
    outputs: Sequence[str]


def build(
    steps: Sequence[Step], feeds: Mapping[str, Array], opsets: Mapping[str, int]
) -> onnx.ModelProto:
    """A model of these steps that returns nothing yet; small and exotic inputs are stored in it."""
    graph = onnx.GraphProto(name="constants")
    for step in steps:
        node = graph.node.add(op_type=step.op_type, domain=step.domain)
        node.input.extend(step.inputs)
        node.output.extend(step.outputs)
        node.attribute.extend(ir.serde.serialize_attribute(a) for a in step.attributes)
    for name, array in feeds.items():
        if is_stored(array):
            graph.initializer.append(ir.serde.serialize_tensor(ir.tensor(array, name=name)))
        else:
            code = ir.DataType.from_numpy(array.dtype).value
            graph.input.append(onnx.helper.make_tensor_value_info(name, code, array.shape))
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=_IR_VERSION)


def is_stored(array: Array) -> bool:
    """Whether `build` puts the array into the model instead of asking for it."""
    return array.size <= _INLINE_ELEMENTS or array.dtype not in _FEEDABLE


def run(
    model: onnx.ModelProto, feeds: Mapping[str, Array], wanted: Mapping[str, np.dtype[Any]]
) -> list[Array]:
    """The wanted tensors of a model made by `build`, in their own dtypes.

    A dtype that numpy has no name for leaves the runtime in a wider one, which is exact.

    Raises:
        ConstantError: onnxruntime does not know an operator in this form, or its inputs do not fit.
    """
    for name, dtype in wanted.items():
        _return(model.graph, name, dtype)
    given = {name: a for name, a in feeds.items() if not is_stored(a)}
    names = [output.name for output in model.graph.output]
    try:
        source = without_empty_ends(model.SerializeToString())
        session = engine.open_session(source, _SETTING, name="constants")
        arrays = engine.run(session, given, names, name="constants")
    except engine.UnsupportedError as error:
        raise ConstantError("unsupported", str(error)) from error
    except engine.EngineError as error:
        raise ConstantError("invalid", str(error)) from error
    return [np.asarray(a).astype(t) for a, t in zip(arrays, wanted.values(), strict=True)]


def _return(graph: onnx.GraphProto, name: str, dtype: np.dtype[Any]) -> None:
    if dtype in _FEEDABLE:
        graph.output.add(name=name)
        return
    wider = onnx.TensorProto.FLOAT if dtype in FLOAT_DTYPES else onnx.TensorProto.INT32
    graph.node.append(onnx.helper.make_node("Cast", [name], [f"{name}_wide"], to=wider))
    graph.output.add(name=f"{name}_wide")
