"""Operators that the ONNX reference computes: in float64, or not at all."""

import numpy as np
import pytest
import torch

from bnfold.float64 import UnsupportedOperatorError, run_op

HIDDEN, INPUT = 3, 4


def reorder(weight, order):
    blocks = weight.detach().numpy().reshape(len(order), HIDDEN, -1)
    return blocks[order].reshape(len(order) * HIDDEN, -1)


@pytest.mark.parametrize(
    ("op", "layer", "order", "attributes"),
    [
        ("RNN", torch.nn.RNN, [0], {}),
        ("GRU", torch.nn.GRU, [1, 0, 2], {"linear_before_reset": 1}),
        ("LSTM", torch.nn.LSTM, [0, 3, 1, 2], {}),
    ],
)
def test_recurrent_layers_are_computed_in_float64(op, layer, order, attributes):
    torch.manual_seed(0)
    net = layer(INPUT, HIDDEN).double()
    x = torch.randn(5, 2, INPUT, dtype=torch.float64)
    W, R = (reorder(w, order)[None] for w in (net.weight_ih_l0, net.weight_hh_l0))
    B = np.concatenate([reorder(b, order).ravel() for b in (net.bias_ih_l0, net.bias_hh_l0)])[None]
    inputs = [x.numpy(), W, R, B]
    (y,) = run_op(op, inputs, {"hidden_size": HIDDEN, **attributes}, opset=14)
    np.testing.assert_allclose(y[:, 0], net(x)[0].detach().numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("direction", ["reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_recurrent_layers_in_other_directions(agrees, draw, op, gates, direction):
    count = 2 if direction == "bidirectional" else 1
    shapes = [(count, gates * HIDDEN, INPUT), (count, gates * HIDDEN, HIDDEN)]
    inputs = [draw(5, 2, INPUT), *(draw(*s) for s in shapes), draw(count, 2 * gates * HIDDEN)]
    agrees(op, inputs, {"hidden_size": HIDDEN, "direction": direction}, opset=14)


def test_grid_sample(agrees, draw):
    grid = np.random.default_rng(0).uniform(-1, 1, (1, 3, 4, 2)).astype(np.float32)
    for mode in ("linear", "nearest"):
        agrees("GridSample", [draw(1, 2, 5, 6), grid], {"mode": mode}, opset=20)


def test_others(agrees, draw):
    agrees("Det", [draw(2, 3, 3)])
    agrees("ReverseSequence", [draw(4, 3), np.array([2, 4, 1])])
    agrees(
        "BitShift", [np.array([1, 2], np.uint8), np.array([1, 3], np.uint8)], {"direction": "LEFT"}
    )
    agrees("CenterCropPad", [draw(4, 5), np.array([2, 7])])


def test_what_would_be_rounded_to_float32_is_refused():
    """A reference that rounds would hide the very errors that it is there to show."""
    counts = {"ngram_counts": [0], "ngram_indexes": [0, 1], "pool_int64s": [2, 3]}
    attributes = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0}
    with pytest.raises(UnsupportedOperatorError, match="TfIdfVectorizer is known only in float32"):
        run_op("TfIdfVectorizer", [np.array([2, 3, 3])], {**counts, **attributes}, opset=9)


def test_windows_are_computed_in_float64(agrees):
    (window,) = agrees("HannWindow", [np.array(5)], opset=17)
    assert window.tolist() != window.astype(np.float32).tolist()


def test_what_reads_bits_is_refused():
    with pytest.raises(UnsupportedOperatorError, match="BitCast: the bits of a float"):
        run_op("BitCast", [np.ones(2)], {"to": 6}, opset=26)
