"""Operators whose result is the same to the last bit wherever it is computed: by numpy.

Copies, comparisons, and the arithmetic that IEEE 754 and integers leave no freedom in. What sums,
approximates, or treats NaN in its own way is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.float64 import indexing, pad, shape
from bnfold.float64.call import FLOAT_DTYPES, Array, Call, Operator, tensor_value
from bnfold.typed.typed_sizes import range_count

_SAME_ON_EVERY_MACHINE = (np.float16, np.float32, np.float64)


def _constant(call: Call) -> Array:
    name, value = next(iter(call.attributes.items()))
    if name == "value":
        return tensor_value(value)
    kinds: dict[str, Any] = {"value_float": np.float32, "value_floats": np.float32}
    kinds |= {"value_int": np.int64, "value_ints": np.int64}
    if name not in kinds:
        raise call.unsupported(f"the attribute {name!r} is not supported")
    return np.asarray(value, kinds[name])


def _constant_of_shape(call: Call) -> Array:
    value = call.attributes.get("value")
    fill = np.zeros(1, np.float32) if value is None else tensor_value(value)
    return np.full(call[0].tolist(), fill.reshape(-1)[0], fill.dtype)


def _eye_like(call: Call) -> Array:
    code = call.integer("dtype", 0)
    dtype = ir.DataType(code).numpy() if code else call[0].dtype
    rows, columns = call[0].shape
    return np.eye(rows, columns, call.integer("k", 0)).astype(dtype)


def _range(call: Call) -> Array:
    start, delta = call[0].reshape(()), call[2].reshape(())
    steps = np.arange(range_count(call)).astype(start.dtype)
    return np.asarray(start + steps * delta, start.dtype)


def _one_type(function: Callable[[Array, Array], Array]) -> Operator:
    def run(call: Call) -> Array:
        if call[0].dtype != call[1].dtype:
            raise TypeError(f"{call[0].dtype} and {call[1].dtype} are not one type")
        return np.asarray(function(call[0], call[1]))

    return run


def _divide(a: Array, b: Array) -> Array:
    if a.dtype in FLOAT_DTYPES:
        return np.asarray(a / b)
    _require_divisor(a, b)
    quotient = np.floor_divide(a, b)
    towards_zero = (quotient < 0) & (quotient * b != a)
    return np.asarray(quotient + towards_zero.astype(a.dtype), a.dtype)


def _require_divisor(a: Array, b: Array) -> None:
    """Raises where the processor would: these two stop the process that runs the model."""
    if np.any(b == 0):
        raise ZeroDivisionError("an integer is divided by 0")
    if a.dtype.kind == "i" and np.any((b == -1) & (a == np.iinfo(a.dtype).min)):
        raise ZeroDivisionError("the least integer is divided by -1")


def _modulo(call: Call) -> Array:
    a, b = call[0], call[1]
    if a.dtype in FLOAT_DTYPES:
        if not call.integer("fmod", 0):
            raise TypeError("Mod of floats needs fmod = 1")
        return np.asarray(np.fmod(a, b))
    _require_divisor(a, b)
    return np.asarray((np.fmod if call.integer("fmod", 0) else np.mod)(a, b))


def _where(call: Call) -> Array:
    if call[1].dtype != call[2].dtype:
        raise TypeError(f"{call[1].dtype} and {call[2].dtype} are not one type")
    return np.where(call[0], call[1], call[2])


def is_plain_cast(x: Array, target: np.dtype[Any]) -> bool:
    """Whether C, numpy and onnxruntime agree on a cast.

    They do not on floats that do not fit an integer, on float8 and float4 (which saturate), and
    on float64 to float16, which onnxruntime rounds twice.
    """
    if np.object_ in (target, x.dtype):
        return False
    native = (np.bool_, *_SAME_ON_EVERY_MACHINE)
    if target.kind in "iu" and x.dtype in _SAME_ON_EVERY_MACHINE:
        bounds = np.iinfo(target)
        with np.errstate(invalid="ignore"):
            whole = np.trunc(x.astype(np.float64))
        return bool(np.all((whole >= bounds.min) & (whole < bounds.max)))
    if target == np.float16:
        return x.dtype in (np.float16, np.float32, np.bool_)
    return (x.dtype.kind in "iu" or x.dtype in native) and (target.kind in "iu" or target in native)


def cast_target(call: Call) -> np.dtype[Any]:
    """What a Cast or CastLike makes."""
    if call.op_type == "CastLike":
        return np.dtype(call.stored_dtypes[1])
    return ir.DataType(call.integer("to", 1)).numpy()


def _cast(call: Call) -> Array:
    return call[0].astype(cast_target(call))


def _unary(function: Callable[[Array], Array]) -> Operator:
    return lambda call: np.asarray(function(call[0]))


def _is_inf(call: Call) -> Array:
    x = call[0]
    found = (x == -np.inf) & bool(call.integer("detect_negative", 1))
    return np.asarray(found | ((x == np.inf) & bool(call.integer("detect_positive", 1))))


COPIES: Mapping[str, Operator] = {
    **shape.OPERATORS,
    "Compress": indexing.OPERATORS["Compress"],
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye_like,
    "Gather": indexing.OPERATORS["Gather"],
    "GatherElements": indexing.OPERATORS["GatherElements"],
    "GatherND": indexing.OPERATORS["GatherND"],
    "Identity": lambda call: call[0],
    "NonZero": indexing.OPERATORS["NonZero"],
    "OneHot": indexing.OPERATORS["OneHot"],
    "Pad": pad.OPERATORS["Pad"],
    "Slice": indexing.OPERATORS["Slice"],
    "Trilu": indexing.OPERATORS["Trilu"],
    "Where": _where,
}

_ROUNDED_ONCE: Mapping[str, Operator] = {
    "Abs": _unary(np.abs),
    "Add": _one_type(np.add),
    "And": _one_type(np.logical_and),
    "Ceil": _unary(np.ceil),
    "Div": _one_type(_divide),
    "Equal": _one_type(np.equal),
    "Floor": _unary(np.floor),
    "Greater": _one_type(np.greater),
    "GreaterOrEqual": _one_type(np.greater_equal),
    "IsInf": _is_inf,
    "IsNaN": _unary(np.isnan),
    "Less": _one_type(np.less),
    "LessOrEqual": _one_type(np.less_equal),
    "Mod": _modulo,
    "Mul": _one_type(np.multiply),
    "Neg": _unary(np.negative),
    "Not": _unary(np.logical_not),
    "Or": _one_type(np.logical_or),
    "Round": _unary(np.rint),
    "Sqrt": _unary(np.sqrt),
    "Sub": _one_type(np.subtract),
    "Xor": _one_type(np.logical_xor),
}

_OF_INTEGERS: Mapping[str, Operator] = {"Range": _range}


def operator_for(call: Call) -> Operator | None:
    """The operator by numpy, if nothing of it is left to the runtime to choose.

    Raises:
        UnsupportedOperatorError: it broadcasts as opsets before 7 do.
    """
    if call.op_type in ("Cast", "CastLike"):
        return _cast if is_plain_cast(call[0], cast_target(call)) else None
    if call.op_type in COPIES:
        return COPIES[call.op_type]
    given = [x for x in call.inputs if x is not None]
    whole = all(x.dtype.kind in "iub" for x in given)
    if call.op_type in _OF_INTEGERS and whole:
        return _OF_INTEGERS[call.op_type]
    if call.opset < 7 and len({x.shape for x in given}) > 1:
        raise call.unsupported("the broadcasting of opsets before 7 is not computed ahead of time")
    return _ROUNDED_ONCE.get(call.op_type)
