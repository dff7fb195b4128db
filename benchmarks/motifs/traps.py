"""Graphs in which some or all of it has to stay, or where the obvious rewrite is wrong."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_X = "(float[N,3,H,W] x) => (float[N,4,P,Q] y)"
_CONV = {"w": (4, 3, 3, 3), "b": (4,)}
_F16 = "(float16[N,3,H,W] x) => (float16[N,4,P,Q] y) { a = Conv(x, w, b) y = BN(a, n) }"


def _i(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


MOTIFS = (
    Motif(
        "constant-along-width",
        """(float[N,3,8,8] x) => (float[N,4,4,4] y) {
            a = Conv<strides=[2,2], pads=[1,1,1,1]>(x, w) m = Mul(a, c) y = Add(m, d) }""",
        {"w": (4, 3, 3, 3), "c": (4,), "d": (4,)},
        "Conv Mul Add",
    ),
    Motif(
        "constant-along-height",
        """(float[N,3,8,8] x) => (float[N,4,4,4] y) {
            a = Conv<strides=[2,2], pads=[1,1,1,1]>(x, w) y = Mul(a, c) }""",
        {"w": (4, 3, 3, 3), "c": (4, 1)},
        "Conv Mul",
    ),
    Motif(
        "constant-that-broadcasts-up",
        "(float[N,1,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) y = Mul(a, c) }",
        {"w": (1, 1, 3, 3), "c": (4, 1, 1)},
        "Conv Mul",
    ),
    Motif(
        "constant-of-higher-rank",
        "(float[N,3,L] x) => (float[2,N,4,M] y) { a = Conv(x, w) y = Mul(a, c) }",
        {"w": (4, 3, 3), "c": (2, 1, 4, 1)},
        "Conv Mul",
    ),
    Motif(
        "conv-output-is-returned",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y, float[N,4,P,Q] a) { a = Conv(x, w, b)
            y = BN(a, n) }""",
        {**_CONV, "n": Norm(4)},
        "Conv BatchNormalization | Conv Conv",
    ),
    Motif(
        "conv-output-read-in-an-if",
        """(bool c, float[N,3,H,W] x) => (float[N,4,P,Q] y, float[N,4,P,Q] z) {
            a = Conv(x, w, b) y = BN(a, n)
            z = If(c) <then_branch = then_g () => (float[N,4,P,Q] t) { t = Relu(a) },
                       else_branch = else_g () => (float[N,4,P,Q] e) { e = Tanh(a) }> }""",
        {**_CONV, "n": Norm(4)},
        "Conv BatchNormalization If Relu Tanh | Conv Conv If Relu Tanh",
    ),
    Motif(
        "conv-in-an-outer-scope",
        """(bool c, float[N,3,H,W] x) => (float[N,4,P,Q] z) {
            a = Conv(x, w, b)
            z = If(c) <then_branch = then_g () => (float[N,4,P,Q] t) { t = BN(a, n) },
                       else_branch = else_g () => (float[N,4,P,Q] e) { e = Tanh(a) }> }""",
        {**_CONV, "n": Norm(4)},
        "Conv If BatchNormalization Tanh",
    ),
    Motif(
        "weight-is-an-input-with-default",
        f"{_X} {{ a = Conv(x, w, b) y = BN(a, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv BatchNormalization",
        listed=("w",),
    ),
    Motif(
        "gamma-is-an-input-with-default",
        f"{_X} {{ a = Conv(x, w, b) y = BN(a, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv BatchNormalization",
        listed=("n_s",),
    ),
    Motif(
        "weight-at-run-time",
        """(float[N,3,H,W] x, float[4,3,3,3] w) => (float[N,4,P,Q] y) { a = Conv(x, w)
            y = BN(a, n) }""",
        {"n": Norm(4)},
        "Conv BatchNormalization",
    ),
    Motif(
        "statistics-at-run-time",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w)
            m = ReduceMean<keepdims=0>(a, axes)
            k = ReduceMean(a, axes) c = Sub(a, k) s = Mul(c, c)
            v = ReduceMean<keepdims=0>(s, axes) y = BatchNormalization(a, n_s, n_b, m, v) }""",
        {"w": (4, 3, 3, 3), "n": Norm(4), "axes": _i(0, 2, 3)},
        "Conv ReduceMean ReduceMean Sub Mul ReduceMean BatchNormalization",
    ),
    Motif(
        "training-mode",
        f"""{_X} {{ a = Conv(x, w)
            y, rm, rv = BatchNormalization<training_mode=1>(a, n_s, n_b, n_m, n_v) }}""",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Conv BatchNormalization",
    ),
    Motif(
        "zero-variance-and-epsilon",
        f"{_X} {{ a = Conv(x, w) y = BN<epsilon=0.0>(a, n) }}",
        {"w": (4, 3, 3, 3), "n": Norm(4, variance=0.0)},
        "Conv BatchNormalization",
    ),
    Motif(
        "negative-variance",
        f"{_X} {{ a = Conv(x, w) y = BN(a, n) }}",
        {"w": (4, 3, 3, 3), "n": Norm(4, variance=-0.5)},
        "Conv BatchNormalization",
    ),
    Motif(
        "mean-is-nan",
        f"{_X} {{ a = Conv(x, w) y = BatchNormalization(a, n_s, n_b, m, n_v) }}",
        {"w": (4, 3, 3, 3), "n": Norm(4), "m": np.array([1, np.nan, 0, 2], dtype=np.float32)},
        "Conv BatchNormalization",
    ),
    Motif(
        "float16-weight-would-overflow",
        _F16,
        {
            "w": np.full((4, 3, 3, 3), 300, dtype=np.float16),
            "b": np.zeros(4, dtype=np.float16),
            "n": Norm(4, variance=1e-6),
        },
        "Conv BatchNormalization",
        dtype="float16",
    ),
    Motif(
        "padded-conv-behind-a-shift",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            y = Conv<pads=[1,1,1,1]>(a, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu BatchNormalization Conv",
    ),
    Motif(
        "padding-behind-the-end-is-reached",
        """(float[N,4,8,8] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            y = Conv<pads=[0,0,1,1], strides=[2,2]>(a, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu BatchNormalization Conv | Relu Conv Add",
    ),
    Motif(
        "indices-of-a-maximum-of-equals",
        """(float[N,3,8,8] x) => (float[N,4,P,Q] y, int64[N,4,P,Q] z) { a = Conv(x, w, b)
            c, z = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a) y = Mul(c, k) }""",
        {**_CONV, "k": np.array([0, 1, 2, 3], dtype=np.float32).reshape(4, 1, 1)},
        "Conv MaxPool Mul",
    ),
    Motif(
        "same-padding-behind-a-shift",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            y = Conv<auto_pad="SAME_UPPER">(a, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu BatchNormalization Conv",
    ),
    Motif(
        "zero-pad-between-bn-and-conv",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = Pad(a, widths) y = Conv(p, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4), "widths": _i(0, 0, 1, 1, 0, 0, 1, 1)},
        "Relu BatchNormalization Pad Conv",
    ),
    Motif(
        "bn-between-transposed-convs",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y) { r = Relu(x) a = BN(r, n)
            y = ConvTranspose<strides=[2,2]>(a, w) }""",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Relu BatchNormalization ConvTranspose",
    ),
    Motif(
        "one-of-two-readers-cannot",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y, float[N,4,H,W] z) { r = Relu(x) a = BN(r, n)
            y = Conv(a, w) z = Sigmoid(a) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu BatchNormalization Conv Sigmoid",
    ),
    Motif(
        "relu-before-bn-and-sigmoid",
        f"{_X} {{ a = Conv(x, w, b) r = Relu(a) c = BN(r, n) y = Sigmoid(c) }}",
        {**_CONV, "n": Norm(4)},
        "Conv Relu BatchNormalization Sigmoid",
    ),
    Motif(
        "negative-scale-behind-relu",
        f"{_X} {{ a = Conv(x, w, b) r = Relu(a) y = Mul(r, c) }}",
        {**_CONV, "c": np.array([1, -2, 3, 4], dtype=np.float32).reshape(4, 1, 1)},
        "Conv Relu Mul",
    ),
    Motif(
        "negative-scale-behind-max-pool",
        f"{_X} {{ a = Conv(x, w, b) r = MaxPool<kernel_shape=[2,2]>(a) y = BN(r, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv MaxPool BatchNormalization",
    ),
    Motif(
        "counted-padding",
        f"""{_X} {{ a = Conv(x, w, b)
            p = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(a)
            c = BN(p, n) y = Relu(c) }}""",
        {**_CONV, "n": Norm(4)},
        "Conv AveragePool BatchNormalization Relu",
    ),
    Motif(
        "residual-of-the-input",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) { s = Sigmoid(x)
            a = Conv<pads=[1,1,1,1]>(s, w) r = Add(a, x)
            c = BN(r, n) y = Relu(c) }""",
        {"w": (4, 4, 3, 3), "n": Norm(4)},
        "Sigmoid Conv Add BatchNormalization Relu",
    ),
    Motif(
        "branch-that-broadcasts-over-channels",
        """(float[N,3,H,W] x, float[N,1,P,Q] z) => (float[N,4,P,Q] y) {
            a = Conv(x, w) m = Conv(z, v) s = Add(a, m) c = BN(s, n) y = Relu(c) }""",
        {"w": (4, 3, 3, 3), "v": (1, 1, 1, 1), "n": Norm(4)},
        "Conv Conv Add BatchNormalization Relu",
        sizes={"P": (7, 10), "Q": (9, 6)},
    ),
    Motif(
        "shift-behind-a-product",
        """(float[N,3,H,W] x, float[N,4,P,Q] z) => (float[N,4,P,Q] y) { a = Conv(x, w)
            g = Sigmoid(z)
            m = Mul(a, g) c = BN(m, n) y = Relu(c) }""",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Conv Sigmoid Mul BatchNormalization Relu",
        sizes={"P": (7, 10), "Q": (9, 6)},
    ),
    Motif(
        "concat-with-the-input",
        """(float[N,3,H,W] x) => (float[N,7,P,Q] y) { a = Conv<pads=[1,1,1,1]>(x, w)
            c = Concat<axis=1>(a, x)
            d = BN(c, n) y = Relu(d) }""",
        {"w": (4, 3, 3, 3), "n": Norm(7)},
        "Conv Concat BatchNormalization Relu",
    ),
    Motif(
        "reshape-mixes-batch-and-channels",
        """(float[N,4,2,2] x) => (float[M,8] y) { a = Relu(x) b = BN(a, n) f = Reshape(b, to)
            c = Gemm(f, w) y = Relu(c) }""",
        {"w": (8, 8), "n": Norm(4), "to": _i(-1, 8)},
        "Relu BatchNormalization Reshape Gemm Relu",
    ),
    Motif(
        "reshape-of-unknown-space",
        """(float[N,4,H,W] x) => (float[N,K] y) { a = Relu(x) b = BN(a, n) y = Reshape(b, to) }""",
        {"n": Norm(4), "to": _i(0, -1)},
        "Relu BatchNormalization Reshape",
    ),
    Motif(
        "gather-repeats-channels",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w)
            g = Gather<axis=1>(a, pick) y = BN(g, n) }""",
        {"w": (2, 3, 3, 3), "pick": _i(0, 1, 0, 1), "n": Norm(4)},
        "Conv Gather BatchNormalization",
    ),
    Motif(
        "bottleneck-stays-two-convs",
        """(float[N,8,H,W] x) => (float[N,16,P,Q] y) { a = Conv<pads=[1,1,1,1]>(x, w)
            b = BN(a, n) c = Conv(b, v)
            y = BN(c, m) }""",
        {"w": (2, 8, 3, 3), "v": (16, 2, 1, 1), "n": Norm(2), "m": Norm(16)},
        "Conv Conv",
    ),
    Motif(
        "pointwise-before-padded-conv",
        """(float[N,2,H,W] x) => (float[N,3,P,Q] y) { a = Conv(x, w) b = BN(a, n)
            y = Conv<pads=[1,1,1,1]>(b, v) }""",
        {"w": (8, 2, 1, 1), "v": (3, 8, 3, 3), "n": Norm(8)},
        "Conv Conv",
    ),
    Motif(
        "bias-before-a-transposed-conv",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y) { a = Conv(x, w) b = BN(a, n)
            y = ConvTranspose<strides=[2,2]>(b, v) }""",
        {"w": (8, 4, 1, 1), "v": (8, 3, 2, 2), "n": Norm(8)},
        "Conv ConvTranspose",
    ),
    Motif(
        "bn-before-two-products",
        """(float[N,6,L] x) => (float[N,5,L] y) { r = Relu(x) a = BN(r, n) b = MatMul(w, a)
            c = MatMul(v, a) s = Sigmoid(b) y = Mul(s, c) }""",
        {"w": (5, 6), "v": (5, 6), "n": Norm(6)},
        "Relu BatchNormalization MatMul MatMul Sigmoid Mul",
    ),
    Motif(
        "negative-scale-behind-a-square",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) m = Mul(a, a)
            s = Mul(m, k) y = Sigmoid(s) }""",
        {"w": (4, 3, 3, 3), "k": np.array([2, -0.5, 3, 1], np.float32).reshape(4, 1, 1)},
        "Conv Mul Mul Sigmoid",
    ),
    Motif(
        "strides-differ",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) { a = Conv<pads=[1,1,1,1]>(x, w) b = BN(a, n)
            c = Conv<strides=[2,2]>(x, v) d = BN(c, m)
            p = MaxPool<kernel_shape=[1,1], strides=[2,2]>(b) y = Add(p, d) }""",
        {"w": (4, 4, 3, 3), "v": (4, 4, 1, 1), "n": Norm(4), "m": Norm(4)},
        "Conv Conv MaxPool Add",
    ),
    Motif(
        "layer-norm-affine",
        """(float[N,7,6] x) => (float[N,7,5] y) { m = ReduceMean(x, axes) c = Sub(x, m)
            q = Mul(c, c) v = ReduceMean(q, axes)
            e = Add(v, eps) s = Sqrt(e) d = Div(c, s) g = Mul(d, w) b = Add(g, k) h = Gelu(b)
            y = MatMul(h, u) }""",
        {
            "axes": _i(-1),
            "eps": np.array(1e-5, dtype=np.float32),
            "w": (6,),
            "k": (6,),
            "u": (6, 5),
        },
        "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add Gelu MatMul",
        opset=20,
    ),
    Motif(
        "pads-with-minus-infinity",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) p = Pad(a, widths, low)
            m = MaxPool<kernel_shape=[3,3]>(p) c = Mul(m, k) y = Relu(c) }""",
        {
            "w": (4, 3, 3, 3),
            "widths": _i(0, 0, 1, 1, 0, 0, 1, 1),
            "low": np.array(-np.inf, dtype=np.float32),
            "k": np.array([1, -2, 3, 4], dtype=np.float32).reshape(4, 1, 1),
        },
        "Conv Pad MaxPool Mul Relu",
    ),
    Motif(
        "int8-that-cannot-be-negated",
        f"{_X} {{ v = DequantizeLinear(w, s, z) a = Conv(x, v) c = BN(a, n) y = Relu(c) }}",
        {
            "w": np.full((4, 3, 3, 3), -128, dtype=np.int8),
            "s": np.array(0.02, dtype=np.float32),
            "z": np.array(0, dtype=np.int8),
            "n": Norm(4),
        },
        "Conv BatchNormalization Relu",
    ),
    Motif(
        "crop-and-resize",
        """(float[N,4,8,8] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            z = Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
                extrapolation_value=0.5>(a, roi, up)
            y = Conv(z, w) }""",
        {
            "w": (5, 4, 1, 1),
            "n": Norm(4),
            "roi": np.array([0, 0, -0.2, -0.2, 1, 1, 1.2, 1.2], dtype=np.float32),
            "up": np.array([1, 1, 2, 2], dtype=np.float32),
        },
        "Relu BatchNormalization Resize Conv",
    ),
)
