"""What the models are fed: the caller's arrays, else random ones of the right type and shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir

from bnfold.bench.subjects import InputSpec, Subject
from bnfold.errors import DataError, ModelError, UsageError

IMAGE_SIDE = 224  # height and width of an image input that leaves them open

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Sizes:
    """Sizes of dynamic dimensions: `batch` for a first one that `dims` does not name.

    `dims` is keyed by the dimension's name ("length") or its place ("x:2").
    """

    batch: int
    dims: Mapping[str, int]


@dataclass(frozen=True)
class Feeds:
    """Arrays for every input, and a sentence for each thing that had to be assumed."""

    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...]


def make_feeds(subject: Subject, *, given: Arrays, sizes: Sizes, seed: int) -> Feeds:
    """Arrays that the model can be run on; the same seed gives the same arrays.

    Args:
        subject: the model whose inputs are filled.
        given: arrays to use as they are; they must fit.
        sizes: of the dynamic dimensions.
        seed: of the random numbers.

    Raises:
        UsageError: a dimension has no size, or a size has no dimension.
        DataError: a given array does not fit.
        ModelError: an input is no tensor of numbers or booleans.
    """
    _require_known(subject, given, sizes.dims)
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for spec in subject.inputs:
        dtype = _numpy_dtype(subject, spec)
        if spec.name in given:
            arrays[spec.name] = _fitting(subject, spec, np.asarray(given[spec.name]), dtype)
        else:
            arrays[spec.name] = _random(_shape(subject, spec, sizes, notes), dtype, rng)
    return Feeds(arrays, tuple(notes))


def _require_known(subject: Subject, given: Arrays, dims: Mapping[str, int]) -> None:
    names = [spec.name for spec in subject.inputs]
    for name in given:
        if name not in names:
            raise DataError(
                f"{subject.name}: it has no input {name!r}; it has {', '.join(map(repr, names))}"
            )
    keys = {
        key
        for spec in subject.inputs
        for axis in range(len(spec.shape or ()))
        for key in _keys(spec, axis)
    }
    for key, size in dims.items():
        if key not in keys:
            raise UsageError(
                f"{subject.name}: no input has a dynamic dimension {key!r}; "
                f"it has {', '.join(sorted(keys)) or 'none'}"
            )
        if size < 1:
            raise UsageError(f"dimension {key!r} cannot have size {size}")


def _keys(spec: InputSpec, axis: int) -> tuple[str, ...]:
    """The names that a dynamic dimension can be given a size by; none for a fixed one."""
    dim = (spec.shape or ())[axis]
    if isinstance(dim, int):
        return ()
    place = f"{spec.name}:{axis}"
    return (place,) if dim is None else (place, dim)


def _shape(subject: Subject, spec: InputSpec, sizes: Sizes, notes: list[str]) -> tuple[int, ...]:
    if spec.shape is None:
        raise UsageError(f"{subject.name}: input {spec.name!r} has no rank; give an array for it")
    shape = []
    for axis in range(len(spec.shape)):
        size, note = _size(subject, spec, axis, sizes)
        shape.append(size)
        notes.extend([note] if note else [])
    return tuple(shape)


def _size(subject: Subject, spec: InputSpec, axis: int, sizes: Sizes) -> tuple[int, str]:
    """The size of one dimension, and what had to be assumed for it."""
    shape = spec.shape or ()
    fixed = shape[axis]
    if isinstance(fixed, int):
        if axis == 0 and sizes.batch not in (1, fixed):
            return fixed, (
                f"input {spec.name!r} fixes its first dimension at {fixed}: "
                f"batch {sizes.batch} does not apply"
            )
        return fixed, ""
    keys = _keys(spec, axis)
    for key in keys:
        if key in sizes.dims:
            return sizes.dims[key], ""
    if axis == 0:
        return sizes.batch, ""
    if len(shape) == 4 and axis >= 2:
        return IMAGE_SIDE, f"input {spec.name!r} leaves {keys[-1]!r} open: {IMAGE_SIDE} assumed"
    raise UsageError(
        f"{subject.name}: input {spec.name!r} leaves dimension {keys[-1]!r} open; "
        "give it a size, or an array for this input"
    )


def _random(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], rng: np.random.Generator
) -> np.ndarray:
    """Normal floats; integers 0 and 1, which index every table and mask; True and False."""
    values = rng.standard_normal(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)
    return np.asarray(values).astype(dtype)


def _numpy_dtype(subject: Subject, spec: InputSpec) -> np.dtype[np.generic]:
    """The NumPy type of an input, one that onnxruntime takes from NumPy."""
    if spec.dtype in onnx_ir.DataType.__members__:
        data_type = onnx_ir.DataType[spec.dtype]
        dtype = None if data_type == onnx_ir.DataType.STRING else np.dtype(data_type.numpy())
        if dtype is not None and dtype.kind in "fiub" and dtype.isbuiltin == 1:
            return dtype
    raise ModelError(
        f"{subject.name}: input {spec.name!r} is {spec.dtype}; "
        "bench feeds tensors of NumPy's own numbers and booleans"
    )


def _fitting(
    subject: Subject, spec: InputSpec, array: np.ndarray, dtype: np.dtype[np.generic]
) -> np.ndarray:
    where = f"{subject.name}: the array for input {spec.name!r}"
    if array.dtype != dtype:
        raise DataError(f"{where} is {array.dtype}; the model wants {dtype}")
    if spec.shape is None:
        return array
    wanted = "[" + ", ".join("?" if d is None else str(d) for d in spec.shape) + "]"
    fits = len(spec.shape) == array.ndim and all(
        not isinstance(dim, int) or dim == size
        for dim, size in zip(spec.shape, array.shape, strict=False)
    )
    if not fits:
        raise DataError(f"{where} is {list(array.shape)}; the model wants {wanted}")
    return array
