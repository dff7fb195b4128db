"""Linear branches that are one operator: the training forms of RepVGG, MobileOne, ACNet."""

from __future__ import annotations

from benchmarks.motifs.motif import Motif, Norm

_X = "(float[N,4,H,W] x) => (float[N,4,P,Q] y)"
_SAME = "a = Conv<pads=[1,1,1,1]>(x, w)"

MOTIFS = (
    Motif(
        "repvgg",
        f"""{_X} {{ {_SAME} b = BN(a, n) c = Conv(x, v) d = BN(c, m) e = BN(x, k)
            s = Add(b, d) t = Add(s, e) y = Relu(t) }}""",
        {"w": (4, 4, 3, 3), "v": (4, 4, 1, 1), "n": Norm(4), "m": Norm(4), "k": Norm(4)},
        "Conv Relu",
    ),
    Motif(
        "repvgg-stride-2",
        """(float[N,4,H,W] x) => (float[N,6,P,Q] y) { a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            b = BN(a, n) c = Conv<strides=[2,2]>(x, v) d = BN(c, m) s = Add(b, d) y = Relu(s) }""",
        {"w": (6, 4, 3, 3), "v": (6, 4, 1, 1), "n": Norm(6), "m": Norm(6)},
        "Conv Relu",
    ),
    Motif(
        "repvgg-grouped",
        f"""{_X} {{ a = Conv<pads=[1,1,1,1], group=2>(x, w) b = BN(a, n)
            c = Conv<group=2>(x, v) d = BN(c, m) e = BN(x, k) s = Add(b, d) t = Add(s, e)
            y = Relu(t) }}""",
        {"w": (4, 2, 3, 3), "v": (4, 2, 1, 1), "n": Norm(4), "m": Norm(4), "k": Norm(4)},
        "Conv Relu",
    ),
    Motif(
        "mobileone-depthwise",
        f"""{_X} {{ a = Conv<pads=[1,1,1,1], group=4>(x, w) b = BN(a, n)
            c = Conv<pads=[1,1,1,1], group=4>(x, v) d = BN(c, m) f = Conv<group=4>(x, u)
            g = BN(f, j) e = BN(x, k)
            p = Add(b, d) q = Add(p, g) r = Add(e, q) y = Relu(r) }}""",
        {
            "w": (4, 1, 3, 3),
            "v": (4, 1, 3, 3),
            "u": (4, 1, 1, 1),
            "n": Norm(4),
            "m": Norm(4),
            "j": Norm(4),
            "k": Norm(4),
        },
        "Conv Relu",
    ),
    Motif(
        "acnet",
        f"""{_X} {{ {_SAME} b = BN(a, n) c = Conv<pads=[1,0,1,0]>(x, v) d = BN(c, m)
            e = Conv<pads=[0,1,0,1]>(x, u) f = BN(e, k) s = Add(b, d) t = Add(s, f)
            y = Relu(t) }}""",
        {
            "w": (4, 4, 3, 3),
            "v": (4, 4, 3, 1),
            "u": (4, 4, 1, 3),
            "n": Norm(4),
            "m": Norm(4),
            "k": Norm(4),
        },
        "Conv Relu",
    ),
    Motif(
        "conv-plus-input",
        f"{_X} {{ {_SAME} b = BN(a, n) s = Add(b, x) y = Relu(s) }}",
        {"w": (4, 4, 3, 3), "n": Norm(4)},
        "Conv Relu",
    ),
    Motif(
        "conv-plus-bn-of-input-dw",
        f"""{_X} {{ a = Conv<pads=[2,2,2,2], group=4>(x, w) e = BN(x, n) s = Add(a, e)
            y = BN(s, m) }}""",
        {"w": (4, 1, 5, 5), "n": Norm(4), "m": Norm(4)},
        "Conv",
    ),
    Motif(
        "average-pool-branch",
        f"""{_X} {{ a = Conv<pads=[1,1,1,1], group=4>(x, w) b = BN(a, n)
            c = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(x)
            d = BN(c, m) y = Add(b, d) }}""",
        {"w": (4, 1, 3, 3), "n": Norm(4), "m": Norm(4)},
        "Conv",
    ),
    Motif(
        "parallel-1d",
        """(float[N,4,L] x) => (float[N,4,M] y) { a = Conv<pads=[2,2]>(x, w) b = BN(a, n)
            c = Conv<pads=[1,1]>(x, v) d = BN(c, m) s = Sum(b, d) y = Relu(s) }""",
        {"w": (4, 4, 5), "v": (4, 4, 3), "n": Norm(4), "m": Norm(4)},
        "Conv Relu",
    ),
    Motif(
        "conv-then-pointwise",
        """(float[N,2,H,W] x) => (float[N,3,P,Q] y) { a = Conv<pads=[1,1,1,1]>(x, w)
            b = BN(a, n) c = Conv(b, v) y = BN(c, m) }""",
        {"w": (8, 2, 3, 3), "v": (3, 8, 1, 1), "n": Norm(8), "m": Norm(3)},
        "Conv",
    ),
    Motif(
        "pointwise-then-conv",
        "(float[N,2,H,W] x) => (float[N,3,P,Q] y) { a = Conv(x, w) b = BN(a, n) y = Conv(b, v) }",
        {"w": (8, 2, 1, 1), "v": (3, 8, 3, 3), "n": Norm(8)},
        "Conv",
    ),
    Motif(
        "transposed-branches",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y) {
            a = ConvTranspose<pads=[1,1,1,1], strides=[2,2]>(x, w) b = BN(a, n)
            c = ConvTranspose<strides=[2,2]>(x, v) d = BN(c, m)
            e = ConvTranspose<pads=[1,1,1,1], strides=[2,2], dilations=[3,3]>(x, u) f = BN(e, k)
            s = Add(b, d) t = Add(s, f) y = Relu(t) }""",
        {
            "w": (4, 3, 4, 4),
            "v": (4, 3, 2, 2),
            "u": (4, 3, 2, 2),
            "n": Norm(3),
            "m": Norm(3),
            "k": Norm(3),
        },
        "ConvTranspose Relu",
    ),
    Motif(
        "transposed-then-conv",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y) { a = ConvTranspose<strides=[2,2]>(x, w)
            b = Conv<pads=[1,1,1,1]>(a, v) y = BN(b, n) }""",
        {"w": (4, 4, 2, 2), "v": (3, 4, 3, 3), "n": Norm(3)},
        "ConvTranspose",
    ),
    Motif(
        "gemm-then-gemm",
        """(float[N,6] x) => (float[N,5] y) { a = Gemm(x, w, b) c = BN(a, n)
            y = Gemm<transB=1>(c, v, d) }""",
        {"w": (6, 9), "b": (9,), "v": (5, 9), "d": (5,), "n": Norm(9)},
        "Gemm",
    ),
)
