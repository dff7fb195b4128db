"""Models that go to another process: their bytes, and what files do not say."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from bnfold.model_io.layout import Layout
from bnfold.model_io.loading import HAD_EXTERNAL_DATA, load
from bnfold.model_io.saving import to_proto

Packed = tuple[bytes, Layout | None]


def packed(model: ir.Model) -> Packed:
    """All of the model, ready to be pickled.

    Raises:
        ModelError: It passes 2 GiB; the message says to save it.
    """
    data = to_proto(model).SerializeToString(deterministic=True)
    return bytes(data), model.graph.meta.get(HAD_EXTERNAL_DATA)


def unpacked(state: Packed) -> ir.Model:
    """The model again; it is saved with external data if it was loaded with some."""
    data, layout = state
    model = load(onnx.ModelProto.FromString(data))
    if layout is not None:
        model.graph.meta[HAD_EXTERNAL_DATA] = layout
    return model
