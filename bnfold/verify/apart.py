"""A graph without its large weights, which a session is given as they lie in memory.

The bytes of a graph that was changed would hold all of its weights once more, and onnxruntime
again when it reads them. So the large ones are named as data beside the graph, of a file that there
is not, and handed over as arrays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir

from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, Session
from bnfold.runtime.signature import Array

LARGE = 1 << 16
"""Bytes from which on a weight stands apart."""

_FILE = "apart"

_PLAIN = frozenset(
    {ir.DataType.DOUBLE, ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.INT8}
    | {ir.DataType.UINT8}
)


def set_apart(model: ir.Model) -> Mapping[str, ir.TensorProtocol]:
    """The graph, changed: its large weights are elsewhere; they are returned, by name."""
    weights = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or value.is_graph_input() or value.is_graph_output():
            continue
        if tensor.nbytes < LARGE or tensor.dtype not in _PLAIN:
            continue
        weights[name] = tensor
        value.const_value = ir.ExternalTensor(
            _FILE,
            0,
            tensor.nbytes,
            tensor.dtype,
            shape=ir.Shape(tensor.shape.numpy()),
            name=name,
            base_dir="",
        )
    return weights


def in_memory(tensor: ir.TensorProtocol) -> Array:
    """The numbers as a runtime reads them, one after the other from an even address."""
    return np.require(tensor.numpy(), requirements=("C", "A"))


def open_apart(
    source: str | bytes,
    setting: Setting,
    *,
    name: str,
    weights: Mapping[str, Array],
    apart: Collection[str],
    seconds: float | None,
) -> Session:
    """A session on a model, of which some weights may be set apart.

    Without optimisations, on the CPU, weights are shared: there the file that has them is one
    without a byte, so that whatever would read them there fails. Handed over as external data they
    are copied while the session is opened.

    Args:
        source: a path, or the bytes of a graph.
        setting: how it runs.
        name: what to call it in a sentence.
        weights: the numbers, by name, of those that were set apart and of others.
        apart: the names of what `set_apart` returned for those bytes.
        seconds: that one run may take.

    Raises:
        RefusedError: onnxruntime does not accept the model.
    """
    is_shared = (setting.provider, setting.level) == ("cpu", "none")
    if apart and is_shared and isinstance(source, bytes):
        with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(source)
            (path.parent / _FILE).touch()
            try:
                return Session(str(path), setting, name=name, weights=weights, seconds=seconds)
            except RefusedError:
                pass  # it may want the numbers while it opens; what else it refuses, it says below
    return Session(source, setting, name=name, weights=weights, apart=apart, seconds=seconds)
