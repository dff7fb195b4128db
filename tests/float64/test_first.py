"""Operators agree with values worked out by hand."""

import numpy as np

from bnfold.float64 import run_op


def test_conv_of_ones_counts_the_taps_inside_the_border():
    x = np.ones((1, 1, 3, 3), np.float32)
    (y,) = run_op("Conv", [x, x], {"pads": [1, 1, 1, 1]}, opset=17)
    assert y.tolist() == [[[[4, 6, 4], [6, 9, 6], [4, 6, 4]]]]
    assert y.dtype == np.float64
