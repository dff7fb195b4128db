"""Stored tensors: a dtype, a shape, and as much data as they say, where it belongs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.model_io.gate.text import quoted, require_metadata, require_text
from bnfold.model_io.gate.types import DTYPES, MOST_AXES

_LARGEST = (1 << 63) - 1  # bytes; NumPy counts them in 64 bits, leaving zeros in the shape aside
_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
_OWN_FIELD: Mapping[int, str] = {
    onnx.TensorProto.FLOAT: "float_data",
    onnx.TensorProto.COMPLEX64: "float_data",
    onnx.TensorProto.DOUBLE: "double_data",
    onnx.TensorProto.COMPLEX128: "double_data",
    onnx.TensorProto.INT64: "int64_data",
    onnx.TensorProto.UINT32: "uint64_data",
    onnx.TensorProto.UINT64: "uint64_data",
    onnx.TensorProto.STRING: "string_data",
}  # all others: int32_data


def require_tensor(tensor: onnx.TensorProto, where: str, *, may_be_external: bool = True) -> None:
    """Returns where the tensor is what it says; its data is counted and not read.

    Args:
        tensor: of an initializer or an attribute.
        where: it stands.
        may_be_external: whether it is looked for in files later; it is not in lists of tensors.

    Raises:
        ModelError: It is not.
    """
    label = f"{where}: tensor {quoted(tensor.name)}"
    require_text(label, "the name or documentation", tensor.name, tensor.doc_string)
    require_metadata(label, tensor.metadata_props)
    if tensor.data_type not in DTYPES:
        raise ModelError(f"{label} has the unknown data type {tensor.data_type}")
    dtype = ir.DataType(tensor.data_type)
    if dtype == ir.DataType.UNDEFINED:
        raise ModelError(f"{label} has no data type")
    if tensor.HasField("segment"):
        raise ModelError(f"{label} is stored in segments, which are not supported")
    _require_shape(tensor, dtype, label)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _require_reference(tensor, label, may_be_external)
    elif tensor.data_location != onnx.TensorProto.DEFAULT or tensor.external_data:
        raise ModelError(f"{label} names an external file, but is not stored in one")
    else:
        _require_data(tensor, dtype, label)


def _require_shape(tensor: onnx.TensorProto, dtype: ir.DataType, label: str) -> None:
    if len(tensor.dims) > MOST_AXES:
        raise ModelError(
            f"{label} has {len(tensor.dims)} axes; {MOST_AXES} are the most that it can have"
        )
    if any(n < 0 for n in tensor.dims):
        raise ModelError(f"{label} has the negative shape {list(tensor.dims)}")
    width = max(dtype.bitwidth, 8) if dtype != ir.DataType.STRING else 64
    if math.prod(n for n in tensor.dims if n) * width > 8 * _LARGEST:
        raise ModelError(f"{label} has the shape {list(tensor.dims)}, too large for any memory")


def _require_reference(tensor: onnx.TensorProto, label: str, may_be_external: bool) -> None:
    if tensor.data_type == onnx.TensorProto.STRING:
        raise ModelError(f"{label} is text in an external file, which ONNX does not have")
    if not may_be_external:
        raise ModelError(f"{label} is external, which only initializers and single tensors may be")
    if tensor.HasField("raw_data") or any(getattr(tensor, field) for field in _FIELDS):
        raise ModelError(f"{label} is stored in the model and in an external file")
    entries = [(entry.key, entry.value) for entry in tensor.external_data]
    for key, value in entries:
        require_text(label, "the external data", key, value)
        if key in ("offset", "length") and not (value.isascii() and value.isdecimal()):
            raise ModelError(f"{label} has the {key} {quoted(value)}, which is no number of bytes")
        if key in ("offset", "length") and int(value[:20]) > _LARGEST:
            raise ModelError(f"{label} has the {key} {quoted(value)}, which no file has")
    keys = [key for key, _ in entries]
    if "location" not in keys:
        raise ModelError(f"{label} is in an external file that it does not name")
    if len(set(keys)) < len(keys):
        raise ModelError(f"{label} says twice where its external data is")


def _require_data(tensor: onnx.TensorProto, dtype: ir.DataType, label: str) -> None:
    own = _OWN_FIELD.get(tensor.data_type, "int32_data")
    if tensor.HasField("raw_data"):
        if dtype == ir.DataType.STRING:
            raise ModelError(f"{label} is text, stored as raw data")
        own = ""
    filled = [field for field in _FIELDS if field != own and len(getattr(tensor, field))]
    if filled:
        raise ModelError(f"{label} of type {dtype.name} has data in {filled[0]} too, or instead")
    size = math.prod(tensor.dims)
    if own:
        found, needed = len(getattr(tensor, own)), _items(size, dtype)
    else:
        found, needed = len(tensor.raw_data), -(-size * dtype.bitwidth // 8)
    if found != needed:
        raise ModelError(f"{label} of shape {list(tensor.dims)} holds {found} items, not {needed}")


def _items(size: int, dtype: ir.DataType) -> int:
    if dtype in (ir.DataType.COMPLEX64, ir.DataType.COMPLEX128):
        return 2 * size
    if dtype != ir.DataType.STRING and dtype.bitwidth in (2, 4):  # several to an item
        return -(-size * dtype.bitwidth // 8)
    return size
