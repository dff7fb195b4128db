"""What numpy computes for the runtime: the same to the last bit, for every dtype and any bits."""

from __future__ import annotations

from collections.abc import Sequence

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest

from bnfold.typed import typed_exact, typed_session
from bnfold.typed.typed_node import run_typed_node

FLOATS = (np.float16, np.float32, np.float64)
INTEGERS = (np.int32, np.int64)
UNARY = ("Abs", "Ceil", "Floor", "Neg", "Round", "Sign", "Sqrt", "IsNaN", "IsInf")
ARITHMETIC = ("Add", "Sub", "Mul", "Div")
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


def node_of(op: str, inputs: Sequence[np.ndarray], **attributes) -> ir.Node:
    return ir.node(op, [ir.val(f"i{i}") for i in range(len(inputs))], attributes)


def by_the_runtime(node: ir.Node, inputs: Sequence[np.ndarray], dtypes, opset: int):
    feeds = {f"x{i}": x for i, x in enumerate(inputs)}
    names = [f"y{i}" for i in range(len(node.outputs))]
    step = typed_session.Step(node.op_type, "", list(node.attributes.values()), list(feeds), names)
    model = typed_session.build([step], feeds, {"": opset})
    return typed_session.run(model, feeds, dict(zip(names, dtypes, strict=True)))


def hard_numbers(dtype, count: int = 4000, seed: int = 0) -> np.ndarray:
    """Any bits, halves, whole numbers and what stands beside them, zeros, infinities and NaN."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        wide = rng.integers(info.min, info.max, count, dtype, endpoint=True)
        return np.concatenate([wide, rng.integers(0, 9, count).astype(dtype)])
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    bits = rng.integers(0, np.iinfo(unsigned).max, count, unsigned).view(dtype)
    halves = (rng.integers(-40, 40, count) / 2).astype(dtype)
    beside = np.nextafter(halves, np.asarray(rng.choice([-100, 100], count), dtype))
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    return np.concatenate([bits, halves, beside, rng.standard_normal(count).astype(dtype), special])


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(ours, theirs)


def check(op: str, inputs: Sequence[np.ndarray], opset: int = 18, **attributes) -> None:
    node = node_of(op, inputs, **attributes)
    with np.errstate(all="ignore"):
        ours = run_typed_node(node, inputs, opset=opset)
    theirs = by_the_runtime(node, inputs, [y.dtype for y in ours], opset)
    for mine, their in zip(ours, theirs, strict=True):
        assert_same(mine, their)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", UNARY)
def test_functions_of_one_float_are_the_runtimes(op, dtype):
    if op == "IsInf" and dtype == np.float16:
        pytest.skip("onnxruntime has no such kernel")
    check(op, [hard_numbers(dtype)], opset=20)


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS))
@pytest.mark.parametrize("op", (*ARITHMETIC, *COMPARISONS))
def test_functions_of_two_numbers_are_the_runtimes(op, dtype):
    a, b = hard_numbers(dtype), hard_numbers(dtype, seed=1)
    if op == "Div" and np.dtype(dtype).kind == "i":
        b = np.where((b == 0) | (b == -1), np.asarray(3, dtype), b)
    check(op, [a, b])


@pytest.mark.parametrize("fmod", [0, 1])
@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS))
def test_mod_is_the_runtimes(dtype, fmod):
    a, b = hard_numbers(dtype), hard_numbers(dtype, seed=1)
    if np.dtype(dtype).kind == "i":
        b = np.where((b == 0) | (b == -1), np.asarray(3, dtype), b)
    elif not fmod:
        pytest.skip("Mod of floats is fmod")
    check("Mod", [a, b], fmod=fmod)


TARGETS = (*FLOATS, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint32, np.bool_)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", (*FLOATS, np.int32, np.int64, np.uint8, np.bool_))
def test_casts_are_the_runtimes(source, target):
    x = hard_numbers(np.float32 if source == np.bool_ else source)
    with np.errstate(invalid="ignore"):
        x = x.astype(source)
    if np.dtype(target).kind in "iu" and np.dtype(source).kind == "f":
        bounds = np.iinfo(target)
        with np.errstate(invalid="ignore"):
            wide = np.trunc(x.astype(np.float64))
        x = x[(wide >= bounds.min) & (wide < bounds.max)]
        assert typed_exact.is_plain_cast(x, np.dtype(target))
    check("Cast", [x], to=ir.DataType.from_numpy(np.dtype(target)))


@pytest.mark.parametrize(
    "target",
    [
        ir.DataType.FLOAT8E4M3FN,
        ir.DataType.FLOAT8E5M2,
        ir.DataType.FLOAT8E4M3FNUZ,
        ir.DataType.FLOAT8E5M2FNUZ,
    ],
)
def test_casts_to_float8_saturate_as_in_the_runtime(target):
    x = np.array([1e9, -1e9, 0.1, 3.3, np.inf, np.nan, 449.0, 1e-9], np.float32)
    node = node_of("Cast", [x], to=target)
    (y,) = run_typed_node(node, [x], opset=19)
    assert y.dtype == target.numpy()
    largest = float(ml_dtypes.finfo(y.dtype).max)
    assert y[:2].astype(np.float32).tolist() == [largest, -largest]


def test_bfloat16_is_rounded_at_each_operator():
    a = np.array([1.0, 3.0, 256.0], ml_dtypes.bfloat16)
    b = np.array([3.0, 7.0, 1.0], ml_dtypes.bfloat16)
    (y,) = run_typed_node(node_of("Div", [a, b]), [a, b], opset=18)
    assert y.dtype == ml_dtypes.bfloat16
    exact_quotient = a.astype(np.float64) / b.astype(np.float64)
    assert y.tolist() == exact_quotient.astype(ml_dtypes.bfloat16).tolist()


def test_a_range_of_floats_is_the_runtimes():
    values = [np.asarray(v, np.float32) for v in (0.1, 7.3, 0.1)]
    check("Range", values)
    check("Range", [np.asarray(v, np.int64) for v in (9, -4, -3)])


COPIES = [
    ("Concat", [(3, 2), (4, 2)], {"axis": 0}, ()),
    ("Transpose", [(3, 2, 4)], {"perm": [2, 0, 1]}, ()),
    ("Reshape", [(3, 4)], {}, [[2, -1]]),
    ("Slice", [(5, 6)], {}, [[4, -1], [0, -9], [0, 1], [-2, -1]]),
    ("Gather", [(5, 6)], {"axis": 1}, [[[-1, 0], [2, 5]]]),
    ("GatherElements", [(3, 2)], {"axis": 0}, [[[-1, 0]]]),
    ("GatherND", [(3, 2)], {}, [[[-1], [0]]]),
    ("Expand", [(3, 1)], {}, [[2, 1, 4]]),
    ("Tile", [(3, 2)], {}, [[2, 3]]),
    ("Pad", [(3, 2)], {}, [[1, -1, 0, 2]]),
    ("Pad", [(3, 3)], {"mode": "reflect"}, [[1, 0, 2, 1]]),
    ("Pad", [(3, 3)], {"mode": "edge"}, [[1, 0, 2, 4]]),
    ("Unsqueeze", [(3, 2)], {}, [[0, -1]]),
    ("Trilu", [(3, 3)], {"upper": 0}, [1]),
    ("EyeLike", [(3, 4)], {"k": 1}, ()),
    ("DepthToSpace", [(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}, ()),
    ("Compress", [(3, 2)], {"axis": 0}, [np.array([True, False, True])]),
    ("NonZero", [(3, 2)], {}, ()),
    ("Flatten", [(3, 2, 2)], {"axis": 2}, ()),
]


@pytest.mark.parametrize(("op", "shapes", "attributes", "more"), COPIES, ids=lambda v: str(v)[:20])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_copies_are_the_runtimes(op, shapes, attributes, more, dtype):
    if op == "DepthToSpace" and dtype == np.int64:
        pytest.skip("onnxruntime has no such kernel")
    rng = np.random.default_rng(3)
    inputs = [rng.integers(-9, 9, shape).astype(dtype) for shape in shapes]
    check(op, [*inputs, *(np.asarray(m) for m in more)], **attributes)
