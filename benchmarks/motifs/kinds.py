"""Dtypes, quantised weights, subgraphs, functions, unknown shapes, names that clash."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_X = "(float[N,3,H,W] x) => (float[N,4,P,Q] y)"
_CONV = {"w": (4, 3, 3, 3), "b": (4,)}
_INT8 = np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
_ZERO4 = np.zeros(4, dtype=np.int8)


def _f(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def _s(value: float) -> np.ndarray:
    return np.array(value, dtype=np.float32)


_STEPS = _f(0.01, 0.02, 0.005, 0.03)
_ACTIVATION = {"xs": _s(0.05), "xz": np.array(128, dtype=np.uint8)}

MOTIFS = (
    Motif(
        "float16",
        "(float16[N,3,H,W] x) => (float16[N,4,P,Q] y) { a = Conv(x, w, b) y = BN(a, n) }",
        {**_CONV, "n": Norm(4)},
        "Conv",
        dtype="float16",
    ),
    Motif(
        "float16-forward",
        """(float16[N,3,H,W] x) => (float16[N,4,P,Q] y) { r = Relu(x) a = BN(r, n)
            y = Conv(a, w, b) }""",
        {**_CONV, "n": Norm(3)},
        "Relu Conv",
        dtype="float16",
    ),
    Motif(
        "float16-with-float-statistics",
        "(float16[N,3,H,W] x) => (float16[N,4,P,Q] y) { a = Conv(x, w) y = BN(a, n) }",
        {"w": (4, 3, 3, 3), "n": Norm(4, statistics="float")},
        "Conv",
        dtype="float16",
    ),
    Motif(
        "double",
        "(double[N,3,H,W] x) => (double[N,4,P,Q] y) { a = Conv(x, w, b) y = BN(a, n) }",
        {**_CONV, "n": Norm(4)},
        "Conv",
        dtype="double",
    ),
    Motif(
        "bfloat16",
        "(bfloat16[N,3,H,W] x) => (bfloat16[N,4,P,Q] y) { a = Conv(x, w) y = BN(a, n) }",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Conv",
        dtype="bfloat16",
        opset=22,
        ir_version=10,
    ),
    Motif(
        "int8-weight-per-tensor",
        f"{_X} {{ v = DequantizeLinear(w, s, z) a = Conv(x, v) y = BN(a, n) }}",
        {"w": _INT8, "s": _s(0.02), "z": np.array(0, dtype=np.int8), "n": Norm(4, "positive")},
        "Conv",
    ),
    Motif(
        "int8-weight-per-axis",
        f"{_X} {{ v = DequantizeLinear<axis=0>(w, s, z) a = Conv(x, v, b) y = BN(a, n) }}",
        {"w": _INT8, "s": _STEPS, "z": _ZERO4, "b": (4,), "n": Norm(4, "positive")},
        "Conv",
    ),
    Motif(
        "int8-weight-negative-scales",
        f"{_X} {{ v = DequantizeLinear<axis=0>(w, s, z) a = Conv(x, v, b) y = BN(a, n) }}",
        {"w": _INT8, "s": _STEPS, "z": _ZERO4, "b": (4,), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "uint8-weight-with-zero-point",
        f"{_X} {{ v = DequantizeLinear(w, s, z) a = Conv(x, v) y = BN(a, n) }}",
        {
            "w": (_INT8.astype(np.int16) + 127).astype(np.uint8),
            "s": _s(0.02),
            "z": np.array(121, dtype=np.uint8),
            "n": Norm(4, "positive"),
        },
        "Conv",
    ),
    Motif(
        "int8-gemm",
        """(float[N,6] x) => (float[N,4] y) { v = DequantizeLinear<axis=1>(w, s, z)
            a = MatMul(x, v) y = BN(a, n) }""",
        {
            "w": _INT8.reshape(-1)[:24].reshape(6, 4),
            "s": _STEPS,
            "z": _ZERO4,
            "n": Norm(4, "positive"),
        },
        "Gemm",
    ),
    Motif(
        "qdq-conv-bn",
        f"""{_X} {{ q = QuantizeLinear(x, xs, xz) d = DequantizeLinear(q, xs, xz)
            v = DequantizeLinear<axis=0>(w, s, z) c = DequantizeLinear<axis=0>(b, bs)
            a = Conv(d, v, c) y = BN(a, n) }}""",
        {
            "w": _INT8,
            "s": _STEPS,
            "z": _ZERO4,
            "b": np.array([10, -200, 3000, 40], dtype=np.int32),
            "bs": _STEPS * np.float32(0.05),
            **_ACTIVATION,
            "n": Norm(4, "positive"),
        },
        "QuantizeLinear DequantizeLinear Conv",
    ),
    Motif(
        "bn-before-int8-conv",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { r = Relu(x) a = BN(r, n)
            v = DequantizeLinear(w, s, z) y = Conv(a, v) }""",
        {"w": _INT8, "s": _s(0.02), "z": np.array(0, dtype=np.int8), "n": Norm(3, "positive")},
        "Relu BatchNormalization Conv",
    ),
    Motif(
        "if-body",
        """(bool c, float[N,3,H,W] x) => (float[N,4,P,Q] y) {
            y = If(c) <then_branch = then_g () => (float[N,4,P,Q] t) { a = Conv(x, w, b)
            t = BN(a, n) },
                       else_branch = else_g () => (float[N,4,P,Q] e) { k = Conv(x, v)
                       e = BN(k, m) }> }""",
        {"w": (4, 3, 3, 3), "b": (4,), "v": (4, 3, 3, 3), "n": Norm(4), "m": Norm(4)},
        "If Conv Conv",
    ),
    Motif(
        "if-of-a-constant",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) { r = Relu(x) a = BN(r, n) c = Not(no)
            i = If(c) <then_branch = then_g () => (float[N,4,P,Q] t) { b = Conv(a, w)
            t = BN(b, m) },
                       else_branch = else_g () => (float[N,4,P,Q] e) { e = Sigmoid(a) }>
            y = BN(i, k) }""",
        {"w": (4, 4, 1, 1), "no": np.array(False), "n": Norm(4), "m": Norm(4), "k": Norm(4)},
        "Relu Conv",
    ),
    Motif(
        "loop-body",
        """(float[N,4,H,W] x) => (float[N,4,H,W] y) {
            y = Loop(three, , x) <body = body_g (int64 i, bool on, float[N,4,H,W] v) =>
            (bool go, float[N,4,H,W] out) {
                go = Identity(on) a = Conv<pads=[1,1,1,1]>(v, w) r = BN(a, n) out = Tanh(r) }> }""",
        {"w": (4, 4, 3, 3), "three": np.array(3), "n": Norm(4)},
        "Loop Conv Tanh",
    ),
    Motif(
        "scan-body",
        """(float[5,3,H,W] x) => (float[5,1,4,P,Q] y) {
            y = Scan<num_scan_inputs=1, body = body_g (float[3,H,W] v) => (float[1,4,P,Q] out) {
                u = Unsqueeze(v, axes) a = Conv(u, w) out = BN(a, n) }>(x) }""",
        {"w": (4, 3, 3, 3), "axes": np.array([0]), "n": Norm(4)},
        "Scan Unsqueeze Conv",
    ),
    Motif(
        "function-around-conv-bn",
        f"{_X} {{ a = local.block(x, w, n_s, n_b, n_m, n_v) y = Relu(a) }}",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Conv Relu",
        functions="""<domain: "local", opset_import: ["": 18]>
            block (x, w, s, b, m, v) => (y) { a = Conv(x, w)
            y = BatchNormalization(a, s, b, m, v) }""",
    ),
    Motif(
        "function-called-twice",
        """(float[N,4,H,W] x) => (float[N,4,P,Q] y) {
            a = local.block(x, w, n_s, n_b, n_m, n_v)
            y = local.block(a, u, k_s, k_b, k_m, k_v) }""",
        {"w": (4, 4, 3, 3), "u": (4, 4, 3, 3), "n": Norm(4), "k": Norm(4)},
        "Conv Relu Conv Relu",
        functions="""<domain: "local", opset_import: ["": 18]>
            block (x, w, s, b, m, v) => (y) { a = Conv(x, w)
            c = BatchNormalization(a, s, b, m, v) y = Relu(c) }""",
    ),
    Motif(
        "bn-inside-a-function",
        f"{_X} {{ a = Conv(x, w) y = local.norm(a, n_s, n_b, n_m, n_v) }}",
        {"w": (4, 3, 3, 3), "n": Norm(4)},
        "Conv",
        functions="""<domain: "local", opset_import: ["": 18]>
            norm (x, s, b, m, v) => (y) { y = BatchNormalization(x, s, b, m, v) }""",
    ),
    Motif(
        "unknown-rank-input",
        "(float[] x) => (float[] y) { a = Conv(x, w, b) y = BN(a, n) }",
        {"w": (4, 4, 3, 3), "b": (4,), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "dynamic-everything",
        """(float[A,B,C,E] x) => (float[F,G,J,K] y) { r = Relu(x) a = BN(r, n) c = Conv(a, w)
            y = BN(c, m) }""",
        {"w": (4, 3, 3, 3), "n": Norm(3), "m": Norm(4)},
        "Relu Conv",
        sizes={"A": (2, 1), "B": (3, 3), "C": (9, 7), "E": (8, 10)},
    ),
    Motif(
        "nameless-and-clashing",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] w_folded) {
            b_folded = Conv(x, w, b) n_folded = BN(b_folded, n) w_folded = Relu(n_folded) }""",
        {**_CONV, "n": Norm(4)},
        "Conv Relu",
    ),
    Motif(
        "empty-optional-inputs",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w, ) r = Resize(a, , up, )
            y = BN(r, n) }""",
        {"w": (4, 3, 3, 3), "up": _f(1, 1, 2, 2), "n": Norm(4)},
        "Conv Resize",
    ),
)
