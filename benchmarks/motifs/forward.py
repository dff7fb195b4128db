"""What absorbs an affine that precedes it."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_IN = "(float[N,4,H,W] x) => (float[N,5,P,Q] y)"

MOTIFS = (
    Motif(
        "bn-conv",
        f"{_IN} {{ a = BN(x, n) y = Conv(a, w, b) }}",
        {"w": (5, 4, 3, 3), "b": (5,), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "relu-bn-conv-dilated",
        f"{_IN} {{ r = Relu(x) a = BN(r, n) y = Conv<dilations=[2,2], strides=[2,1]>(a, w) }}",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu Conv",
    ),
    Motif(
        "bn-conv-grouped",
        "(float[N,4,H,W] x) => (float[N,6,P,Q] y) { a = BN(x, n) y = Conv<group=2>(a, w) }",
        {"w": (6, 2, 3, 3), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "bn-conv-depthwise",
        "(float[N,4,H,W] x) => (float[N,8,P,Q] y) { a = BN(x, n) y = Conv<group=4>(a, w) }",
        {"w": (8, 1, 3, 3), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "bn-conv-same-pads-nothing",
        f'{_IN} {{ a = BN(x, n) y = Conv<auto_pad="SAME_LOWER">(a, w) }}',
        {"w": (5, 4, 1, 1), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "bn-conv-padding-out-of-reach",
        """(float[N,4,8,8] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            y = Conv<pads=[0,0,1,1], strides=[2,2]>(a, w) }""",
        {"w": (5, 4, 2, 2), "n": Norm(4)},
        "Relu Conv",
    ),
    Motif(
        "scale-padded-conv",
        f"{_IN} {{ a = BN(x, n) y = Conv<pads=[1,1,1,1]>(a, w) }}",
        {"w": (5, 4, 3, 3), "n": Norm(4, shift=False)},
        "Conv",
    ),
    Motif(
        "bn-two-convs",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y, float[N,3,R,S] z) {
            a = BN(x, n) y = Conv(a, w) z = Conv(a, v, b) }""",
        {"w": (5, 4, 3, 3), "v": (3, 4, 1, 1), "b": (3,), "n": Norm(4)},
        "Conv Conv",
    ),
    Motif(
        "scale-conv-transpose",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y) { a = Mul(x, c)
            y = ConvTranspose<strides=[2,2]>(a, w) }""",
        {"w": (4, 3, 3, 3), "c": (4, 1, 1)},
        "ConvTranspose",
    ),
    Motif(
        "bn-gemm",
        "(float[N,6] x) => (float[N,5] y) { a = BN(x, n) y = Gemm<transB=1, alpha=0.5>(a, w, b) }",
        {"w": (5, 6), "b": (5,), "n": Norm(6)},
        "Gemm",
    ),
    Motif(
        "bn-gemm-without-addend",
        "(float[N,6] x) => (float[N,5] y) { a = BN(x, n) y = Gemm(a, w) }",
        {"w": (6, 5), "n": Norm(6)},
        "Gemm",
    ),
    Motif(
        "bn-matmul",
        "(float[N,6] x) => (float[N,5] y) { a = BN(x, n) y = MatMul(a, w) }",
        {"w": (6, 5), "n": Norm(6)},
        "Gemm",
    ),
    Motif(
        "bn-matmul-rank-3",
        """(float[N,6,L] x) => (float[N,L,5] y) { r = Relu(x) a = BN(r, n)
            t = Transpose<perm=[0,2,1]>(a) m = MatMul(t, w) y = Sigmoid(m) }""",
        {"w": (6, 5), "n": Norm(6)},
        "Relu Transpose MatMul Add Sigmoid",
    ),
    Motif(
        "bn-matmul-add",
        "(float[N,6] x) => (float[N,5] y) { a = BN(x, n) c = MatMul(a, w) y = Add(b, c) }",
        {"w": (6, 5), "b": (5,), "n": Norm(6)},
        "MatMul Add",
    ),
    Motif(
        "bn-weight-times-x",
        "(float[N,6,L] x) => (float[N,5,L] y) { a = BN(x, n) c = MatMul(w, a) y = Add(c, b) }",
        {"w": (5, 6), "b": (5, 1), "n": Norm(6)},
        "MatMul Add",
    ),
    Motif(
        "bn-conv-then-conv-bn",
        f"{_IN} {{ a = BN(x, n) c = Conv(a, w) d = BN(c, m) r = Relu(d) y = Conv(r, v) }}",
        {"w": (5, 4, 3, 3), "v": (5, 5, 1, 1), "n": Norm(4), "m": Norm(5)},
        "Conv Relu Conv",
    ),
    Motif(
        "bn-padded-conv",
        """(float[N,4,8,8] x) => (float[N,5,8,8] y) { r = Relu(x) a = BN(r, n)
            y = Conv<pads=[1,1,1,1]>(a, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu Conv Add",
        price="constant-map",
    ),
    Motif(
        "bn-conv-transpose",
        """(float[N,4,8,8] x) => (float[N,5,P,Q] y) { a = BN(x, n)
            y = ConvTranspose<strides=[2,2]>(a, w, b) }""",
        {"w": (4, 5, 3, 3), "b": (5,), "n": Norm(4)},
        "ConvTranspose Add",
        price="constant-map",
    ),
    Motif(
        "conv-for-two-readers",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y, float[N,5,P,Q] z) {
            a = Conv(x, w) y = BN(a, n) z = Sigmoid(a) }""",
        {"w": (5, 4, 3, 3), "n": Norm(5)},
        "Conv Conv Sigmoid",
        price="clone",
    ),
    Motif(
        "unpadded-by-negative-crop",
        f"{_IN} {{ a = BN(x, n) p = Pad(a, widths) y = Conv(p, w) }}",
        {"w": (5, 4, 3, 3), "n": Norm(4), "widths": np.array([0, 0, -1, -1, 0, 0, -1, -1])},
        "Pad Conv",
    ),
)
