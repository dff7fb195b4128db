"""Shapes of graph that real networks have, each a few layers of one."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm


def _i(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


MOTIFS = (
    Motif(
        "levit-linear-flattened-bn",
        """(float[N,7,6] x) => (float[N,7,5] y) { a = MatMul(x, w) f = Reshape(a, rows)
            b = BN(f, n) y = Reshape(b, back) }""",
        {"w": (6, 5), "rows": _i(-1, 5), "back": _i(-1, 7, 5), "n": Norm(5)},
        "MatMul Reshape Add Reshape",
    ),
    Motif(
        "levit-linear-with-bias-flattened-bn",
        """(float[N,7,6] x) => (float[N,7,5] y) { a = MatMul(x, w) c = Add(a, e)
            f = Reshape(c, rows)
            b = BN(f, n) y = Reshape(b, back) }""",
        {"w": (6, 5), "e": (5,), "rows": _i(-1, 5), "back": _i(-1, 7, 5), "n": Norm(5)},
        "MatMul Add Reshape Reshape",
    ),
    Motif(
        "pointnet-linear-transposed-bn",
        """(float[N,L,6] x) => (float[N,5] y) { a = MatMul(x, w) c = Add(a, e)
            t = Transpose<perm=[0,2,1]>(c) b = BN(t, n) r = Relu(b)
            y = ReduceMax<keepdims=0>(r, axes) }""",
        {"w": (6, 5), "e": (5,), "axes": _i(2), "n": Norm(5)},
        "MatMul Add Transpose Relu ReduceMax",
    ),
    Motif(
        "batch-norm-of-the-input",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = BN(x, n)
            c = Conv<strides=[2,2]>(a, w) b = BN(c, m)
            y = Relu(b) }""",
        {"w": (4, 3, 7, 7), "n": Norm(3), "m": Norm(4)},
        "Conv Relu",
    ),
    Motif(
        "shufflenet-unit",
        """(float[N,4,8,8] x) => (float[N,6,P,Q] y) { a = Conv(x, w) b = BN(a, n) r = Relu(b)
            p = Reshape(r, parts) t = Transpose<perm=[0,2,1,3,4]>(p) s = Reshape(t, whole)
            d = Conv<group=4, pads=[1,1,1,1]>(s, v) e = BN(d, m) f = Conv(e, u) y = BN(f, k) }""",
        {
            "w": (4, 4, 1, 1),
            "v": (4, 1, 3, 3),
            "u": (6, 4, 1, 1),
            "parts": _i(0, 2, 2, 8, 8),
            "whole": _i(0, 4, 8, 8),
            "n": Norm(4),
            "m": Norm(4),
            "k": Norm(6),
        },
        "Conv Relu Reshape Transpose Reshape Conv Conv",
    ),
    Motif(
        "shufflenet-shuffle-by-gather",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { a = Conv(x, w) g = Gather<axis=1>(a, order)
            b = BN(g, n) r = Relu(b) y = Conv(r, v) }""",
        {"w": (4, 4, 1, 1), "order": _i(0, 2, 1, 3), "v": (5, 4, 1, 1), "n": Norm(4)},
        "Conv Gather Relu Conv",
    ),
    Motif(
        "inception-average-pool-branch",
        """(float[N,4,H,W] x) => (float[N,9,P,Q] y) { a = Conv(x, w) b = BN(a, n)
            p = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(x)
            c = Conv(p, v) d = BN(c, m)
            e = Concat<axis=1>(b, d) y = Relu(e) }""",
        {"w": (4, 4, 1, 1), "v": (5, 4, 1, 1), "n": Norm(4), "m": Norm(5)},
        "Conv AveragePool Conv Concat Relu",
    ),
    Motif(
        "unet-decoder",
        """(float[N,4,H,W] x, float[N,3,P,Q] skip) => (float[N,3,P,Q] y) {
            a = ConvTranspose<strides=[2,2]>(x, w) b = BN(a, n)
            r = Relu(b) c = Concat<axis=1>(r, skip) d = Conv<pads=[1,1,1,1]>(c, v)
            e = BN(d, m) y = Relu(e) }""",
        {"w": (4, 2, 2, 2), "v": (3, 5, 3, 3), "n": Norm(2), "m": Norm(3)},
        "ConvTranspose Relu Concat Conv Relu",
        sizes={"P": (18, 24), "Q": (22, 16)},
    ),
    Motif(
        "residual-block",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) { a = Conv<pads=[1,1,1,1]>(x, w)
            b = BN(a, n) r = Relu(b)
            c = Conv<pads=[1,1,1,1]>(r, v) d = BN(c, m) s = Add(d, x) y = Relu(s) }""",
        {"w": (4, 4, 3, 3), "v": (4, 4, 3, 3), "n": Norm(4), "m": Norm(4)},
        "Conv Relu Conv Add Relu",
    ),
    Motif(
        "squeeze-excite",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) b = BN(a, n)
            p = GlobalAveragePool(b)
            c = Conv(p, u) r = Relu(c) d = Conv(r, v) g = Sigmoid(d) y = Mul(b, g) }""",
        {"w": (4, 4, 3, 3), "u": (2, 4, 1, 1), "v": (4, 2, 1, 1), "n": Norm(4)},
        "Conv GlobalAveragePool Conv Relu Conv Sigmoid Mul",
    ),
    Motif(
        "bn-add-bn-conv",
        """(float[N,3,H,W] x) => (float[N,5,P,Q] y) { a = Conv<pads=[1,1,1,1]>(x, w) b = BN(a, n)
            c = Conv(x, v) d = BN(c, m) r = Relu(d) s = Add(b, r) y = Conv(s, u) }""",
        {"w": (4, 3, 3, 3), "v": (4, 3, 1, 1), "u": (5, 4, 1, 1), "n": Norm(4), "m": Norm(4)},
        "Conv Conv Relu Add Conv",
    ),
    Motif(
        "dense-block-end",
        """(float[N,4,H,W] x, float[N,4,H,W] z) => (float[N,5] y) { c = Concat<axis=1>(x, z)
            r = Relu(c)
            b = BN(r, n) p = GlobalAveragePool(b) f = Flatten(p) y = Gemm(f, w, e) }""",
        {"w": (8, 5), "e": (5,), "n": Norm(8)},
        "Concat Relu GlobalAveragePool Flatten Gemm",
    ),
)
