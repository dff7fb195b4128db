"""Networks in a few lines, with batch norms whose statistics are those of their own input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bnfold.float64 import run_op

Array = np.ndarray[Any, np.dtype[Any]]

OPSET = 17
EPSILON = 1e-5


class Builder:
    """A graph that grows node by node and is computed as it grows.

    Methods take and give tensor names. `offset` adds to each batch norm's input mean (in standard
    deviations) through the bias before it, `spread` multiplies every layer's standard deviation.
    """

    def __init__(
        self, seed: int, shape: Sequence[int], *, spread: float = 1.0, offset: float = 0.0
    ):
        self._rng = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, Array] = {}
        self._values: dict[str, Array] = {
            "x": self._rng.standard_normal((4 if len(shape) > 1 else 256, *shape))
        }
        self._spread, self._offset = spread, offset
        self._shape = tuple(shape)
        self._count = 0

    def channels(self, name: str) -> int:
        """The extent of axis 1."""
        return int(self._values[name].shape[1])

    def extent(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor for the four calibration samples."""
        return tuple(self._values[name].shape)

    def conv(self, x: str, out: int, kernel: int = 3, *, stride: int = 1, group: int = 1) -> str:
        """Conv with 'same' padding."""
        weight = self._gaussian(out, self.channels(x) // group, kernel, kernel)
        inputs = [x, self._stored("w", weight), self._bias(out)]
        pads = [kernel // 2] * 4
        return self._node("Conv", inputs, pads=pads, strides=[stride] * 2, group=group)

    def quantised(self, x: str) -> str:
        """QuantizeLinear and DequantizeLinear to 8 bits, over the range of the tensor."""
        scale = self._stored("qs", np.float32(np.abs(self._values[x]).max() / 127.0))
        zero = self._stored("qz", np.int8(0))
        q = self._node("QuantizeLinear", [x, scale, zero])
        return self._node("DequantizeLinear", [q, scale, zero])

    def quantised_conv(self, x: str, out: int) -> str:
        """Conv with 'same' padding and an 8-bit weight, one scale an output channel."""
        weight = self._gaussian(out, self.channels(x), 3, 3)
        scale = np.abs(weight).max(axis=(1, 2, 3)) / 127.0
        q = np.round(weight / scale[:, None, None, None]).astype(np.int8)
        stored = (
            self._stored("w", q),
            self._stored("ws", scale),
            self._stored("wz", q[:, 0, 0, 0] * 0),
        )
        w = self._node("DequantizeLinear", list(stored), axis=0)
        return self._node("Conv", [x, w, self._bias(out)], pads=[1] * 4)

    def conv_transpose(self, x: str, out: int) -> str:
        """ConvTranspose that doubles the extent of space."""
        weight = self._rng.standard_normal((self.channels(x), out, 2, 2))
        weight *= self._spread / np.sqrt(self.channels(x))
        inputs = [x, self._stored("w", weight), self._bias(out)]
        return self._node("ConvTranspose", inputs, strides=[2, 2])

    def gemm(self, x: str, out: int) -> str:
        """Gemm with its weight transposed, as torch exports a Linear."""
        inputs = [x, self._stored("w", self._gaussian(out, self.channels(x))), self._bias(out)]
        return self._node("Gemm", inputs, transB=1)

    def norm(self, x: str, *, dead: int = 0, gain: float = 1.0) -> str:
        """BatchNormalization with the mean and variance of its input; the first `dead` are off."""
        value = self._values[x]
        axes = tuple(i for i in range(value.ndim) if i != 1)
        mean, variance = value.mean(axis=axes), value.var(axis=axes)
        c = self.channels(x)
        scale = gain * self._rng.uniform(0.5, 1.5, c) * self._rng.choice([1, 1, 1, -1], c)
        shift = 0.3 * self._rng.standard_normal(c)
        scale[:dead], variance[:dead] = 1e-12, 0.0
        mean = mean + 0.05 * np.sqrt(variance) * self._rng.standard_normal(c)
        stored = [
            self._stored(n, v)
            for n, v in (("scale", scale), ("shift", shift), ("mean", mean), ("variance", variance))
        ]
        return self._node("BatchNormalization", [x, *stored], epsilon=EPSILON)

    def relu(self, x: str) -> str:
        """Relu."""
        return self._node("Relu", [x])

    def add(self, x: str, y: str) -> str:
        """The sum of two tensors."""
        return self._node("Add", [x, y])

    def concat(self, *xs: str) -> str:
        """The tensors one after the other, along channels."""
        return self._node("Concat", list(xs), axis=1)

    def max_pool(self, x: str) -> str:
        """MaxPool that halves the extent of space."""
        return self._node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def mean_pool(self, x: str) -> str:
        """The mean over space, flattened."""
        return self._node("Flatten", [self._node("GlobalAveragePool", [x])], axis=1)

    def softmax(self, x: str) -> str:
        """Softmax over the last axis."""
        return self._node("Softmax", [x], axis=-1)

    def model(self, output: str, *, dtype: str = "float32") -> onnx.ModelProto:
        """The network with a dynamic batch; weights rounded once, to `dtype`."""
        kind = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.FLOAT
        rank = self._values[output].ndim
        result = ["N", *self.extent(output)[1:]] if rank > 1 else ["N"]
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("x", kind, ["N", *self._shape])],
            [helper.make_tensor_value_info(output, kind, result)],
            [numpy_helper.from_array(_rounded(w, dtype), n) for n, w in self._weights.items()],
        )
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, ir_version=8, opset_imports=opset)

    def _gaussian(self, out: int, *rest: int) -> Array:
        weight = self._rng.standard_normal((out, *rest))
        return np.asarray(weight * self._spread * np.sqrt(2.0 / np.prod(rest)))

    def _bias(self, out: int) -> str:
        return self._stored("b", self._offset + 0.1 * self._rng.standard_normal(out))

    def _stored(self, what: str, array: Array) -> str:
        name = f"{what}{self._count}"
        self._weights[name] = np.asarray(array)
        return name

    def _node(self, op: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{op.lower()}{self._count}"
        self._count += 1
        name = f"{op}_{self._count}"
        self._nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        arrays = [self._values[i] if i in self._values else self._weights[i] for i in inputs]
        (self._values[output],) = run_op(op, arrays, attributes, opset=OPSET)
        return output


def _rounded(weight: Array, dtype: str) -> Array:
    return weight if weight.dtype.kind in "iu" else weight.astype(dtype)
