"""The networks that the factor is chosen on: common shapes, and the ones that are hard to judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx

from benchmarks.factor.builder import Builder

Network = Callable[[int], onnx.ModelProto]
"""A network from a seed."""


def plain(
    seed: int,
    *,
    depth: int = 10,
    width: int = 16,
    size: int = 12,
    dtype: str = "float32",
    spread: float = 1.0,
    offset: float = 0.0,
    dead: int = 0,
) -> onnx.ModelProto:
    """`depth` times Conv, BatchNormalization, Relu; the output is the last feature map."""
    net = Builder(seed, (3, size, size), spread=spread, offset=offset)
    x = "x"
    for _ in range(depth):
        x = net.relu(net.norm(net.conv(x, width), dead=dead))
    return net.model(net.conv(x, width, 1), dtype=dtype)


def pre_activation(seed: int, *, depth: int = 10) -> onnx.ModelProto:
    """`depth` times Conv, Relu, BatchNormalization: each batch norm precedes a padded Conv."""
    net = Builder(seed, (3, 12, 12))
    x = net.conv("x", 16)
    for _ in range(depth):
        x = net.conv(net.norm(net.relu(x)), 16)
    return net.model(x)


def unpadded(seed: int) -> onnx.ModelProto:
    """Ten 1x1 layers with the batch norm after the activation: folds go forward."""
    net = Builder(seed, (8, 6, 6))
    x = net.conv("x", 24, 1)
    for _ in range(10):
        x = net.conv(net.norm(net.relu(x)), 24, 1)
    return net.model(x)


def residual(
    seed: int, *, blocks: int = 8, softmax: bool = False, dtype: str = "float32"
) -> onnx.ModelProto:
    """A ResNet of bottlenecks with a classifier."""
    net = Builder(seed, (3, 32, 32))
    x = net.max_pool(net.relu(net.norm(net.conv("x", 32))))
    for block in range(blocks):
        y = net.relu(net.norm(net.conv(x, 16, 1)))
        y = net.relu(net.norm(net.conv(y, 16)))
        x = net.relu(net.add(x, net.norm(net.conv(y, 32, 1), gain=0.5)))
        x = net.max_pool(x) if block == blocks // 2 else x
    x = net.gemm(net.mean_pool(x), 100)
    return net.model(net.softmax(x) if softmax else x, dtype=dtype)


def mobile(seed: int) -> onnx.ModelProto:
    """Inverted residuals with depthwise convolutions."""
    net = Builder(seed, (3, 32, 32))
    x = net.relu(net.norm(net.conv("x", 16, stride=2)))
    for _ in range(6):
        y = net.relu(net.norm(net.conv(x, 64, 1)))
        y = net.relu(net.norm(net.conv(y, 64, group=64)))
        x = net.add(x, net.norm(net.conv(y, 16, 1), gain=0.5))
    return net.model(net.gemm(net.mean_pool(x), 50))


def dense(seed: int) -> onnx.ModelProto:
    """A DenseNet block: BatchNormalization, Relu, Conv, and everything concatenated."""
    net = Builder(seed, (3, 16, 16))
    x = net.conv("x", 16)
    for _ in range(8):
        y = net.conv(net.relu(net.norm(x)), 16, 1)
        x = net.concat(x, net.conv(net.relu(net.norm(y)), 8))
    return net.model(net.gemm(net.mean_pool(net.relu(net.norm(x))), 10))


def u_net(seed: int) -> onnx.ModelProto:
    """Down and up again with ConvTranspose and skips; the output is a map."""
    net = Builder(seed, (3, 32, 32))
    down, x = [], "x"
    for width in (8, 16, 32):
        x = net.relu(net.norm(net.conv(x, width)))
        down.append(x)
        x = net.max_pool(x)
    for width, skip in zip((32, 16, 8), reversed(down), strict=True):
        x = net.relu(net.norm(net.conv_transpose(x, width)))
        x = net.relu(net.norm(net.conv(net.concat(x, skip), width)))
    return net.model(net.conv(x, 5, 1))


def perceptron(seed: int) -> onnx.ModelProto:
    """Ten layers of Gemm, BatchNormalization, Relu."""
    net = Builder(seed, (32,))
    x = "x"
    for _ in range(10):
        x = net.relu(net.norm(net.gemm(x, 64)))
    return net.model(net.gemm(x, 1000))


def quantised(seed: int) -> onnx.ModelProto:
    """Six layers with 8-bit weights and activations: a rounding error can flip a whole step."""
    net = Builder(seed, (3, 16, 16))
    x = net.quantised("x")
    for _ in range(6):
        x = net.quantised(net.relu(net.norm(net.quantised_conv(x, 16))))
    return net.model(net.conv(x, 10, 1))


NETWORKS: Mapping[str, Network] = {
    "plain, 10 layers": plain,
    "plain, 50 layers": lambda seed: plain(seed, depth=50),
    "plain, 10 layers, float16": lambda seed: plain(seed, dtype="float16"),
    "ResNet, 50 layers, float16": lambda seed: residual(seed, blocks=16, dtype="float16"),
    "large activations": lambda seed: plain(seed, spread=1e3),
    "mean of 30 deviations": lambda seed: plain(seed, offset=30.0),
    "tiny variances": lambda seed: plain(seed, spread=1e-2),
    "dead channels": lambda seed: plain(seed, dead=4),
    "batch norm after the activation": pre_activation,
    "1x1, batch norm after the activation": unpadded,
    "ResNet": residual,
    "ResNet, 50 layers": lambda seed: residual(seed, blocks=16),
    "ResNet with Softmax": lambda seed: residual(seed, softmax=True),
    "MobileNet": mobile,
    "DenseNet": dense,
    "U-Net": u_net,
    "perceptron": perceptron,
    "8 bits": quantised,
}

FAULTY = ("plain, 10 layers", "tiny variances", "perceptron", "ResNet")
"""Those that faults are planted in, in one of the first `LAYERS` layers."""

LAYERS = 10
