"""Joins and forks: Add, Sub, Sum, Mul, Concat, Split; branches that can and cannot take part."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_X = "(float[N,3,H,W] x) => (float[N,8,P,Q] y)"
_TWO = "a = Conv(x, w, b) c = Conv(x, v)"
_CONVS = {"w": (8, 3, 3, 3), "b": (8,), "v": (8, 3, 3, 3)}
_HALVES = {"w": (3, 3, 3, 3), "b": (3,), "v": (5, 3, 3, 3)}


MOTIFS = (
    Motif(
        "add-of-different-branches",
        """(float[N,3,H,W] x, float[N,4,H,W] z) => (float[N,8,P,Q] y) {
            a = Conv(x, w, b) c = Conv(z, v) r = Add(a, c) y = BN(r, n) }""",
        {"w": (8, 3, 3, 3), "b": (8,), "v": (8, 4, 3, 3), "n": Norm(8)},
        "Conv Conv Add",
    ),
    Motif(
        "sub-of-branches",
        """(float[N,3,H,W] x, float[N,4,H,W] z) => (float[N,8,P,Q] y) {
            a = Conv(x, w, b) c = Conv(z, v) r = Sub(a, c) y = BN(r, n) }""",
        {"w": (8, 3, 3, 3), "b": (8,), "v": (8, 4, 3, 3), "n": Norm(8)},
        "Conv Conv Sub",
    ),
    Motif(
        "sum-of-three",
        """(float[N,3,H,W] x, float[N,4,H,W] z, float[N,5,H,W] u) => (float[N,8,P,Q] y) {
            a = Conv(x, w) c = Conv(z, v) d = Conv(u, t) r = Sum(a, c, d) y = BN(r, n) }""",
        {"w": (8, 3, 3, 3), "v": (8, 4, 3, 3), "t": (8, 5, 3, 3), "n": Norm(8)},
        "Conv Conv Conv Sum",
    ),
    Motif(
        "scale-into-one-factor",
        """(float[N,3,H,W] x, float[N,8,P,Q] z) => (float[N,8,P,Q] y) {
            a = Conv(x, w, b) g = Sigmoid(z) r = Mul(a, g) y = Mul(r, c) }""",
        {"w": (8, 3, 3, 3), "b": (8,), "c": (8, 1, 1)},
        "Conv Sigmoid Mul",
        sizes={"P": (7, 10), "Q": (9, 6)},
    ),
    Motif(
        "squeeze-excite-gate-before-conv",
        """(float[N,8,H,W] x) => (float[N,5,P,Q] y) {
            s = GlobalAveragePool(x) h = HardSigmoid(s) g = Mul(x, h) a = Mul(g, c)
            y = Conv<pads=[1,1,1,1]>(a, w) }""",
        {"w": (5, 8, 3, 3), "c": (1, 8, 1, 1)},
        "GlobalAveragePool HardSigmoid Mul Conv",
    ),
    Motif(
        "concat-of-convs",
        f"{_X} {{ {_TWO} z = Concat<axis=1>(a, c) y = BN(z, n) }}",
        {**_HALVES, "n": Norm(8)},
        "Conv",
    ),
    Motif(
        "concat-negative-axis",
        f"{_X} {{ {_TWO} z = Concat<axis=-3>(a, c) y = BN(z, n) }}",
        {**_HALVES, "n": Norm(8)},
        "Conv",
    ),
    Motif(
        "concat-of-concats",
        f"""{_X} {{ {_TWO} d = Conv(x, t) p = Concat<axis=1>(a, d)
            z = Concat<axis=1>(p, c) y = BN(z, n) }}""",
        {"w": (3, 3, 3, 3), "b": (3,), "t": (1, 3, 3, 3), "v": (4, 3, 3, 3), "n": Norm(8)},
        "Conv",
    ),
    Motif(
        "concat-in-space",
        """(float[N,3,9,9] x) => (float[N,8,P,Q] y) { a = Conv(x, w, b)
            c = Conv<strides=[2,1]>(x, v)
            z = Concat<axis=2>(a, c) y = BN(z, n) }""",
        {**_CONVS, "n": Norm(8)},
        "Conv Conv Concat",
    ),
    Motif(
        "concat-shared-by-bn-and-conv",
        """(float[N,4,H,W] x, float[N,4,H,W] z) => (float[N,5,P,Q] y) {
            a = BN(x, n) c = Concat<axis=1>(a, z) y = Conv(c, w) }""",
        {"w": (5, 8, 3, 3), "n": Norm(4)},
        "Concat Conv",
    ),
    Motif(
        "scale-behind-a-square",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) r = Relu(a) m = Mul(r, r)
            s = Mul(m, k) y = Sigmoid(s) }""",
        {"w": (4, 3, 3, 3), "k": np.array([2, 0.5, 3, 1], np.float32).reshape(4, 1, 1)},
        "Conv Relu Mul Sigmoid",
    ),
    Motif(
        "one-branch-twice",
        f"{_X} {{ a = Conv(x, w, b) c = Concat<axis=1>(a, a) r = Conv(c, v) y = BN(r, n) }}",
        {"w": (4, 3, 3, 3), "b": (4,), "v": (8, 8, 1, 1), "n": Norm(8)},
        "Conv Concat Conv",
    ),
    Motif(
        "equal-bns-join-before-conv",
        """(float[N,4,H,W] x, float[N,4,H,W] z) => (float[N,5,P,Q] y) {
            p = Relu(x) q = Sigmoid(z) a = BN(p, n) c = BN(q, n) r = Add(a, c) y = Conv(r, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4)},
        "Relu Sigmoid Add Conv",
    ),
    Motif(
        "split-with-bn-on-each-part",
        """(float[N,3,H,W] x) => (float[N,8,P,Q] y) { a = Conv(x, w, b)
            p, q = Split<axis=1>(a, sizes) c = BN(p, n) d = BN(q, m) y = Concat<axis=1>(c, d) }""",
        {"w": (8, 3, 3, 3), "b": (8,), "sizes": np.array([3, 5]), "n": Norm(3), "m": Norm(5)},
        "Conv Split Concat",
    ),
    Motif(
        "split-with-bn-on-one-part",
        """(float[N,3,H,W] x) => (float[N,8,P,Q] y) { a = Conv(x, w, b)
            p, q = Split<axis=1>(a, sizes) c = BN(p, n) y = Concat<axis=1>(q, c) }""",
        {"w": (8, 3, 3, 3), "b": (8,), "sizes": np.array([3, 5]), "n": Norm(3)},
        "Conv Split Concat",
    ),
    Motif(
        "slice-beside-a-reader-of-the-rest",
        """(float[N,3,H,W] x) => (float[N,5,P,Q] y, float[N,3,P,Q] z) {
            a = Conv(x, w, b) p = Slice(a, three, eight, one) q = Slice(a, zero, three, one)
            y = BN(p, n) z = Relu(q) }""",
        {
            "w": (8, 3, 3, 3),
            "b": (8,),
            "n": Norm(5),
            "zero": np.array([0]),
            "three": np.array([3]),
            "eight": np.array([8]),
            "one": np.array([1]),
        },
        "Conv Slice Slice Relu",
    ),
    Motif(
        "shift-into-one-branch-of-a-residual",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) {
            r = Relu(x) a = Conv<pads=[1,1,1,1]>(r, w) s = Add(a, r) y = Add(s, t) }""",
        {"w": (4, 4, 3, 3), "t": (4, 1, 1)},
        "Relu Conv",
    ),
    Motif(
        "bn-for-conv-and-gemm",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y, float[N,3] z) { r = Relu(x) a = BN(r, n)
            y = Conv(a, w) p = GlobalAveragePool(a) f = Flatten(p) z = Gemm(f, v) }""",
        {"w": (5, 4, 3, 3), "v": (4, 3), "n": Norm(4)},
        "Relu Conv GlobalAveragePool Flatten Gemm",
    ),
)
