"""A model without its large tensors: small enough to serialize, complete but for references."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.model_io.loading import LARGE_BYTES, LISTED_VALUES, root_cause

MARK = ":stand-in:"  # the location of a tensor whose bytes come while writing


@dataclass(frozen=True)
class Skeleton:
    """A model whose `tensors` are only referred to, each by its position."""

    proto: onnx.ModelProto
    tensors: list[ir.TensorProtocol]

    def size_bytes(self) -> int:
        """About the size of the model with its tensors."""
        return sum(tensor.nbytes for tensor in self.tensors) + int(self.proto.ByteSize())


def take_out(model: ir.Model, least_bytes: int = LARGE_BYTES) -> Skeleton:
    """The model with all tensors that are large, lazy or in files taken out.

    They are taken out of a clone, so that the model may be read by others meanwhile.

    Args:
        model: is only read.
        least_bytes: of what is large.

    Raises:
        ModelError: a function has initializers, which no file can hold.
    """
    for function in model.functions.values():
        if function.graph.initializers:
            names = sorted(function.graph.initializers)
            raise ModelError(f"function {function.name!r} has initializers {names}: no file can")
    clone = model.clone()
    tensors: list[ir.TensorProtocol] = []
    seen: set[int] = set()
    for graph in walk.bodies(clone):
        for value in graph.initializers.values():
            tensor = value.const_value
            if tensor is None:
                continue
            if _is_taken_out(tensor, least_bytes):
                value.const_value = _stand_in(tensor, len(tensors))
                tensors.append(tensor)
            elif id(tensor) in seen:  # serializing names a tensor, and this one has two names
                value.const_value = copy.copy(tensor)
            seen.add(id(tensor))
        for node in graph:
            for name, attribute in list(node.attributes.items()):
                if attribute.type != ir.AttributeType.TENSOR or attribute.value is None:
                    continue
                tensor = attribute.as_tensor()
                if _is_taken_out(tensor, least_bytes):
                    node.attributes[name] = ir.AttrTensor(
                        name, _stand_in(tensor, len(tensors)), doc_string=attribute.doc_string
                    )
                    tensors.append(tensor)
    try:
        proto = ir.to_proto(clone)
    except (ir.serde.SerdeError, ValueError, TypeError) as error:
        raise ModelError(f"the model cannot be written: {root_cause(error)}") from error
    _drop_what_serializing_adds(clone, proto)
    return Skeleton(proto, tensors)


def _is_taken_out(tensor: ir.TensorProtocol, least_bytes: int) -> bool:
    if isinstance(tensor, ir.ExternalTensor | ir.LazyTensor):
        return True
    if tensor.dtype == ir.DataType.STRING:
        return False
    return tensor.nbytes >= least_bytes


def _stand_in(tensor: ir.TensorProtocol, position: int) -> ir.TensorProtoTensor:
    proto = onnx.TensorProto(
        name=tensor.name or "",
        doc_string=tensor.doc_string or None,
        data_type=tensor.dtype.value,
        dims=tensor.shape.numpy(),
        data_location=onnx.TensorProto.EXTERNAL,
    )
    proto.external_data.add(key="location", value=f"{MARK}{position}")
    for key, value in tensor.metadata_props.items():
        proto.metadata_props.add(key=key, value=value)
    return ir.TensorProtoTensor(proto)


def _drop_what_serializing_adds(model: ir.Model, proto: onnx.ModelProto) -> None:
    """Removes types of initializers, which they tell themselves, and doubled tensor metadata."""
    listed = model.graph.meta.get(LISTED_VALUES, frozenset())
    for graph in walk.graphs(proto):
        implied = {tensor.name for tensor in graph.initializer} - listed
        kept = [info for info in graph.value_info if info.name not in implied]
        if len(kept) < len(graph.value_info):
            del graph.value_info[:]
            graph.value_info.extend(kept)
    for tensor in walk.tensors(proto):
        entries = {entry.key: entry.value for entry in tensor.metadata_props}
        if len(entries) < len(tensor.metadata_props):
            del tensor.metadata_props[:]
            for key, value in entries.items():
                tensor.metadata_props.add(key=key, value=value)


def position_of(proto: onnx.TensorProto) -> int | None:
    """Which of the skeleton's tensors a TensorProto stands for, if it does."""
    for entry in proto.external_data:
        if entry.key == "location" and entry.value.startswith(MARK):
            return int(entry.value[len(MARK) :])
    return None


def remove_reference(proto: onnx.TensorProto) -> None:
    """Makes a TensorProto ready to hold data itself."""
    proto.ClearField("external_data")
    proto.ClearField("data_location")
