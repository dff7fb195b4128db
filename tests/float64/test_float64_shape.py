"""Operators that rearrange, join, cut, pad, gather and scatter."""

import numpy as np
import pytest


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("shape", [(6, 4), (-1, 4), (0, -1), (2, 3, 2, 2), (-1,)])
def test_reshape(agrees, draw, shape):
    agrees("Reshape", [draw(2, 3, 4), ints(*shape)])


def test_reshape_may_allow_zeros(agrees, draw):
    agrees("Reshape", [draw(0, 3), ints(3, 0)], {"allowzero": 1})


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -2])
def test_flatten(agrees, draw, axis):
    agrees("Flatten", [draw(2, 3, 4)], {"axis": axis})


@pytest.mark.parametrize("attributes", [{}, {"perm": [1, 2, 0]}])
def test_transpose(agrees, draw, attributes):
    agrees("Transpose", [draw(2, 3, 4)], attributes)


@pytest.mark.parametrize("axes", [None, (0,), (2, 0), (-1,)])
def test_squeeze(agrees, draw, axes):
    x = draw(1, 3, 1)
    agrees("Squeeze", [x] if axes is None else [x, ints(*axes)])
    agrees("Squeeze", [x], {} if axes is None else {"axes": [a % 3 for a in axes]}, opset=9)


@pytest.mark.parametrize("axes", [(0,), (1, 3), (-1,), (0, 4)])
def test_unsqueeze(agrees, draw, axes):
    agrees("Unsqueeze", [draw(2, 3, 4), ints(*axes)])


def test_unsqueeze_of_old_opsets(agrees, draw):
    agrees("Unsqueeze", [draw(2, 3, 4)], {"axes": [0, 3]}, opset=11)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(agrees, draw, axis):
    agrees("Concat", [draw(2, 3, 4), draw(2, 3, 4), draw(2, 3, 4)], {"axis": axis})


def test_split(agrees, draw):
    x = draw(6, 7)
    agrees("Split", [x, ints(1, 2, 4)], {"axis": 1}, n_outputs=3)
    agrees("Split", [x], {"axis": 1, "num_outputs": 3}, n_outputs=3)
    agrees("Split", [x], {"axis": 0}, opset=13, n_outputs=2)
    agrees("Split", [x], {"axis": -1, "split": [3, 4]}, opset=11, n_outputs=2)


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 1), (1,), (5, 1, 3, 4)])
def test_expand(agrees, draw, shape):
    agrees("Expand", [draw(3, 1), ints(*shape)] if len(shape) < 3 else [draw(3, 4), ints(*shape)])


def test_tile_size_and_shape(agrees, draw):
    x = draw(2, 3, 4)
    agrees("Tile", [x, ints(1, 2, 3)])
    agrees("Size", [x])
    agrees("Shape", [x])
    agrees("Shape", [x], {"start": -2})
    agrees("Shape", [x], {"start": 1, "end": -1})


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(agrees, draw, mode):
    agrees("DepthToSpace", [draw(2, 12, 3, 4)], {"blocksize": 2, "mode": mode})


def test_space_to_depth(agrees, draw):
    agrees("SpaceToDepth", [draw(2, 3, 4, 6)], {"blocksize": 2})


SLICES = [
    ((1,), (3,), None, None),
    ((-2, 0), (1000, -1), (2, 0), None),
    ((5, 3), (0, -1000), (0, 1), (-2, -1)),
    ((-1000,), (1000,), (1,), (2,)),
    ((3,), (1,), (1,), (1,)),
    ((1000,), (-1000,), (-1,), (-3,)),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
def test_slice(agrees, draw, starts, ends, axes, steps):
    optional = [None if v is None else ints(*v) for v in (axes, steps)]
    agrees("Slice", [draw(6, 4, 5), ints(*starts), ints(*ends), *optional])


def test_slice_of_old_opsets(agrees, draw):
    agrees("Slice", [draw(6, 4)], {"starts": [1, -3], "ends": [-1, 9], "axes": [0, 1]}, opset=9)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("indices", [ints(0, 2, -1), np.array(1), np.array([[0, 1], [-2, 0]])])
def test_gather(agrees, draw, axis, indices):
    agrees("Gather", [draw(3, 4, 3), indices], {"axis": axis})


@pytest.mark.parametrize("axis", [0, 1])
def test_gather_and_scatter_elements(agrees, draw, axis):
    x, indices = draw(3, 3), np.array([[0, -1, 2], [1, 0, 0]])
    agrees("GatherElements", [x, indices], {"axis": axis})
    indices = np.array([[0, 1, 2], [1, 2, 0]]) if axis == 0 else np.array([[0, 1], [2, 0]])
    agrees("ScatterElements", [x, indices, draw(*indices.shape)], {"axis": axis})
    agrees("Scatter", [x, indices, draw(*indices.shape)], {"axis": axis}, opset=10)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter_with_a_reduction(agrees, draw, reduction):
    unique = reduction == "none"
    indices = np.array([[0, 1], [1, 0]]) if unique else np.array([[0, 0], [0, 1]])
    attributes = {"reduction": reduction}
    agrees("ScatterElements", [draw(3, 2), indices, draw(2, 2)], attributes)
    at = np.array([[0], [2]]) if unique else np.array([[1], [1]])
    agrees("ScatterND", [draw(3, 2), at, draw(2, 2)], attributes)


@pytest.mark.parametrize("batch_dims", [0, 1])
def test_gather_nd(agrees, draw, batch_dims):
    indices = np.array([[[0], [-1]], [[1], [0]]])
    agrees("GatherND", [draw(2, 3, 4), indices], {"batch_dims": batch_dims})


def test_picking_by_condition(agrees, draw):
    x = draw(3, 4)
    agrees("Compress", [x, np.array([True, False, True])], {"axis": 0})
    agrees("Compress", [x, np.array([False, True, True])])
    agrees("NonZero", [(x > 0).astype(np.float32)])


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(agrees, axis):
    inputs = [np.array([[0, 2], [-1, 9]]), np.array(3), np.array([0.5, 2.0], np.float32)]
    agrees("OneHot", inputs, {"axis": axis})


@pytest.mark.parametrize("upper", [0, 1])
def test_triangles_and_identities(agrees, draw, upper):
    agrees("Trilu", [draw(2, 4, 5), np.array(1)], {"upper": upper})
    agrees("EyeLike", [draw(3, 5)], {"k": upper})


def test_ranges_and_fills(agrees):
    agrees("Range", [np.array(1), np.array(9), np.array(3)])
    agrees("Range", [np.array(v, np.float32) for v in (5.0, -1.0, -1.5)])
    agrees("ConstantOfShape", [ints(2, 3)])


PADS = [
    ([0, 1, 2, 2, 0, 1], "constant"),
    ([0, 1, 2, 0, 2, 1], "reflect"),
    ([0, 3, 2, 2, 0, 1], "edge"),
    ([0, 1, 2, 1, 0, 3], "wrap"),
    ([0, -1, 2, 1, 0, -2], "constant"),
]


@pytest.mark.parametrize(("pads", "mode"), PADS)
def test_pad(agrees, draw, pads, mode):
    agrees("Pad", [draw(2, 3, 4), ints(*pads)], {"mode": mode}, opset=19)


def test_pad_with_a_value_along_some_axes(agrees, draw):
    value = np.array(1.5, np.float32)
    agrees("Pad", [draw(2, 3, 4), ints(1, 0, 2, 1), value, ints(-1, 0)])


def test_pad_of_old_opsets(agrees, draw):
    agrees("Pad", [draw(2, 3)], {"pads": [0, 1, 2, 0], "value": 1.5}, opset=10)
