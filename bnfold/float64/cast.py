"""Constants, copies and casts: values that stay what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir

from bnfold.float64.call import FLOAT_DTYPES, Array, Call, Operator, tensor_value, to_float64

NARROW = frozenset(t.numpy() for t in ir.DataType if t.is_floating_point() and t.bitwidth <= 8)


def identity(call: Call) -> Sequence[Array]:
    """Identity: the input as it is, a tensor, a sequence or an optional.

    Source: ONNX operators, Identity-16.
    """
    return [to_float64(call.inputs[0])]  # type: ignore[arg-type]


def optional(call: Call) -> Sequence[Array]:
    """Optional: its input, a tensor or a sequence, as it is; None stands for none."""
    return identity(call) if len(call) else [None]  # type: ignore[list-item]


def cast(call: Call) -> Array:
    """Cast: x as numbers of the type `to`, of the same shape.

    A wide float type (float16 and wider, bfloat16) keeps float64, unless casts are to round.
    float8 and float4 hold so few numbers that a cast to them is part of what the graph means: it
    always rounds, and saturates unless told not to.

    Source: ONNX operators, Cast-25.
    """
    return _cast(call, ir.DataType(call.integer("to", 1)).numpy())


def cast_like(call: Call) -> Array:
    """CastLike: a Cast to the dtype that the second input is stored in, or the node declares."""
    target = call.stored_dtypes[1]
    if call.output_dtype is not None:
        target = call.output_dtype
    return _cast(call, np.dtype(target))


def _cast(call: Call, target: np.dtype[Any]) -> Array:
    x = call[0]
    if target == np.object_:
        raise call.unsupported("a cast to strings is not supported")
    if target in NARROW:
        return round_narrow(x.astype(np.float64), target, call)
    if target in FLOAT_DTYPES:
        x = x.astype(np.float64)
        return x.astype(target).astype(np.float64) if call.round_casts else x
    return np.asarray(x != 0) if target == np.bool_ else x.astype(target)


def round_narrow(x: Array, target: np.dtype[Any], call: Call) -> Array:
    """float64 rounded to a float8 or float4 type, and saturated if `saturate` (the default).

    E8M0 holds powers of two alone, one byte of exponents; `round_mode` says which one is taken.
    """
    if target == ml_dtypes.float8_e8m0fnu:
        return _power_of_two(x, call.text("round_mode", "up"))
    if call.integer("saturate", 1):
        largest = float(ml_dtypes.finfo(target).max)  # type: ignore[no-untyped-call]
        x = np.clip(x, -largest, largest)
    return x.astype(target).astype(np.float64)


def _power_of_two(x: Array, mode: str) -> Array:
    mantissa, exponent = np.frexp(np.abs(x))  # x = mantissa * 2**exponent, in [0.5, 1)
    above = {"up": mantissa > 0.5, "nearest": mantissa >= 0.75, "down": mantissa > 1}[mode]
    exponent = np.where(x == 0, -127, exponent - 1 + above)
    y = np.ldexp(1.0, np.clip(exponent, -127, 127))
    return np.where(np.isfinite(x), y, np.nan)


def constant(call: Call) -> Array:
    """Constant: the tensor that an attribute holds; scalars are [], lists [n]. Not the sparse form.

    Raises:
        UnsupportedOperatorError: it has no value, or one of a kind that is no tensor here.

    Source: ONNX operators, Constant-13.
    """
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
    """Dropout that drops nothing; while training it would be random.

    Raises:
        UnsupportedOperatorError: it is in training mode, which draws at random.
    """
    ratio, training = call.optional(1), call.optional(2)
    trains = call.opset < 7 and not call.integer("is_test", 0)
    if training is not None and bool(training) and (ratio is None or float(ratio) != 0):
        trains = True
    if trains:
        raise call.unsupported("training mode draws random numbers: it has no value")
    return [call[0], np.ones(call[0].shape, np.bool_)][: call.n_outputs]


def value_range(call: Call) -> Array:
    """Range: start, start + delta, ... up to limit and without it, of three scalars -> [n].

    Source: ONNX operators, Range-11.
    """
    start, limit, delta = (call[i].reshape(())[()] for i in range(3))
    count = max(int(np.ceil((limit - start) / delta)), 0)
    return np.asarray(start + np.arange(count) * delta, call[0].dtype)


def eye_like(call: Call) -> Array:
    """EyeLike: ones on the kth diagonal of zeros, [M, N] like the input.

    Source: ONNX operators, EyeLike-9.
    """
    code = call.integer("dtype", 0)
    dtype = ir.DataType(code).numpy() if code else call[0].dtype
    rows, columns = call[0].shape
    return to_float64(np.eye(rows, columns, call.integer("k", 0), dtype=dtype))


def bit_cast(call: Call) -> Array:
    """BitCast of integers: the same bits as another type. A float's bits are no longer there.

    Raises:
        UnsupportedOperatorError: the bits are those of a float.
    """
    stored = call.stored_dtypes[0]
    if stored is None or stored.kind not in "iub":
        raise call.unsupported("the bits of a float are not known")
    return to_float64(call[0].view(ir.DataType(call.integer("to", 1)).numpy()))


OPERATORS: Mapping[str, Operator] = {
    "BitCast": bit_cast,
    "Cast": cast,
    "CastLike": cast_like,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Dropout": dropout,
    "EyeLike": eye_like,
    "Identity": identity,
    "Optional": optional,
    "Range": value_range,
}
