"""Convolutions of every rank, group, stride, dilation and padding."""

import numpy as np
import pytest
import torch

from bnfold.float64 import conv, run_op

CONVS = {
    "plain": ((2, 3, 8, 9), (4, 3, 3, 2), {}),
    "pointwise": ((2, 3, 5, 5), (4, 3, 1, 1), {}),
    "pointwise-strided": ((2, 3, 5, 6), (4, 3, 1, 1), {"strides": [2, 3]}),
    "padded-unevenly": ((1, 3, 7, 7), (4, 3, 3, 3), {"pads": [0, 1, 2, 3]}),
    "grouped": ((2, 4, 8, 8), (6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "depthwise": ((2, 4, 8, 8), (4, 1, 3, 3), {"group": 4, "strides": [2, 1]}),
    "depthwise-multiplied": ((1, 3, 8, 8), (6, 1, 3, 3), {"group": 3}),
    "dilated": ((1, 2, 12, 12), (3, 2, 3, 3), {"dilations": [2, 3], "strides": [2, 2]}),
    "same-upper": ((1, 2, 9, 10), (3, 2, 3, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    "same-lower": ((1, 2, 9, 10), (3, 2, 3, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "valid": ((1, 2, 9, 10), (3, 2, 3, 4), {"auto_pad": "VALID", "strides": [2, 3]}),
    "one-axis": ((2, 4, 20), (6, 2, 5), {"group": 2, "pads": [3, 1], "dilations": [2]}),
    "three-axes": ((1, 2, 5, 6, 7), (3, 2, 2, 3, 2), {"strides": [1, 2, 2], "pads": [1] * 6}),
    "depthwise-three-axes": ((1, 2, 5, 6, 7), (2, 1, 2, 3, 2), {"group": 2}),
}


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("case", CONVS)
def test_conv(agrees, draw, case, bias):
    x, W, attributes = CONVS[case]
    agrees("Conv", [draw(*x), draw(*W), *([draw(W[0])] if bias else [])], attributes)


@pytest.mark.parametrize("case", ["plain", "grouped", "dilated", "one-axis", "three-axes"])
def test_conv_in_many_pieces_is_the_same(draw, monkeypatch, case):
    """Large values are unrolled piece by piece; the pieces fit together."""
    x, W, attributes = CONVS[case]
    inputs = [draw(*x), draw(*W), draw(W[0])]
    (whole,) = run_op("Conv", inputs, attributes, opset=18)
    monkeypatch.setattr(conv, "_BUFFER_BYTES", 1)
    (pieces,) = run_op("Conv", inputs, attributes, opset=18)
    np.testing.assert_allclose(pieces, whole, rtol=1e-13, atol=1e-13)


def test_conv_has_no_rounding_beyond_float64(draw):
    x, W = draw(1, 64, 14, 14), draw(32, 64, 3, 3)
    (y,) = run_op("Conv", [x, W], {"pads": [1, 1, 1, 1]}, opset=18)
    exact = torch.nn.functional.conv2d(
        torch.tensor(x).double(), torch.tensor(W).double(), padding=1
    )
    np.testing.assert_allclose(y, exact.numpy(), rtol=1e-12, atol=1e-12)


TRANSPOSED = {
    "plain": ((2, 3, 5, 6), (3, 4, 3, 2), {}),
    "strided": ((2, 3, 5, 6), (3, 4, 3, 2), {"strides": [2, 3]}),
    "grouped": ((2, 4, 5, 6), (4, 3, 3, 3), {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "depthwise": ((2, 4, 5, 6), (4, 1, 2, 2), {"group": 4, "strides": [2, 2]}),
    "padded-unevenly": ((1, 2, 5, 6), (2, 3, 4, 4), {"strides": [2, 2], "pads": [0, 1, 2, 3]}),
    "dilated": ((1, 2, 5, 6), (2, 3, 3, 3), {"dilations": [2, 3]}),
    "output-padding": (
        (1, 2, 5, 6),
        (2, 3, 3, 3),
        {"strides": [2, 3], "output_padding": [1, 2], "pads": [1, 1, 1, 1]},
    ),
    "output-padding-beyond": ((1, 2, 4), (2, 3, 2), {"strides": [4], "output_padding": [3]}),
    "output-shape": ((1, 2, 5, 6), (2, 3, 4, 4), {"strides": [2, 2], "output_shape": [11, 12]}),
    "output-shape-upper": (
        (1, 2, 5, 6),
        (2, 3, 4, 4),
        {"strides": [2, 2], "output_shape": [11, 12], "auto_pad": "SAME_UPPER"},
    ),
    "output-shape-lower": (
        (1, 2, 5, 6),
        (2, 3, 4, 4),
        {"strides": [2, 2], "output_shape": [11, 12], "auto_pad": "SAME_LOWER"},
    ),
    "same-upper": ((1, 2, 5, 6), (2, 3, 3, 4), {"strides": [2, 3], "auto_pad": "SAME_UPPER"}),
    "same-lower": ((1, 2, 5, 6), (2, 3, 3, 4), {"strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    "same-small-kernel": (
        (1, 2, 5, 6),
        (2, 3, 1, 2),
        {"strides": [2, 3], "auto_pad": "SAME_UPPER"},
    ),
    "valid": ((1, 2, 5, 6), (2, 3, 3, 4), {"strides": [2, 3], "auto_pad": "VALID"}),
    "one-axis": ((2, 4, 7), (4, 3, 5), {"group": 2, "pads": [3, 1], "strides": [3]}),
    "three-axes": ((1, 2, 3, 4, 5), (2, 3, 2, 3, 2), {"strides": [2, 1, 2], "pads": [1] * 6}),
}


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("case", TRANSPOSED)
def test_conv_transpose(agrees, draw, case, bias):
    x, W, attributes = TRANSPOSED[case]
    cout = W[1] * attributes.get("group", 1)
    agrees("ConvTranspose", [draw(*x), draw(*W), *([draw(cout)] if bias else [])], attributes)


def test_a_weight_for_other_channels_is_refused(draw):
    with pytest.raises(ValueError, match="does not fit 3 channels"):
        run_op("Conv", [draw(1, 3, 5, 5), draw(4, 2, 3, 3)], {}, opset=18)
