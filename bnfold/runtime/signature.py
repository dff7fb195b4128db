"""What a model takes and gives: names, dtypes and dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.errors import ModelError

Array = np.ndarray[Any, np.dtype[Any]]

Dim = int | str | None
"""A known extent, the name of a symbolic one, or None where nothing is said."""

_NUMPY_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}
_ONNX_NAMES = {name: onnx for onnx, name in _NUMPY_NAMES.items()}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output; `dims` is None where not even the rank is known."""

    name: str
    dtype: str
    dims: tuple[Dim, ...] | None

    def __str__(self) -> str:
        return f"{self.dtype}{dims_text(self.dims)}"

    def misfit(self, array: Array) -> str | None:
        """Why the array cannot be fed, with what is wanted and what it is; None if it can."""
        if array.dtype != numpy_dtype(self.dtype):
            return f"input {self.name!r} wants {self.dtype}, got {array.dtype}"
        if self.dims is None:
            return None
        fits = len(self.dims) == array.ndim and all(
            not isinstance(dim, int) or dim == size
            for dim, size in zip(self.dims, array.shape, strict=True)
        )
        wanted, got = dims_text(self.dims), dims_text(array.shape)
        return None if fits else f"input {self.name!r} wants shape {wanted}, got {got}"


def dims_text(dims: Sequence[Dim] | None) -> str:
    """The dimensions the way people write them: `[batch,3,?,?]`."""
    if dims is None:
        return "[any rank]"
    return "[" + ",".join("?" if dim is None else str(dim) for dim in dims) + "]"


def inputs_of(model: ir.Model) -> tuple[TensorSpec, ...]:
    """What the caller must feed: inputs with an initializer of their own may be left out.

    Raises:
        ModelError: an input is no tensor.
    """
    stored = model.graph.initializers  # before IR version 4 each of them had to be an input too
    return tuple(_spec(value) for value in model.graph.inputs if value.name not in stored)


def outputs_of(model: ir.Model) -> tuple[TensorSpec, ...]:
    """What the model returns, in order.

    Raises:
        ModelError: an output is no tensor.
    """
    return tuple(_spec(value) for value in model.graph.outputs)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The numpy dtype of an ONNX dtype name such as "float32" or "bfloat16"."""
    return ir.DataType[_ONNX_NAMES.get(name, name).upper()].numpy()


def is_exact_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether values of it are equal or not, with no rounding between: integers, bool, strings."""
    return dtype.kind in "biuSUO"


def is_float_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether a run computes and rounds in it: float8 and 4 bits are only stored, and neither."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def _spec(value: ir.Value) -> TensorSpec:
    name = value.name or ""
    if value.dtype is None or not isinstance(value.type, ir.TensorType):
        raise ModelError(
            f"{name!r} is {value.type or 'of unknown type'}: only tensors can be fed and compared, "
            "so convert the model without sequences and maps (zipmap=False)"
        )
    dims = None if value.shape is None else tuple(_dim(dim) for dim in value.shape)
    return TensorSpec(name, _NUMPY_NAMES.get(value.dtype.name, value.dtype.name.lower()), dims)


def _dim(dim: int | ir.SymbolicDim) -> Dim:
    if isinstance(dim, int):
        return dim if dim >= 0 else None  # some exporters write -1 for an open extent
    return dim.value
