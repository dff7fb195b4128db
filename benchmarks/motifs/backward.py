"""What absorbs an affine that follows it."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_ROWS = "(float[N,6] x) => (float[N,5] y)"

MOTIFS = (
    Motif(
        "conv-1d",
        """(float[N,3,L] x) => (float[N,4,M] y) { a = Conv<strides=[2], dilations=[2]>(x, w)
            y = BN(a, n) }""",
        {"w": (4, 3, 3), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "conv-3d",
        """(float[N,2,D,H,W] x) => (float[N,4,P,Q,R] y) {
            a = Conv<pads=[1,1,1,1,1,1]>(x, w, b) y = BN(a, n) }""",
        {"w": (4, 2, 3, 3, 3), "b": (4,), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "conv-grouped",
        """(float[N,4,H,W] x) => (float[N,6,P,Q] y) { a = Conv<group=2, strides=[2,1]>(x, w)
            y = BN(a, n) }""",
        {"w": (6, 2, 3, 3), "n": Norm(6)},
        "Conv",
    ),
    Motif(
        "conv-depthwise-same",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) {
            a = Conv<group=4, auto_pad="SAME_UPPER", strides=[2,2]>(x, w) y = BN(a, n) }""",
        {"w": (4, 1, 3, 3), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "conv-transpose",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y) {
            a = ConvTranspose<strides=[2,2], output_padding=[1,1], pads=[1,1,1,1]>(x, w, b)
            y = BN(a, n) }""",
        {"w": (4, 3, 3, 3), "b": (3,), "n": Norm(3)},
        "ConvTranspose",
    ),
    Motif(
        "conv-transpose-grouped",
        """(float[N,4,H,W] x) => (float[N,6,P,Q] y) {
            a = ConvTranspose<group=2, strides=[2,2]>(x, w) y = BN(a, n) }""",
        {"w": (4, 3, 2, 2), "n": Norm(6)},
        "ConvTranspose",
    ),
    Motif(
        "conv-transpose-square-weight",
        "(float[N,4,H,W] x) => (float[N,4,P,Q] y) { a = ConvTranspose(x, w) y = BN(a, n) }",
        {"w": (4, 4, 3, 3), "n": Norm(4)},
        "ConvTranspose",
    ),
    Motif(
        "conv-transpose-1d",
        """(float[N,4,L] x) => (float[N,3,M] y) { a = ConvTranspose<strides=[3]>(x, w)
            y = BN(a, n) }""",
        {"w": (4, 3, 5), "n": Norm(3)},
        "ConvTranspose",
    ),
    Motif(
        "gemm",
        f"{_ROWS} {{ a = Gemm<transB=1>(x, w, b) y = BN(a, n) }}",
        {"w": (5, 6), "b": (5,), "n": Norm(5)},
        "Gemm",
    ),
    Motif(
        "gemm-alpha-beta",
        f"{_ROWS} {{ a = Gemm<alpha=0.5, beta=2.0>(x, w, b) y = BN(a, n) }}",
        {"w": (6, 5), "b": (1, 5), "n": Norm(5)},
        "Gemm",
    ),
    Motif(
        "gemm-scalar-addend",
        f"{_ROWS} {{ a = Gemm(x, w, b) y = BN(a, n) }}",
        {"w": (6, 5), "b": np.array(0.75, dtype=np.float32), "n": Norm(5)},
        "Gemm",
    ),
    Motif(
        "gemm-without-addend",
        f"{_ROWS} {{ a = Gemm(x, w) y = BN(a, n) }}",
        {"w": (6, 5), "n": Norm(5)},
        "Gemm",
    ),
    Motif(
        "gemm-column-addend",
        "(float[6,3] x) => (float[3,5] y) { a = Gemm<transA=1>(x, w, b) y = BN(a, n) }",
        {"w": (6, 5), "b": (3, 1), "n": Norm(5)},
        "Gemm",
    ),
    Motif(
        "matmul",
        f"{_ROWS} {{ a = MatMul(x, w) y = BN(a, n) }}",
        {"w": (6, 5), "n": Norm(5)},
        "Gemm",
    ),
    Motif(
        "matmul-add",
        f"{_ROWS} {{ a = MatMul(x, w) c = Add(a, b) y = BN(c, n) }}",
        {"w": (6, 5), "b": (5,), "n": Norm(5)},
        "MatMul Add",
    ),
    Motif(
        "matmul-add-rank-3",
        """(float[N,L,6] x) => (float[N,L,5] y) { a = MatMul(x, w) c = Add(b, a)
            m = Mul(c, s) y = Add(m, t) }""",
        {"w": (6, 5), "b": (5,), "s": (5,), "t": (5,)},
        "MatMul Add",
    ),
    Motif(
        "weight-times-x",
        "(float[N,6,L] x) => (float[N,5,L] y) { a = MatMul(w, x) c = Add(a, b) y = BN(c, n) }",
        {"w": (5, 6), "b": (5, 1), "n": Norm(5)},
        "MatMul Add",
    ),
    Motif(
        "shared-weight",
        """(float[N,3,H,W] x, float[N,3,H,W] z) => (float[N,4,P,Q] y, float[N,4,R,S] u) {
            a = Conv(x, w, b) c = Conv(z, w, b) y = BN(a, n) u = BN(c, m) }""",
        {"w": (4, 3, 3, 3), "b": (4,), "n": Norm(4), "m": Norm(4)},
        "Conv Conv",
    ),
    Motif(
        "shared-bn-parameters",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) {
            a = Conv(x, w) c = BN(a, n) r = Relu(c) d = Conv(r, v) y = BN(d, n) }""",
        {"w": (4, 3, 3, 3), "v": (4, 4, 3, 3), "n": Norm(4)},
        "Conv Relu Conv",
    ),
    Motif(
        "through-identity-and-dropout",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) {
            a = Conv(x, w) i = Identity(a) d = Dropout(i) y = BN(d, n) }""",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Conv",
    ),
)
