"""A Conv, ConvTranspose or AveragePool computes what the convolution does that it is taken for."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from bnfold.fold.facts.graph import Facts
from bnfold.fold.merge.kernel import Axis, Kernel
from bnfold.fold.merge.window_kernel import kernel_of
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import Array, model, weight

CHANNELS = 4


def read(
    call: str, x: str, opset: int = 19, **constants: Array
) -> tuple[onnx.ModelProto, Kernel | None]:
    """The model of one operator, and what it is taken for."""
    built = model(f"(float[{x}] x) => (float[] y) {{ y = {call} }}", constants, opset=opset)
    loaded = ir.from_proto(built)
    return built, kernel_of(next(iter(loaded.graph)), Facts(loaded))


def written(kernel: Kernel, x: tuple[int, ...]) -> onnx.ModelProto:
    """The Conv or ConvTranspose that says outright where its taps lie."""
    node = kernel.as_node(None)
    constants = {"w": kernel.weight.value(), "b": np.asarray(kernel.bias)}
    stored = [onnx.numpy_helper.from_array(a.astype(np.float32), n) for n, a in constants.items()]
    made = onnx.helper.make_node(
        node.op_type, ["x", "w", "b"], ["y"], **dict(node.attributes or {})
    )
    ends = [onnx.helper.make_tensor_value_info(n, 1, s) for n, s in (("x", x), ("y", None))]
    graph = onnx.helper.make_graph([made], "g", ends[:1], ends[1:], stored)
    opsets = [onnx.helper.make_opsetid("", 19)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _drawn(draw: random.Random) -> tuple[str, str, int, tuple[int, ...], dict[str, Array]]:
    count = draw.choice([1, 1, 2])
    op = draw.choice(["Conv", "ConvTranspose", "ConvTranspose", "AveragePool"])
    taps = [draw.choice([1, 2, 3]) for _ in range(count)]
    given: dict[str, Any] = {
        "kernel_shape": taps,
        "strides": [draw.choice([1, 2, 3]) for _ in taps],
    }
    opset = draw.choice([7, 10, 11, 19])
    if op != "AveragePool":
        given["dilations"] = [draw.choice([1, 1, 2]) for _ in taps]
    padding = draw.choice(["pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", ""])
    if padding == "pads":
        given["pads"] = [draw.randrange(0, taps[i % count]) for i in range(2 * count)]
    elif padding:
        given["auto_pad"] = f'"{padding}"'
    constants: dict[str, Array] = {}
    group = draw.choice([1, 2, 4])
    if op == "AveragePool":
        given["count_include_pad"] = draw.choice([0, 1])
        if opset >= 10:
            given["ceil_mode"] = draw.choice([0, 0, 1])
    else:
        given["group"] = group
        shape = (CHANNELS, 2) if op == "ConvTranspose" else (8, CHANNELS // group)
        constants = {"w": weight(*shape, *taps)}
        if draw.random() < 0.5:
            constants["b"] = weight(2 * group if op == "ConvTranspose" else 8, seed=1)
        if op == "ConvTranspose" and draw.random() < 0.4:
            given["output_padding"] = [draw.randrange(0, stride + 1) for stride in given["strides"]]
    attributes = ", ".join(f"{name} = {value}" for name, value in given.items())
    sizes = tuple(draw.choice([3, 4, 5, 6]) for _ in taps)
    dims = ", ".join(str(n) if draw.random() < 0.7 else f"s{i}" for i, n in enumerate(sizes))
    call = f"{op}<{attributes}>({', '.join(['x', *constants])})"
    return call, f"N, {CHANNELS}, {dims}", opset, (2, CHANNELS, *sizes), constants


def test_what_it_is_taken_for_computes_the_same_in_onnxruntime() -> None:
    draw, count = random.Random(8), 0
    for _ in range(250):
        call, dims, opset, shape, constants = _drawn(draw)
        built, kernel = read(call, dims, opset, **constants)
        if kernel is None or not kernel.is_an_operator:
            continue
        x = {"x": weight(*shape, seed=2)}
        old, new = run_runtime(built, x), run_runtime(written(kernel, shape), x)
        if old is None:
            continue
        count += 1
        assert new is not None
        assert new[0].shape == old[0].shape, call
        np.testing.assert_allclose(new[0], old[0], rtol=0, atol=1e-5, err_msg=call)
    assert count > 80


@pytest.mark.parametrize(
    ("call", "axis"),
    [
        ('Conv<auto_pad = "SAME_UPPER">(x, w)', Axis(3, begin=1, end=1)),
        ('Conv<auto_pad = "SAME_UPPER", strides = [2]>(x, w)', None),
        ("Conv<pads = [-1, 0]>(x, w)", None),
        ("Conv<dilations = [2]>(x, w)", Axis(3, dilation=2)),
        ("Conv<group = 0>(x, w)", None),
        ("Conv<group = 4>(x, w)", None),
        ("Conv(x, w, c)", None),
        ("Conv(x, f)", None),
        ("ConvTranspose(x, t)", Axis(3)),
        ("ConvTranspose(x, t, c)", None),
        ("ConvTranspose<output_shape = [9]>(x, t)", None),
        ("ConvTranspose<strides = [2], output_padding = [1]>(x, t)", Axis(3, 2, end=-1)),
        ("ConvTranspose<output_padding = [1]>(x, t)", None),
        ('ConvTranspose<auto_pad = "SAME_UPPER">(x, t)', Axis(3, begin=1, end=1)),
        ('ConvTranspose<auto_pad = "SAME_UPPER", strides = [3]>(x, t)', Axis(3, 3)),
        ('ConvTranspose<auto_pad = "SAME_LOWER", strides = [2]>(x, t)', None),
        ('ConvTranspose<auto_pad = "SAME_UPPER", strides = [5]>(x, t)', None),
        ('ConvTranspose<auto_pad = "SAME_UPPER", strides = [3], dilations = [2]>(x, t)', None),
        ('ConvTranspose<auto_pad = "SAME_UPPER", strides = [3], output_padding = [1]>(x, t)', None),
        ("AveragePool<kernel_shape = [2]>(x)", Axis(2)),
        ("AveragePool<kernel_shape = [2], ceil_mode = 1>(x)", None),
        ("AveragePool<kernel_shape = [2], pads = [1, 0]>(x)", None),
        (
            "AveragePool<kernel_shape = [2], pads = [1, 0], count_include_pad = 1>(x)",
            Axis(2, begin=1),
        ),
        ('AveragePool<kernel_shape = [2], strides = [2], auto_pad = "SAME_UPPER">(x)', None),
    ],
)
def test_where_its_taps_lie(call: str, axis: Axis | None) -> None:
    """In a row of unknown length."""
    constants = {"w": weight(6, 4, 3), "t": weight(4, 6, 3), "c": weight(5)}
    _, kernel = read(call, "N, 4, L", **constants)
    assert (None if kernel is None else kernel.axes) == (None if axis is None else (axis,))


@pytest.mark.parametrize(
    ("call", "x", "opset"),
    [
        # without axes in space, channels or a type, and of a window that is larger than the input
        ("Conv(x, m)", "N, 4", 19),
        ("AveragePool<kernel_shape = [2]>(x)", "N, C, L", 19),
        ("AveragePool<kernel_shape = [3]>(x)", "N, 4, 2", 19),
        ("Conv(x, w)", "N, 4, 2", 19),
    ],
)
def test_what_is_none(call: str, x: str, opset: int) -> None:
    _, kernel = read(call, x, opset, w=weight(6, 4, 3), m=weight(6, 4))
    assert kernel is None


def test_a_mean_that_counts_its_padding_since_opset_7() -> None:
    call = "AveragePool<kernel_shape = [2], pads = [1, 0], count_include_pad = 1>(x)"
    assert read(call, "N, 4, L", 7)[1] is not None
