"""Loads a model, or says in one sentence why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from bnfold import wire
from bnfold.errors import ModelError, UsageError
from bnfold.model_io import walk
from bnfold.model_io.gate import refuse_what_is_wrong
from bnfold.model_io.held import hold_as_arrays
from bnfold.model_io.layout import TensorPlace, layout_of
from bnfold.model_io.mapped import Maps, external_attributes, external_values, view
from bnfold.model_io.opening import parts_of
from bnfold.torch_files import torch_file

LARGE_BYTES = 1 << 16  # a tensor of this size or more is left in its file
_LFS_POINTER = b"version https://git-lfs"
_TURNS = 8  # how often a model is read again because it was replaced meanwhile
IN_THIS_FILE = ":in-this-file:"  # stands for the location of a tensor that was never external
# Kept in the metadata of the main graph, which clones keep and files do not.
HAD_EXTERNAL_DATA = "bnfold.external_data"  # its Layout
LISTED_VALUES = "bnfold.listed_values"  # the names that have a value_info, in any graph

ModelSource = str | os.PathLike[str] | onnx.ModelProto | ir.Model
"""A path, or a model in memory."""


def load(source: ModelSource) -> ir.Model:
    """The model, owned by the caller alone; large tensors stay in their file until they are read.

    The tensors are views of a memory map that keeps the file's content alive: the file may be
    replaced while the model is in use.

    Args:
        source: a path; or a model in memory, which is not changed and not shared, except for
            tensors, which nobody changes.

    Raises:
        ModelError: It is missing, malformed, or would lose something; the message says what.
        UsageError: It is none of these.
    """
    require_model(source)
    if isinstance(source, ir.Model):
        return _clone(source)
    if isinstance(source, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(source)
        return _build(copy, "the model", None)
    path = Path(source)
    for _ in range(_TURNS):
        found = _identity(path)
        try:
            return _load(path)
        except ModelError:
            if _identity(path) == found:
                raise
    return _load(path)


def require_model(source: object) -> None:
    """Returns where this is, or names, an ONNX model.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(source, str | os.PathLike | onnx.ModelProto | ir.Model):
        kind = type(source).__name__
        raise UsageError(f"a model is a path, an onnx.ModelProto or an onnx_ir.Model, not {kind}")


def _load(path: Path) -> ir.Model:
    maps = Maps()
    return _build(read_skeleton(path, maps), str(path), (path, maps))


def _identity(path: Path) -> tuple[int, ...]:
    """Changes when another process puts a new model, with data of its own, in this one's place."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _clone(source: ir.Model) -> ir.Model:
    """A clone whose external tensors are mapped now, from wherever they say that they are."""
    model, maps = source.clone(), Maps()
    _remember_layout(model, "")

    def mapped(tensor: ir.ExternalTensor) -> ir.TensorProtocol:
        folder, location = Path(tensor.base_dir), os.fspath(tensor.location)
        if not tensor.base_dir:  # made by the caller's own code, for any file
            there = Path(tensor.path)
            folder, location = there.parent, there.name
        return _mapped_at(tensor, folder, location, maps)

    _replace_external(model, mapped)
    return model


def read_skeleton(path: Path, maps: Maps) -> onnx.ModelProto:
    """The model of a file, its large tensors replaced by references into that file.

    Raises:
        ModelError: There is no such file, or it is no ONNX model.
    """
    try:
        if path.is_dir():
            raise ModelError("is a folder; name the .onnx file in it")
        data = maps.model(path)
        if data[: len(_LFS_POINTER)] == _LFS_POINTER:
            raise ModelError("is a Git LFS pointer; get the file by `git lfs pull`")
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot be read: {why}") from error
    try:
        return skeleton_of(data, str(path))
    except ModelError as error:
        others = torch_file(path)
        if others is None:
            raise
        raise ModelError(others.as_network) from error


def skeleton_of(data: wire.Buffer, name: str) -> onnx.ModelProto:
    """The model that a file holds, of its large tensors only where in the file they are.

    Raises:
        ModelError: It is none; `name` says what.
    """
    proto = onnx.ModelProto()
    try:
        chunks = wire.rewrite_tensors(data, _is_large, _refer_to_file)
        proto.ParseFromString(b"".join(c for c in chunks if isinstance(c, bytes)))
    except wire.MalformedError as error:
        what = "is truncated, or not an ONNX model" if error.truncated else "is not an ONNX model"
        raise ModelError(f"{name}: {what}") from error
    except DecodeError as error:
        raise ModelError(f"{name}: is not an ONNX model, or a damaged one") from error
    return proto


def _is_large(_data: wire.Buffer, begin: int, end: int) -> bool:
    return end - begin >= LARGE_BYTES


def _refer_to_file(data: wire.Buffer, begin: int, end: int) -> list[wire.Chunk] | None:
    """A TensorProto that has its raw data as external data in the file it stands in."""
    raw = [f for f in wire.fields(data, begin, end) if f.number == wire.RAW_DATA]
    if len(raw) != 1 or raw[0].end - raw[0].content < LARGE_BYTES:
        return None
    (field,) = raw
    reference = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    entries = {
        "location": IN_THIS_FILE,
        "offset": str(field.content),
        "length": str(field.end - field.content),
    }
    for key, value in entries.items():
        reference.external_data.add(key=key, value=value)
    return [data[begin : field.begin], data[field.end : end], reference.SerializeToString()]


def _build(proto: onnx.ModelProto, name: str, file: tuple[Path, Maps] | None) -> ir.Model:
    try:
        refuse_what_is_wrong(proto)
        model = _to_ir(proto)
        _remember_layout(model, file[0].name if file else "")
        _replace_external(model, lambda tensor: _mapped(tensor, file))
        hold_as_arrays(model)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    return model


def _to_ir(proto: onnx.ModelProto) -> ir.Model:
    try:
        model = ir.from_proto(proto)
    except (ir.serde.SerdeError, ValueError, TypeError, LookupError, NotImplementedError) as error:
        raise ModelError(f"cannot be understood: {root_cause(error)}") from error
    for value, info in zip(model.graph.inputs, proto.graph.input, strict=True):
        if value.is_graph_output():  # whose declaration, read later, may say less
            ir.serde.deserialize_value_info_proto(info, value)
    listed = (info.name for graph in walk.graphs(proto) for info in graph.value_info)
    model.graph.meta[LISTED_VALUES] = frozenset(listed)
    return model


def root_cause(error: BaseException) -> str:
    """The first line of what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0]


def _replace_external(
    model: ir.Model, mapped: Callable[[ir.ExternalTensor], ir.TensorProtocol]
) -> None:
    """Gives every tensor that lies in a file its bytes."""
    for value in external_values(model):
        assert isinstance(value.const_value, ir.ExternalTensor)
        value.const_value = mapped(value.const_value)
    for node, attribute in list(external_attributes(model)):
        assert isinstance(attribute.value, ir.ExternalTensor)
        node.attributes[attribute.name] = ir.AttrTensor(
            attribute.name, mapped(attribute.value), doc_string=attribute.doc_string
        )


def _remember_layout(model: ir.Model, name: str) -> None:
    """Keeps where tensors lie that are in other files than the model."""
    tensors = [value.const_value for value in external_values(model)]
    tensors += [attribute.value for _, attribute in external_attributes(model)]
    places = [
        TensorPlace(
            tensor.name or "", os.fspath(tensor.location), tensor.offset or 0, tensor.nbytes
        )
        for tensor in tensors
        if isinstance(tensor, ir.ExternalTensor) and os.fspath(tensor.location) != IN_THIS_FILE
    ]
    if places:
        model.graph.meta[HAD_EXTERNAL_DATA] = layout_of(places, name)


def _mapped(tensor: ir.ExternalTensor, file: tuple[Path, Maps] | None) -> ir.TensorProtocol:
    location = os.fspath(tensor.location)
    if file is None:
        raise ModelError(
            f"initializer {tensor.name!r} is in the external file {location!r}; "
            "give the model's path, so that its folder is known"
        )
    path, maps = file
    if location == IN_THIS_FILE:
        return view(tensor, maps.model(path), tensor.offset or 0)
    return _mapped_at(tensor, path.parent, location, maps)


def _mapped_at(
    tensor: ir.ExternalTensor, folder: Path, location: str, maps: Maps
) -> ir.TensorProtocol:
    """The tensor as a view of the file that has its data."""
    parts_of(location)
    if tensor.size == 0:
        empty = np.zeros(tensor.shape.numpy(), tensor.dtype.numpy())
        return ir.Tensor(empty, tensor.dtype, name=tensor.name, doc_string=tensor.doc_string)
    where = f"the data of initializer {tensor.name!r}, {location!r},"
    try:
        data = maps.data(folder, location)
    except ModelError as error:
        raise ModelError(f"{where} {error}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ModelError(f"{where} cannot be read: {why}") from error
    return view(tensor, data, tensor.offset or 0)
