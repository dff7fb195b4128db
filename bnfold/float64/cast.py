"""Constants, copies and casts: values that stay what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.float64.call import FLOAT_DTYPES, Array, Call, Operator, tensor_value, to_float64


def identity(call: Call) -> Sequence[Array]:
    """Identity, of sequences and optionals too."""
    return [to_float64(call.inputs[0])]  # type: ignore[arg-type]


def cast(call: Call) -> Array:
    """Cast. To a float dtype it keeps float64, unless casts are to round."""
    return _cast(call, ir.DataType(call.integer("to", 1)).numpy())


def cast_like(call: Call) -> Array:
    """CastLike: to the dtype that the second input is stored in, or that the node declares."""
    target = call.stored_dtypes[1]
    if call.output_dtype is not None:
        target = call.output_dtype
    return _cast(call, np.dtype(target))


def _cast(call: Call, target: np.dtype[Any]) -> Array:
    x = call[0]
    if target == np.object_:
        raise call.unsupported("a cast to strings is not supported")
    if target in FLOAT_DTYPES:
        x = x.astype(np.float64)
        return x.astype(target).astype(np.float64) if call.round_casts else x
    return np.asarray(x != 0) if target == np.bool_ else x.astype(target)


def constant(call: Call) -> Array:
    """Constant, in any of its forms but the sparse one."""
    if not call.attributes:
        raise call.unsupported("a constant without a value is not supported")
    name, value = next(iter(call.attributes.items()))
    if name == "value":
        return to_float64(tensor_value(value))
    if name in ("value_float", "value_floats"):
        return np.asarray(value, np.float64)
    if name in ("value_int", "value_ints"):
        return np.asarray(value, np.int64)
    if name in ("value_string", "value_strings"):
        return np.asarray(value, object)
    raise call.unsupported(f"the attribute {name!r} is not supported")


def constant_of_shape(call: Call) -> Array:
    """ConstantOfShape; float32 zeros unless `value` says otherwise."""
    value = call.attributes.get("value")
    fill = np.zeros(1) if value is None else to_float64(tensor_value(value))
    return np.full(call[0].tolist(), fill.reshape(-1)[0], fill.dtype)


def dropout(call: Call) -> Array | Sequence[Array]:
    """Dropout that drops nothing; while training it would be random."""
    ratio, training = call.optional(1), call.optional(2)
    trains = call.opset < 7 and not call.integer("is_test", 0)
    if training is not None and bool(training) and (ratio is None or float(ratio) != 0):
        trains = True
    if trains:
        raise call.unsupported("training mode draws random numbers: it has no value")
    return [call[0], np.ones(call[0].shape, np.bool_)][: call.n_outputs]


def value_range(call: Call) -> Array:
    """Range."""
    start, limit, delta = (call[i].reshape(())[()] for i in range(3))
    count = max(int(np.ceil((limit - start) / delta)), 0)
    return np.asarray(start + np.arange(count) * delta, call[0].dtype)


def eye_like(call: Call) -> Array:
    """EyeLike."""
    code = call.integer("dtype", 0)
    dtype = ir.DataType(code).numpy() if code else call[0].dtype
    rows, columns = call[0].shape
    return to_float64(np.eye(rows, columns, call.integer("k", 0), dtype=dtype))


OPERATORS: Mapping[str, Operator] = {
    "Cast": cast,
    "CastLike": cast_like,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Dropout": dropout,
    "EyeLike": eye_like,
    "Identity": identity,
    "Range": value_range,
}
