"""Models that go to another process: their bytes, and what files do not say."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from bnfold.model_io.loading import HAD_EXTERNAL_DATA, load
from bnfold.model_io.saving import to_proto

Packed = tuple[bytes, bool]


def packed(model: ir.Model) -> Packed:
    """All of the model, ready to be pickled.

    Raises:
        ModelError: It passes 2 GiB; the message says to save it.
    """
    data = to_proto(model).SerializeToString(deterministic=True)
    return bytes(data), HAD_EXTERNAL_DATA in model.graph.meta


def unpacked(state: Packed) -> ir.Model:
    """The model again; it is saved with external data if it was loaded with some."""
    data, had_external_data = state
    model = load(onnx.ModelProto.FromString(data))
    if had_external_data:
        model.graph.meta[HAD_EXTERNAL_DATA] = True
    return model
