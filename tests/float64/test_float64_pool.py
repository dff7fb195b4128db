"""Pools: the borders are where runtimes differ, and onnxruntime is followed."""

import pytest

GEOMETRIES = [
    ((11, 12), {"kernel_shape": [3, 2]}),
    ((11, 12), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((11, 12), {"kernel_shape": [3, 4], "strides": [2, 3], "pads": [0, 1, 2, 1]}),
    ((10, 9), {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 0, 1, 0]}),
    ((7, 8), {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 1, 1]}),
    ((11, 12), {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "SAME_UPPER"}),
    ((11, 12), {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "SAME_LOWER"}),
    ((11, 12), {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "VALID"}),
    ((13,), {"kernel_shape": [4], "strides": [3], "pads": [1, 2]}),
    ((6, 7, 8), {"kernel_shape": [2, 3, 2], "strides": [2, 2, 3], "pads": [0, 1, 0, 1, 1, 1]}),
]


@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("opset", [10, 12, 22])
@pytest.mark.parametrize(("sizes", "attributes"), GEOMETRIES)
def test_max_pool(agrees, draw, sizes, attributes, opset, ceil_mode):
    x = draw(2, 3, *sizes) - 5
    agrees("MaxPool", [x], {**attributes, "ceil_mode": ceil_mode}, opset=opset)


@pytest.mark.parametrize("dilations", [[2, 1], [2, 3]])
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_max_pool_with_holes(agrees, draw, dilations, ceil_mode):
    attributes = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    attributes |= {"dilations": dilations, "ceil_mode": ceil_mode}
    agrees("MaxPool", [draw(2, 3, 11, 12)], attributes)


@pytest.mark.parametrize("storage_order", [0, 1])
@pytest.mark.parametrize(("sizes", "attributes"), GEOMETRIES)
def test_max_pool_tells_where_the_maxima_are(agrees, draw, sizes, attributes, storage_order):
    attributes = {**attributes, "storage_order": storage_order}
    agrees("MaxPool", [draw(2, 3, *sizes)], attributes, n_outputs=2)


@pytest.mark.parametrize("opset", [10, 18, 22])
@pytest.mark.parametrize(("ceil_mode", "count"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize(("sizes", "attributes"), GEOMETRIES)
def test_average_pool(agrees, draw, sizes, attributes, ceil_mode, count, opset):
    attributes = {**attributes, "ceil_mode": ceil_mode, "count_include_pad": count}
    agrees("AveragePool", [draw(2, 3, *sizes)], attributes, opset=opset)


@pytest.mark.parametrize(("ceil_mode", "count"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_average_pool_with_holes(agrees, draw, ceil_mode, count):
    attributes = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 0]}
    attributes |= {"dilations": [2, 3], "ceil_mode": ceil_mode, "count_include_pad": count}
    agrees("AveragePool", [draw(2, 3, 11, 12)], attributes, opset=19)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize(("sizes", "attributes"), GEOMETRIES)
def test_lp_pool(agrees, draw, sizes, attributes, p):
    agrees("LpPool", [draw(2, 3, *sizes)], {**attributes, "p": p})


@pytest.mark.parametrize("sizes", [(7,), (5, 6), (3, 4, 5)])
@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
def test_global_pools(agrees, draw, op, sizes):
    agrees(op, [draw(2, 3, *sizes)])


DEGENERATE = [
    ((3,), {"kernel_shape": [4], "strides": [4]}),
    ((8, 9), {"kernel_shape": [3, 2], "dilations": [2, 3], "auto_pad": "SAME_LOWER"}),
    ((9, 8), {"kernel_shape": [3, 2], "dilations": [2, 3], "auto_pad": "SAME_UPPER"}),
]


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize(("sizes", "attributes"), DEGENERATE)
def test_what_the_specification_leaves_open_follows_the_runtime(
    agrees, draw, sizes, attributes, op
):
    """A window longer than the value; SAME with holes."""
    agrees(op, [draw(1, 2, *sizes)], attributes, opset=19)
