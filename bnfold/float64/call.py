"""One call of one operator: its inputs, attributes and opset, read the way ONNX defines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from bnfold.errors import ModelError

Array = npt.NDArray[Any]
Operator = Callable[["Call"], "Array | Sequence[Array]"]

FLOAT64 = np.dtype(np.float64)
FLOAT_DTYPES = frozenset(t.numpy() for t in ir.DataType if t.is_floating_point())


class UnsupportedOperatorError(ModelError):
    """The float64 interpreter does not know an operator, or this form of it."""


def to_float64(value: Array) -> Array:
    """Any ONNX float dtype, bfloat16 and float8 too, becomes float64; the rest stays.

    So does every element of a sequence, which is a list.
    """
    if isinstance(value, list):
        return [to_float64(element) for element in value]
    if not isinstance(value, np.ndarray):
        return value  # an optional without a value
    if value.dtype == FLOAT64 or value.dtype not in FLOAT_DTYPES:
        return value
    return value.astype(FLOAT64)


def tensor_value(value: object) -> Array:
    """The array that a tensor attribute holds, in the dtype that it is stored in."""
    if isinstance(value, onnx.TensorProto):
        return ir.serde.deserialize_tensor(value).numpy()
    if isinstance(value, ir.TensorProtocol):
        return value.numpy()
    return np.asarray(value)


class Call:
    """What an operator gets.

    Floating inputs are float64 by the time an operator sees them; `stored_dtypes` has what they
    were. Defaults of float attributes are float32 numbers, as in the schema, widened. With
    `widen` off they stay what they are.
    """

    __slots__ = (
        "attributes",
        "inputs",
        "n_outputs",
        "op_type",
        "opset",
        "output_dtype",
        "round_casts",
        "stored_dtypes",
    )

    def __init__(
        self,
        *,
        op_type: str,
        inputs: Sequence[Array | None],
        attributes: Mapping[str, object],
        opset: int,
        n_outputs: int,
        round_casts: bool,
        output_dtype: np.dtype[Any] | None,
        widen: bool = True,
    ) -> None:
        self.op_type = op_type
        self.attributes = attributes
        self.opset = opset
        self.n_outputs = n_outputs
        self.round_casts = round_casts
        self.output_dtype = output_dtype
        self.stored_dtypes = [getattr(x, "dtype", None) for x in inputs]
        self.inputs = [to_float64(x) if widen and x is not None else x for x in inputs]

    def __getitem__(self, index: int) -> Array:
        """The input at `index`, which the operator cannot do without."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise ModelError(f"{self.op_type}: input {index} is missing")
        return value

    def __len__(self) -> int:
        return len(self.inputs)

    def optional(self, index: int) -> Array | None:
        """The input at `index`, or None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def real(self, name: str, default: float) -> float:
        """A float attribute; the default is rounded to float32 like every stored attribute."""
        value: Any = self.attributes.get(name)
        return float(np.float32(default)) if value is None else float(value)

    def integer(self, name: str, default: int) -> int:
        """An int attribute."""
        value: Any = self.attributes.get(name)
        return default if value is None else int(value)

    def integers(self, name: str) -> list[int] | None:
        """An ints attribute, or None where it is left out."""
        value: Any = self.attributes.get(name)
        return None if value is None else [int(v) for v in value]

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value: Any = self.attributes.get(name)
        if value is None:
            return default
        return value.decode() if isinstance(value, bytes) else str(value)

    def axes(self, index: int = 1) -> list[int] | None:
        """The `axes`, an attribute in old opsets and an input in new ones; None if left out."""
        given = self.optional(index)
        return self.integers("axes") if given is None else [int(v) for v in given.reshape(-1)]

    def unsupported(self, what: str) -> UnsupportedOperatorError:
        """The error to raise for a form of the operator that is not known."""
        return UnsupportedOperatorError(f"{self.op_type}: {what} in the float64 reference")
