"""Saves a model tensor by tensor, so that memory follows the largest one."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import onnx
import onnx_ir as ir

from bnfold import wire
from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.model_io.layout import Layout
from bnfold.model_io.loading import HAD_EXTERNAL_DATA, LARGE_BYTES
from bnfold.model_io.replacing import NewFile, Replacement, replacement
from bnfold.model_io.skeleton import MARK, Skeleton, position_of, remove_reference, take_out

_LIMIT_BYTES = (1 << 31) - 1  # of one protobuf message


def save(
    model: ir.Model, path: str | os.PathLike[str], *, external_data: bool | None = None
) -> None:
    """The model is in the file, whole, or everything is as it was.

    Tensors are computed and written one at a time. With external data the tensors of the main graph
    are beside the model, in files that end in `.<hash of the data>.data`, so that at any moment the
    graph there reads the data that it was written with. Which ones, in how many files, how those
    begin and how tensors are aligned in them is as it was when the model was loaded. Older data of
    that model goes afterwards; other files, which an older model there may have used, are left.

    Args:
        model: is only read.
        path: may be the file that the model came from; a symbolic link is followed.
        external_data: None means: if the model had it when loaded, or passes 2 GiB.

    Raises:
        ModelError: It cannot be written there; the message says why.
    """
    target = Path(os.path.realpath(path))
    try:
        _check_target(target, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from error
    layout: Layout = model.graph.meta.get(HAD_EXTERNAL_DATA, Layout())
    had_external_data = HAD_EXTERNAL_DATA in model.graph.meta
    skeleton = take_out(model, min(layout.least_bytes, LARGE_BYTES))
    if external_data is None:
        external_data = had_external_data or skeleton.size_bytes() > _LIMIT_BYTES
        if external_data and not had_external_data:
            said = "the model passes 2 GiB, more than one file can hold: its weights lie beside it"
            warnings.warn(said, UserWarning, stacklevel=1)
    try:
        with replacement(target) as new:
            if external_data:
                _write_external(skeleton, new, layout, target.name)
            _write(skeleton, new.model)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from error


def to_proto(model: ir.Model) -> onnx.ModelProto:
    """The model as a ModelProto that holds all of its data.

    Raises:
        ModelError: It passes the 2 GiB that a protobuf message may have.
    """
    skeleton = take_out(model)
    if skeleton.size_bytes() > _LIMIT_BYTES:
        raise ModelError("the model passes 2 GiB: save it to a file with external data")
    for tensor in walk.tensors(skeleton.proto):
        position = position_of(tensor)
        if position is not None:
            remove_reference(tensor)
            tensor.raw_data = bytes(_content(skeleton.tensors[position]))
    return skeleton.proto


def _check_target(target: Path, path: str | os.PathLike[str]) -> None:
    if target.is_dir():
        raise ModelError(f"{path}: is a folder; name a file in it")
    if not target.parent.is_dir():
        raise ModelError(f"{path}: the folder {target.parent} does not exist")
    if target.exists() and not target.is_file():
        raise ModelError(f"{path}: is not a regular file")


def _write_external(skeleton: Skeleton, new: Replacement, layout: Layout, model_name: str) -> None:
    """Writes initializers of the main graph to files of data, and tells them where they are."""
    by_file: dict[str, list[tuple[onnx.TensorProto, ir.TensorProtocol]]] = {}
    for proto in skeleton.proto.graph.initializer:
        position = position_of(proto)
        if position is not None and skeleton.tensors[position].nbytes >= layout.least_bytes:
            tensors = by_file.setdefault(layout.file_of(proto.name, model_name), [])
            tensors.append((proto, skeleton.tensors[position]))
    for name, tensors in by_file.items():
        with new.data_file(name) as file:
            places = [_write_aligned(tensor, file, layout.alignment) for _, tensor in tensors]
        for (proto, tensor), offset in zip(tensors, places, strict=True):
            _refer(proto, file.content_name(name), offset, tensor.nbytes)


def _write_aligned(tensor: ir.TensorProtocol, file: NewFile, alignment: int) -> int:
    """Where in the file the tensor now is."""
    file.write(bytes(-file.tell() % alignment))
    begin = file.tell()
    _write_tensor(tensor, file)
    return begin


def _refer(proto: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    remove_reference(proto)
    proto.data_location = onnx.TensorProto.EXTERNAL
    entries = {"location": location, "offset": str(offset), "length": str(length)}
    for key, value in entries.items():
        proto.external_data.add(key=key, value=value)


def _write(skeleton: Skeleton, file: NewFile) -> None:
    """Writes the model, with a tensor in place of each reference that is still there."""
    data = skeleton.proto.SerializeToString(deterministic=True)
    mark = MARK.encode()

    def inline(data: wire.Buffer, begin: int, end: int) -> list[wire.Chunk] | None:
        proto = onnx.TensorProto.FromString(data[begin:end])
        position = position_of(proto)
        if position is None:
            return None
        length = skeleton.tensors[position].nbytes
        remove_reference(proto)
        start = proto.SerializeToString(deterministic=True)
        return [start, wire.header(wire.RAW_DATA, length), wire.Blob(length, position)]

    chunks = wire.rewrite_tensors(data, lambda d, begin, end: d.find(mark, begin, end) >= 0, inline)
    if wire.size(chunks) > _LIMIT_BYTES:
        raise ModelError("the model passes 2 GiB: save it with external data")
    for chunk in chunks:
        if isinstance(chunk, wire.Blob):
            _write_tensor(skeleton.tensors[chunk.key], file)
        else:
            file.write(chunk)


def _write_tensor(tensor: ir.TensorProtocol, file: NewFile) -> None:
    begin = file.tell()
    if isinstance(tensor, ir.LazyTensor) and type(tensor) is not ir.LazyTensor:
        tensor.tofile(cast(BinaryIO, file))  # such a tensor can write itself by parts
    else:
        file.write(_content(tensor))
    written = file.tell() - begin
    if written != tensor.nbytes:
        raise ModelError(
            f"tensor {tensor.name!r} has {written} bytes where {tensor.nbytes} were declared"
        )


def _content(tensor: ir.TensorProtocol) -> bytes | memoryview:
    """The tensor's little-endian bytes, without a copy where they lie in memory as they should."""
    if isinstance(tensor, ir.LazyTensor):
        return _content(tensor.raw())
    if isinstance(tensor, ir.Tensor) and tensor.dtype.bitwidth >= 8 and sys.byteorder == "little":
        array = tensor.numpy()
        if array.flags.c_contiguous:
            return array.reshape(-1).view(np.uint8).data
    return tensor.tobytes()
