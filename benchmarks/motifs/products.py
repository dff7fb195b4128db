"""Products, quantised constants and operators beside convolutions that a batch norm goes into."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_INT8 = np.random.default_rng(4).integers(-100, 101, (8, 6)).astype(np.int8)
_STEPS = np.random.default_rng(5).uniform(0.01, 0.03, (2, 6)).astype(np.float32)
_ATTENTION = """a = MatMul(x, q) b = MatMul(x, k) c = MatMul(x, v) e = Add(c, vb)
    t = Transpose<perm = [0, 2, 1]>(b) d = MatMul(a, t) p = Softmax(d) m = MatMul(p, e)"""
_BY_COLUMN = _ATTENTION.replace("Softmax", "Softmax<axis = 1>")
_MATRICES = {"q": (6, 6), "k": (6, 6), "v": (6, 6), "vb": (6,), "n": Norm(6)}

MOTIFS = (
    Motif(
        "einsum-bn",
        """(float[N,4,H,W] x) => (float[N,6,H,W] y)
            { a = Einsum<equation = "bchw,co->bohw">(x, w) y = BN(a, n) }""",
        {"w": (4, 6), "n": Norm(6)},
        "Einsum Add",
    ),
    Motif(
        "bn-einsum",
        """(float[N,4,H,W] x) => (float[N,6,H,W] y) { b = BN(x, n)
            a = Einsum<equation = "bchw,co->bohw">(b, w) y = Add(a, c) }""",
        {"w": (4, 6), "n": Norm(4), "c": (6, 1, 1)},
        "Einsum Add",
    ),
    Motif(
        "attention-bn",
        f"""(float[N,5,6] x) => (float[N,6,5] y) {{ {_ATTENTION}
            u = Transpose<perm = [0, 2, 1]>(m) y = BN(u, n) }}""",
        _MATRICES,
        "MatMul MatMul MatMul Add Transpose MatMul Softmax MatMul Transpose",
    ),
    Motif(
        "attention-over-the-other-axis",
        f"""(float[N,5,6] x) => (float[N,6,5] y) {{ {_BY_COLUMN}
            u = Transpose<perm = [0, 2, 1]>(m) y = BN(u, n) }}""",
        _MATRICES,
        "MatMul MatMul MatMul Add Transpose MatMul Softmax MatMul Transpose BatchNormalization"
        "| MatMul MatMul MatMul Add Transpose MatMul Softmax MatMul Add Transpose",
    ),
    Motif(
        "matmul-by-a-vector",
        """(float[N,4,L] x) => (float[N,L] y) { b = BN(x, n) m = MatMul(v, b)
            c = Cast<to = 1>(k) y = Add(m, c) }""",
        {"v": (4,), "n": Norm(4), "k": np.array([0.5], np.float32)},
        "MatMul Add",
    ),
    Motif(
        "int8-in-blocks",
        """(float[N,8] x) => (float[N,6] y) { w = DequantizeLinear<axis = 0, block_size = 4>(q, s)
            a = MatMul(x, w) y = BN(a, n) }""",
        {"q": _INT8, "s": _STEPS, "n": Norm(6)},
        "Gemm",
        opset=21,
        ir_version=10,
    ),
    Motif(
        "scale-behind-a-dequantisation",
        """(uint8[N,4,H,W] x) => (float[N,4,H,W] y) { d = DequantizeLinear(x, s, z)
            r = Relu(d) y = Mul(r, c) }""",
        {
            "s": np.array(0.05, np.float32),
            "z": np.array(3, np.uint8),
            "c": np.array([1.5, 0.5, 2, 1], np.float32).reshape(4, 1, 1),
        },
        "Relu",
    ),
    Motif(
        "rms-normalization-scale",
        "(float[N,5,6] x) => (float[N,5,6] y) { a = RMSNormalization(x, g) y = Mul(a, c) }",
        {"g": (6,), "c": (6,)},
        "RMSNormalization",
        opset=23,
        ir_version=11,
    ),
    Motif(
        "deform-conv-bn",
        """(float[N,4,4,4] x, float[N,18,2,2] o) => (float[N,2,2,2] y)
            { a = DeformConv(x, w, o) y = BN(a, n) }""",
        {"w": (2, 4, 3, 3), "n": Norm(2)},
        "DeformConv",
        opset=22,
        ir_version=10,
    ),
    Motif(
        "scale-deform-conv",
        """(float[N,4,4,4] x, float[N,18,2,2] o, float[N,9,2,2] m) => (float[N,2,2,2] y)
            { r = Relu(x) b = BN(r, n) y = DeformConv<group = 2>(b, w, o, c, m) }""",
        {"w": (2, 2, 3, 3), "c": (2,), "n": Norm(4, shift=False)},
        "Relu DeformConv",
        opset=22,
        ir_version=10,
    ),
    Motif(
        "shift-deform-conv",
        """(float[N,4,4,4] x, float[N,18,2,2] o) => (float[N,2,2,2] y)
            { r = Sigmoid(x) b = BN(r, n) y = DeformConv(b, w, o) }""",
        {"w": (2, 4, 3, 3), "n": Norm(4)},
        "Sigmoid BatchNormalization DeformConv",
        opset=22,
        ir_version=10,
    ),
    Motif(
        "flatten-of-open-sizes",
        "(float[N,4,S,S] x) => (float[N,3] y) { b = BN(x, n) f = Flatten(b) y = Gemm(f, w) }",
        {"w": (36, 3), "n": Norm(4)},
        "Flatten Gemm",
        sizes={"S": (3, 3)},
    ),
    Motif(
        "concat-then-pointwise",
        """(float[N,4,H,W] x) => (float[N,3,H,W] y) { a = Conv<pads = [1, 1, 1, 1]>(x, w)
            b = BN(a, n) c = Conv(x, v) d = Concat<axis = 1>(b, c) y = Conv(d, u) }""",
        {"w": (6, 4, 3, 3), "v": (6, 4, 1, 1), "u": (3, 12, 1, 1), "n": Norm(6)},
        "Conv",
    ),
    Motif(
        "branch-that-crops",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) b = BN(a, n)
            s = Slice(x, one, minus, space) c = Conv(s, v) d = BN(c, m) y = Add(b, d) }""",
        {
            **{"w": (4, 4, 3, 3), "v": (4, 4, 1, 1), "n": Norm(4), "m": Norm(4)},
            **{"one": np.array([1, 1]), "minus": np.array([-1, -1]), "space": np.array([2, 3])},
        },
        "Conv",
    ),
    Motif(
        "transposed-then-pointwise",
        """(float[N,4,H,W] x) => (float[N,3,P,Q] y)
            { a = ConvTranspose<strides = [2, 2]>(x, w, b) c = BN(a, n) y = Conv(c, v) }""",
        {"w": (4, 6, 2, 2), "b": (6,), "v": (3, 6, 1, 1), "n": Norm(6)},
        "ConvTranspose",
    ),
    Motif(
        "conv-over-all-of-space",
        """(float[N,4,5,3] x) => (float[N,3] y) { a = Conv(x, w) b = BN(a, n) f = Flatten(b)
            y = Gemm(f, m, c) }""",
        {"w": (16, 4, 5, 3), "n": Norm(16), "m": (16, 3), "c": (3,)},
        "Flatten Gemm",
    ),
    Motif(
        "mixed-precision",
        """(float16[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w) c = Cast<to = 1>(a)
            b = BN(c, n) d = Cast<to = 10>(b) r = Relu(d) y = Cast<to = 1>(r) }""",
        {"w": (4, 3, 3, 3), "n": Norm(4, dtype="float", statistics="float")},
        "Conv Cast Cast Relu Cast",
        price="cast",
        dtype="float16",
    ),
)
