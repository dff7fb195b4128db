"""Tensors that stay on disk: views of a memory map, which outlives whatever replaces the file."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.model_io.opening import open_data, open_model

Map = mmap.mmap


class Maps:
    """One read-only memory map per file, made when it is first needed.

    The tensors hold on to the map, and the map to the file's content: saving a model over the file
    that it came from replaces the file and leaves the tensors as they were.
    """

    def __init__(self) -> None:
        self._maps: dict[tuple[Path, str], Map] = {}

    def model(self, path: Path) -> Map:
        """The bytes of a model file that is not empty.

        Raises:
            OSError: It cannot be read.
            ModelError: It is no file that a model can be in.
        """
        return self._map((path, ""), lambda: open_model(path))

    def data(self, folder: Path, location: str) -> Map:
        """The bytes of a file of external data, which is not empty; raises as `model` does."""
        return self._map((folder, location), lambda: open_data(folder, location))

    def _map(self, key: tuple[Path, str], opened: Callable[[], int]) -> Map:
        if key not in self._maps:
            handle = opened()
            try:
                if os.fstat(handle).st_size == 0:
                    raise ModelError("is empty")
                self._maps[key] = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(handle)
        return self._maps[key]


def external_values(model: ir.Model) -> Iterator[ir.Value]:
    """The initializers of all graphs whose data lies in a file."""
    for graph in walk.bodies(model):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                yield value


def external_attributes(model: ir.Model) -> Iterator[tuple[ir.Node, ir.Attr]]:
    """The tensor attributes of all nodes whose data lies in a file."""
    for graph in walk.bodies(model):
        for node in graph:
            for attribute in node.attributes.values():
                if isinstance(attribute.value, ir.ExternalTensor):
                    yield node, attribute


def view(tensor: ir.ExternalTensor, data: mmap.mmap, offset: int) -> ir.TensorProtocol:
    """The tensor as a view of mapped bytes.

    Raises:
        ModelError: Fewer bytes are there than the tensor's shape and dtype need.
    """
    needed = tensor.nbytes
    if tensor.length not in (None, needed):
        raise ModelError(
            f"initializer {tensor.name!r} has {tensor.length} bytes; its shape needs {needed}"
        )
    if offset < 0 or offset + needed > len(data):
        raise ModelError(
            f"initializer {tensor.name!r} ends at byte {offset + needed} "
            f"of a file that has {len(data)}"
        )
    if tensor.dtype.bitwidth < 8:
        packed = np.frombuffer(data, np.uint8, needed, offset)
        return ir.PackedTensor(
            packed,
            tensor.dtype,
            shape=tensor.shape,
            name=tensor.name,
            doc_string=tensor.doc_string,
            metadata_props=dict(tensor.metadata_props),
        )
    dtype = tensor.dtype.numpy()
    array = np.frombuffer(data, dtype.newbyteorder("<"), tensor.size, offset)
    return ir.Tensor(
        array.reshape(tensor.shape.numpy()),
        tensor.dtype,
        shape=tensor.shape,
        name=tensor.name,
        doc_string=tensor.doc_string,
        metadata_props=dict(tensor.metadata_props),
    )
