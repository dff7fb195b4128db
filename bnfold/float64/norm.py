"""Normalisations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.moments import mean, variance


def _per_channel(parameter: Array, x: Array) -> Array:
    """[C], or [C, *spatial] as with `spatial = 0`, shaped to broadcast against [N, C, *spatial]."""
    if parameter.ndim > 1:
        return parameter
    return parameter.reshape(-1, *[1] * max(x.ndim - 2, 0))


def batch_normalization(call: Call) -> Array | Sequence[Array]:
    """BatchNormalization of every opset.

        y = (x - mean) / sqrt(variance + epsilon) * scale + bias

    The stored statistics are used unless the node trains: `training_mode` (opset 14), more than
    one output (opset 7 to 13), no `is_test` (before 7). Then it is the batch's own, and the running
    statistics are `momentum * stored + (1 - momentum) * batch`.
    """
    x, stored_mean, stored_var = call[0], call[3], call[4]
    scale, bias = _per_channel(call[1], x), _per_channel(call[2], x)
    epsilon = call.real("epsilon", 1e-5)
    if not _is_training(call):
        shift, var = _per_channel(stored_mean, x), _per_channel(stored_var, x)
        return (x - shift) * (scale / np.sqrt(var + epsilon)) + bias
    per_feature = call.opset < 9 and not call.integer("spatial", 1)
    axes = (0,) if per_feature else (0, *range(2, x.ndim))
    batch_mean, batch_var = mean(x, axes, keepdims=False), variance(x, axes, keepdims=False)
    momentum = call.real("momentum", 0.9)
    y = (x - _per_channel(batch_mean, x)) * scale
    y = y / np.sqrt(_per_channel(batch_var, x) + epsilon) + bias
    pairs = (stored_mean, batch_mean), (stored_var, batch_var)
    running = [m * momentum + b * (1 - momentum) for m, b in pairs]
    return [y, *running, batch_mean, batch_var][: call.n_outputs]


def _is_training(call: Call) -> bool:
    if call.opset >= 14:
        return bool(call.integer("training_mode", 0))
    if call.opset >= 7:
        return call.n_outputs > 1
    return not call.integer("is_test", 0)


def _standardise(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    y: Array = (x - mean(x, axes)) / np.sqrt(variance(x, axes) + epsilon)
    return y


def instance_normalization(call: Call) -> Array:
    """InstanceNormalization: each channel of each sample by itself."""
    x = call[0]
    y = _standardise(x, tuple(range(2, x.ndim)), call.real("epsilon", 1e-5))
    return y * _per_channel(call[1], x) + _per_channel(call[2], x)


def group_normalization(call: Call) -> Array:
    """GroupNormalization: scale and bias per group in opset 18, per channel from 21."""
    x, scale, bias = call[0], call[1], call[2]
    groups = call.integer("num_groups", 1)
    grouped = x.reshape(x.shape[0], groups, -1)
    y = _standardise(grouped, (2,), call.real("epsilon", 1e-5)).reshape(x.shape)
    if call.opset < 21:
        scale, bias = (np.repeat(p, x.shape[1] // groups) for p in (scale, bias))
    return y * _per_channel(scale, x) + _per_channel(bias, x)


def layer_normalization(call: Call) -> Sequence[Array]:
    """LayerNormalization over the axes from `axis` on; also the mean and 1 / deviation."""
    x, scale, bias = call[0], call[1], call.optional(2)
    axes = tuple(range(call.integer("axis", -1) % x.ndim, x.ndim))
    middle = mean(x, axes)
    inverse = 1 / np.sqrt(variance(x, axes) + call.real("epsilon", 1e-5))
    y = (x - middle) * inverse * scale
    return [y if bias is None else y + bias, middle, inverse][: call.n_outputs]


def rms_normalization(call: Call) -> Array:
    """RMSNormalization over the axes from `axis` on."""
    x = call[0]
    axes = tuple(range(call.integer("axis", -1) % x.ndim, x.ndim))
    mean_square = mean(x * x, axes)
    y: Array = x / np.sqrt(mean_square + call.real("epsilon", 1e-5)) * call[1]
    return y


def lp_normalization(call: Call) -> Array:
    """LpNormalization; a norm of 0 leaves 0."""
    x, axis = call[0], call.integer("axis", -1)
    length = np.linalg.norm(x, ord=call.integer("p", 2), axis=axis, keepdims=True)
    return np.asarray(np.divide(x, length, out=np.zeros_like(x), where=length != 0))


def mean_variance_normalization(call: Call) -> Array:
    """MeanVarianceNormalization: 1e-9 is added to the deviation, as the function body says."""
    x, axes = call[0], tuple(call.integers("axes") or (0, 2, 3))
    deviation = np.sqrt(variance(x, axes))
    y: Array = (x - mean(x, axes)) / (deviation + float(np.float32(1e-9)))
    return y


def lrn(call: Call) -> Array:
    """LRN: squares summed over a window of `size` channels."""
    x, size = call[0], call.integer("size", 1)
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    sums = np.cumsum(np.pad(x * x, [(0, 0), (before + 1, after), *[(0, 0)] * (x.ndim - 2)]), axis=1)
    square_sum = sums[:, size:] - sums[:, :-size]
    alpha, beta = call.real("alpha", 1e-4), call.real("beta", 0.75)
    return np.asarray(x / (call.real("bias", 1.0) + alpha / size * square_sum) ** beta)


OPERATORS: Mapping[str, Operator] = {
    "BatchNormalization": batch_normalization,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LRN": lrn,
    "LayerNormalization": layer_normalization,
    "LpNormalization": lp_normalization,
    "MeanVarianceNormalization": mean_variance_normalization,
    "RMSNormalization": rms_normalization,
}
