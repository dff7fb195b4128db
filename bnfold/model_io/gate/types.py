"""Types that values are declared with."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.model_io.gate.text import quoted, require_metadata, require_text

MOST_AXES = 64  # that a NumPy array can have
DTYPES = frozenset(dtype.value for dtype in ir.DataType)


def require_value_info(info: onnx.ValueInfoProto, where: str) -> None:
    """Returns where the declared type can be held and written back.

    Raises:
        ModelError: It cannot.
    """
    require_text(where, "the name or the documentation of a value", info.name, info.doc_string)
    require_metadata(where, info.metadata_props)
    if info.HasField("type"):
        require_type(info.type, f"{where}: the type of {quoted(info.name)}")


def require_type(proto: onnx.TypeProto, where: str) -> None:
    """The type is a tensor, or a sequence or an optional of one.

    Raises:
        ModelError: it is something else, or nothing of that kind that can be kept.
    """
    kind = proto.WhichOneof("value")
    while kind in ("sequence_type", "optional_type"):
        require_text(where, "the denotation", proto.denotation)
        proto = getattr(proto, str(kind)).elem_type
        kind = proto.WhichOneof("value")
    if kind in ("map_type", "opaque_type"):
        raise ModelError(f"{where} is a {kind}, which would be lost")
    if kind is None:
        return
    tensor = proto.tensor_type if kind == "tensor_type" else proto.sparse_tensor_type
    require_text(where, "the denotation", proto.denotation)
    if tensor.elem_type not in DTYPES:
        raise ModelError(f"{where} has the unknown data type {tensor.elem_type}")
    if len(tensor.shape.dim) > MOST_AXES:
        raise ModelError(
            f"{where} has {len(tensor.shape.dim)} axes; {MOST_AXES} are the most that it can have"
        )
    for dim in tensor.shape.dim:
        require_text(where, "a dimension", dim.dim_param, dim.denotation)
