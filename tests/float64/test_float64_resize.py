"""Resize and Upsample, as onnxruntime does them."""

import numpy as np
import pytest

COORDINATES = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]
COORDINATES += ["half_pixel_symmetric"]
SCALES = [(2.0, 2.0), (1.5, 0.6), (0.4, 3.3), (1.0, 2.0), (0.2, 0.25)]


def scales(*spatial):
    return np.array([1.0, 1.0, *spatial], np.float32)


@pytest.mark.parametrize("spatial", SCALES)
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_by_scales(agrees, draw, mode, coordinates, spatial):
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    agrees("Resize", [draw(1, 2, 5, 6), None, scales(*spatial)], attributes, opset=19)


@pytest.mark.parametrize("size", [(10, 12), (7, 3), (1, 1), (5, 13), (8, 9)])
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_to_sizes(agrees, draw, mode, coordinates, size):
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    sizes = np.array([1, 2, *size])
    agrees("Resize", [draw(1, 2, 5, 6), None, None, sizes], attributes, opset=19)


@pytest.mark.parametrize("spatial", SCALES)
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_nearest_modes(agrees, draw, nearest, spatial):
    attributes = {"mode": "nearest", "nearest_mode": nearest}
    agrees("Resize", [draw(1, 2, 5, 6), None, scales(*spatial)], attributes, opset=13)


@pytest.mark.parametrize("spatial", SCALES)
def test_cubic_without_what_is_outside(agrees, draw, spatial):
    attributes = {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5}
    agrees("Resize", [draw(1, 2, 5, 6), None, scales(*spatial)], attributes, opset=13)


@pytest.mark.parametrize("spatial", SCALES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialiased(agrees, draw, mode, spatial):
    attributes = {"mode": mode, "antialias": 1}
    agrees("Resize", [draw(1, 2, 9, 8), None, scales(*spatial)], attributes, opset=18)


@pytest.mark.parametrize("roi", [(0.1, 0.2, 0.8, 0.7), (-0.3, 0.2, 1.2, 1.4)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_crop_and_resize(agrees, draw, mode, roi):
    attributes = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize"}
    attributes |= {"extrapolation_value": 7.5}
    bounds = np.array([0, 0, *roi[:2], 1, 1, *roi[2:]], np.float32)
    sizes = np.array([1, 2, 7, 4])
    agrees("Resize", [draw(1, 2, 5, 6), bounds, None, sizes], attributes, opset=13)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller", "stretch"])
def test_resize_some_axes_and_keep_the_aspect(agrees, draw, policy):
    attributes = {"axes": [3, 2], "keep_aspect_ratio_policy": policy, "mode": "linear"}
    sizes = np.array([9, 4])
    agrees("Resize", [draw(1, 2, 5, 6), None, None, sizes], attributes, opset=18)


@pytest.mark.parametrize("spatial", SCALES)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_of_opset_10(agrees, draw, mode, spatial):
    agrees("Resize", [draw(1, 2, 5, 6), scales(*spatial)], {"mode": mode}, opset=10)


@pytest.mark.parametrize("spatial", [(2.0, 3.0), (1.5, 2.5), (1.0, 4.0)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample(agrees, draw, mode, spatial):
    x = draw(1, 2, 5, 6)
    agrees("Upsample", [x, scales(*spatial)], {"mode": mode}, opset=9)
    agrees("Upsample", [x], {"mode": mode, "scales": scales(*spatial).tolist()}, opset=7)


def test_resize_of_one_axis_and_of_three(agrees, draw):
    agrees("Resize", [draw(1, 2, 5), None, np.array([1, 1, 2], np.float32)], {"mode": "linear"})
    volume = np.array([1, 1, 2, 1.5, 3], np.float32)
    agrees("Resize", [draw(1, 2, 3, 4, 5), None, volume], {"mode": "linear"})
