"""Graphs drawn at random: networks of the tests; images, attention and tables of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import onnx
import onnx.shape_inference

from tests.verify.drawn.network import drawn_network
from tests.verify.graphs import parsed

Array = npt.NDArray[np.generic]
Rng = np.random.Generator

ROWS = 11
"""Of every table: ids lie below."""

_ACTIVATIONS = (
    *("Relu", "LeakyRelu <alpha = 0.1>", "Elu <alpha = 0.7>", "HardSwish", "Sigmoid", "Softplus"),
)
_WINDOW = "kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]"
_POOLS = (
    *(f"MaxPool <{_WINDOW}, ceil_mode = {ceil}> (c)" for ceil in (0, 1)),
    *(f"AveragePool <{_WINDOW}, ceil_mode = 0, count_include_pad = {pad}> (c)" for pad in (0, 1)),
    'Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric"> (c, none, twice)',
    'Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (c, none, twice)',
    'Pad <mode = "reflect"> (c, around)',
)
_HEADS = (
    *("float y", "y = Identity (f)", "float y", "y = GlobalAveragePool (f)"),
    *("int64 y", "y = ArgMax <axis = 1> (f)", "float y", "y = Softmax <axis = 1> (f)"),
)
_IMAGE = """g (float[N,3,H,W] x) => ({output}) {{
    a = Conv <pads = [1, 1, 1, 1], strides = [{stride}, {stride}]> (x, w1)
    b = BatchNormalization (a, scale, shift, mean, variance)
    c = {first} (b)
    d = {pool}
    e = Conv <pads = [2, 2, 2, 2], dilations = [2, 2]> (d, w2, bias)
    f = {second} (e)
    {head}
}}"""
_ATTENTION = """g (float[N,L,8] x) => (float y) {{
    q = MatMul (x, wq)  k = MatMul (x, wk)  v = MatMul (x, wv)
    t = Transpose <perm = [0, 2, 1]> (k)  l = MatMul (q, t)  s = Mul (l, root)
    p = Softmax <axis = -1> (s)  o = MatMul (p, v)  r = Add (x, o)
    n = LayerNormalization <axis = -1> (r, scale, shift)
    h = MatMul (n, w1)  i = Add (h, bias)  a = {first} (i)  m = MatMul (a, w2)  y = Add (n, m)
}}"""
_TABLE = """g (int64[N,L] ids, int64[N,L] mask) => (float y) {{
    e = Gather (table, ids)  c = Cast <to = 1> (mask)  k = Unsqueeze (c, last)  h = Mul (e, k)
    l = MatMul (h, w1)  i = Add (l, bias)  a = {first} (i)
    n = LayerNormalization <axis = -1> (a, scale, shift)
    y = {sum}
}}"""


def drawn_graph(seed: int) -> onnx.ModelProto:
    """One of very many; what it is fed has open axes N, H, W or L."""
    rng = np.random.default_rng([seed, 5])
    return _KINDS[rng.integers(len(_KINDS))](rng)


def with_declared_shape(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose output declares what is known of its shape; some tools ask for it."""
    declared = onnx.shape_inference.infer_shapes(model)
    del declared.graph.value_info[:]
    return declared


def _network(rng: Rng) -> onnx.ModelProto:
    """Blocks in a row, each in a form that exporters write."""
    network = drawn_network(int(rng.integers(1 << 30)))
    return network.model(network.drawn_forms(rng))


def _image(rng: Rng) -> onnx.ModelProto:
    """Two convolutions with a pool, a Resize or a Pad between them."""
    head = 2 * int(rng.integers(len(_HEADS) // 2))
    text = _IMAGE.format(
        output=_HEADS[head],
        head=_HEADS[head + 1],
        stride=rng.integers(1, 3),
        pool=_POOLS[rng.integers(len(_POOLS))],
        **_activations(rng),
    )
    weights = {
        **_norm(rng, 6),
        **{"mean": rng.normal(size=6) / 2, "variance": rng.uniform(0.3, 2, 6)},
        **{"w1": _weight(rng, 6, 3, 3, 3), "w2": _weight(rng, 5, 6, 3, 3)},
        **{"bias": rng.normal(size=5), "none": np.zeros(0)},
        "twice": np.array([1.0, 1.0, 2.0, 2.0]),
        "around": np.array([0, 0, 1, 0, 0, 0, 0, 1]),
    }
    return _typed(text, weights)


def _attention(rng: Rng) -> onnx.ModelProto:
    """A head of attention, a norm, and a product behind it."""
    weights = {name: _weight(rng, 8, 8) for name in ("wq", "wk", "wv", "w1", "w2")}
    more = {"bias": rng.normal(size=8), "root": np.array(8**-0.5)}
    return _typed(_ATTENTION.format(**_activations(rng)), {**weights, **more, **_norm(rng, 8)})


def _table(rng: Rng) -> onnx.ModelProto:
    """Rows of a table by ids, some of them masked, and a product behind them."""
    sums = ("Identity (n)", "ReduceSum <keepdims = 0> (n, along)")
    weights = {
        **{"table": rng.normal(size=(ROWS, 8)), "w1": _weight(rng, 8, 8)},
        **{"bias": rng.normal(size=8), "last": np.array([2]), "along": np.array([1])},
        **_norm(rng, 8),
    }
    text = _TABLE.format(sum=sums[rng.integers(len(sums))], **_activations(rng))
    return _typed(text, weights)


_KINDS: tuple[Callable[[Rng], onnx.ModelProto], ...] = (
    *(_network, _network, _image, _image),
    *(_attention, _table),
)


def _activations(rng: Rng) -> dict[str, str]:
    return {name: str(rng.choice(_ACTIVATIONS)) for name in ("first", "second")}


def _norm(rng: Rng, channels: int) -> dict[str, Array]:
    return {"scale": rng.uniform(0.5, 1.5, channels), "shift": rng.normal(size=channels)}


def _weight(rng: Rng, *shape: int) -> Array:
    """[Cout, Cin, *kernel], or [rows, columns]."""
    return np.asarray(rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])))


def _typed(text: str, weights: Mapping[str, Array]) -> onnx.ModelProto:
    """The model with those weights that it reads, in float32."""
    every = parsed(text)
    read = {name for node in every.graph.node for name in node.input}
    model = parsed(text, **{name: each for name, each in weights.items() if name in read})
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model
