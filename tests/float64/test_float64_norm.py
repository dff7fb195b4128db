"""Normalisations, and the batch norms of every opset."""

import numpy as np
import pytest

from bnfold.float64 import run_op


def statistics(draw, channels):
    return [draw(channels), draw(channels), draw(channels), np.abs(draw(channels)) + 0.1]


@pytest.mark.parametrize("opset", [7, 8, 9, 14, 15, 22])
@pytest.mark.parametrize("sizes", [(), (7,), (5, 6), (2, 3, 4)])
def test_batch_norm(agrees, draw, sizes, opset):
    x = draw(2, 3, *sizes)
    agrees("BatchNormalization", [x, *statistics(draw, 3)], {"epsilon": 0.01}, opset=opset)


def test_batch_norm_has_the_default_epsilon_of_the_schema():
    """The default is the float32 nearest to 1e-5, and it is added to the variance."""
    x, one, zero = np.full((1, 1), 3.0), np.ones(1), np.zeros(1)
    (y,) = run_op("BatchNormalization", [x, one, zero, zero, zero], {}, opset=15)
    np.testing.assert_allclose(y.item(), 3.0 / np.sqrt(np.float64(np.float32(1e-5))), rtol=1e-15)


@pytest.mark.parametrize("momentum", [0.9, 0.3])
def test_batch_norm_in_training_mode_uses_the_batch(agrees, draw, momentum):
    attributes = {"training_mode": 1, "momentum": momentum}
    x = draw(4, 3, 5)
    agrees("BatchNormalization", [x, *statistics(draw, 3)], attributes, opset=15, n_outputs=3)


@pytest.mark.parametrize(
    ("opset", "attributes", "n_outputs", "trains"),
    [
        (6, {}, 1, True),
        (6, {"is_test": 1}, 1, False),
        (6, {"is_test": 1}, 5, False),
        (8, {}, 1, False),
        (8, {}, 5, True),
        (9, {"momentum": 0.5}, 1, False),
        (9, {"momentum": 0.5}, 5, True),
        (14, {}, 1, False),
        (14, {"training_mode": 1}, 1, True),
    ],
)
def test_when_a_batch_norm_trains(draw, opset, attributes, n_outputs, trains):
    x = draw(4, 3, 5)
    inputs = [x, *statistics(draw, 3)]
    y = run_op("BatchNormalization", inputs, attributes, opset=opset, n_outputs=n_outputs)[0]
    scale, bias, mean, var = (p.astype(np.float64)[:, None] for p in inputs[1:])
    if trains:
        wide = x.astype(np.float64)
        mean, var = wide.mean(axis=(0, 2), keepdims=True), wide.var(axis=(0, 2), keepdims=True)
    expected = (x - mean) / np.sqrt(var + np.float64(np.float32(1e-5))) * scale + bias
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_old_batch_norm_that_is_not_spatial_has_statistics_per_position(draw):
    x, parameters = draw(2, 3, 4), [draw(3, 4) for _ in range(3)]
    variance = np.abs(draw(3, 4)) + 0.1
    inputs = [x, *parameters, variance]
    (y,) = run_op("BatchNormalization", inputs, {"spatial": 0}, opset=8)
    scale, bias, mean = (p.astype(np.float64) for p in parameters)
    expected = (x - mean) / np.sqrt(variance + np.float64(np.float32(1e-5))) * scale + bias
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize("sizes", [(7,), (5, 6), (2, 3, 4)])
def test_instance_norm(agrees, draw, sizes):
    agrees("InstanceNormalization", [draw(2, 3, *sizes), draw(3), draw(3)], {"epsilon": 1e-3})


@pytest.mark.parametrize(("opset", "parameters"), [(18, 2), (21, 6)])
def test_group_norm(agrees, draw, opset, parameters):
    inputs = [draw(2, 6, 4, 5), draw(parameters), draw(parameters)]
    agrees("GroupNormalization", inputs, {"num_groups": 2, "epsilon": 1e-3}, opset=opset)


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_layer_norm(agrees, draw, axis):
    x = draw(2, 3, 4)
    shape = x.shape[axis:]
    agrees("LayerNormalization", [x, draw(*shape), draw(*shape)], {"axis": axis}, n_outputs=3)
    agrees("LayerNormalization", [x, draw(*shape)], {"axis": axis, "epsilon": 0.1})


@pytest.mark.parametrize("axis", [-1, 1])
def test_rms_norm(agrees, draw, axis):
    x = draw(2, 3, 4)
    agrees("RMSNormalization", [x, draw(*x.shape[axis:])], {"axis": axis}, opset=23)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("axis", [-1, 1])
def test_lp_norm(agrees, draw, axis, p):
    x = draw(2, 3, 4)
    x[0] = 0
    agrees("LpNormalization", [x], {"axis": axis, "p": p})


def test_mean_variance_norm(agrees, draw):
    agrees("MeanVarianceNormalization", [draw(2, 3, 4, 5)], {"axes": [0, 2, 3]})


@pytest.mark.parametrize("size", [1, 3, 5])
def test_lrn(agrees, draw, size):
    attributes = {"size": size, "alpha": 0.2, "beta": 0.6, "bias": 1.5}
    agrees("LRN", [draw(2, 7, 4, 5)], attributes)


@pytest.mark.parametrize(
    ("op", "parameters"),
    [("GlobalAveragePool", 0), ("InstanceNormalization", 2), ("ReduceMean", 0)],
)
def test_a_mean_of_nothing_is_nan_without_a_warning(op, parameters):
    inputs = [np.zeros((2, 3, 0, 4)), *[np.ones(3)] * parameters]
    (y,) = run_op(op, inputs, {"axes": [2, 3]} if op == "ReduceMean" else {}, opset=13)
    assert y.size == 0 or np.isnan(y).all()
