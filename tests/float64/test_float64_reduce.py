"""Reductions, rankings, matrix products."""

import numpy as np
import pytest

OPS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [None, (1,), (0, -1)])
@pytest.mark.parametrize("op", OPS)
def test_reduce(agrees, draw, op, axes, keepdims):
    x = np.abs(draw(2, 3, 4)) if op == "LogSum" else draw(2, 3, 4)
    inputs = [x] if axes is None else [x, np.array(axes, np.int64)]
    agrees(f"Reduce{op}", inputs, {"keepdims": keepdims}, opset=18)
    attributes = {"keepdims": keepdims} | ({} if axes is None else {"axes": list(axes)})
    agrees(f"Reduce{op}", [x], attributes, opset=11)


@pytest.mark.parametrize("op", OPS)
def test_reduce_without_axes_may_mean_none(agrees, draw, op):
    x = np.abs(draw(2, 3))
    agrees(f"Reduce{op}", [x, np.array([], np.int64)], {"noop_with_empty_axes": 1})
    agrees(f"Reduce{op}", [x, np.array([], np.int64)], {})


def test_reduce_of_integers_gives_integers(agrees):
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    for op in ("ReduceSum", "ReduceMax", "ReduceMean", "ReduceProd"):
        agrees(op, [x, np.array([1])])


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_where_the_extreme_is(agrees, op, axis, last):
    x = np.array([[1, 3, 3], [1, 0, 3], [0, 0, 1]], np.float32)
    agrees(op, [x], {"axis": axis, "select_last_index": last})
    agrees(op, [x], {"axis": axis, "keepdims": 0})


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cumulative_sum(agrees, draw, exclusive, reverse):
    attributes = {"exclusive": exclusive, "reverse": reverse}
    agrees("CumSum", [draw(3, 4), np.array(1)], attributes)


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, -1])
def test_top_k(agrees, axis, largest):
    x = np.array([[1, 3, 3, 2], [1, 0, 3, 1], [1, 0, 1, 5]], np.float32)
    agrees("TopK", [x, np.array([2])], {"axis": axis, "largest": largest}, n_outputs=2)


@pytest.mark.parametrize("trans", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("c", [None, (), (5,), (1, 5), (3, 1), (3, 5)])
def test_gemm(agrees, draw, trans, c):
    A = draw(4, 3) if trans[0] else draw(3, 4)
    B = draw(5, 4) if trans[1] else draw(4, 5)
    attributes = {"transA": trans[0], "transB": trans[1], "alpha": 0.7, "beta": 1.3}
    agrees("Gemm", [A, B] if c is None else [A, B, draw(*c)], attributes)
    agrees("Gemm", [A, B], {"transA": trans[0], "transB": trans[1]})


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 1, 3, 4), (6, 4, 5)), ((4,), (4,))],
)
def test_matmul(agrees, draw, a, b):
    agrees("MatMul", [draw(*a), draw(*b)])


def test_matmul_of_integers(agrees):
    agrees("MatMul", [np.arange(6).reshape(2, 3), np.arange(3).reshape(3, 1)])


def test_einsum(agrees, draw):
    agrees("Einsum", [draw(2, 3, 4), draw(2, 4, 5)], {"equation": "bij,bjk->bik"})
