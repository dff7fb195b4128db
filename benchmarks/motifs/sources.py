"""Where an affine comes from: batch norms with every kind of parameter, and decomposed ones."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_CONV = {"w": (4, 3, 3, 3), "b": (4,)}
_IN = "(float[N,3,H,W] x) => (float[N,4,H,W] y)"
_MAKE = "a = Conv<pads=[1,1,1,1]>(x, w, b)"


def _f(values: object) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


MOTIFS = (
    Motif("conv-bn", f"{_IN} {{ {_MAKE} y = BN(a, n) }}", {**_CONV, "n": Norm(4)}, "Conv"),
    Motif(
        "conv-bn-opset-9",
        f"{_IN} {{ {_MAKE} y = BN(a, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv",
        opset=9,
        ir_version=4,
    ),
    Motif(
        "conv-bn-opset-6",
        f"{_IN} {{ {_MAKE} y = BN<is_test=1>(a, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv",
        opset=6,
        ir_version=3,
        listed="*",
    ),
    Motif(
        "conv-bn-large-epsilon",
        f"{_IN} {{ {_MAKE} y = BN<epsilon=0.25>(a, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "conv-bn-constant-nodes",
        f"""{_IN} {{ {_MAKE}
            s = Constant<value=float[4]{{1.5, -0.5, 0.7, 2.0}}>()
            m = Constant<value=float[4]{{0.1, 0.2, 0.3, 0.4}}>()
            y = BatchNormalization(a, s, n_b, m, n_v) }}""",
        {**_CONV, "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "conv-bn-computed-parameters",
        f"""{_IN} {{ {_MAKE} i = Identity(n_s) h = Cast<to=1>(half) d = Div(h, two) r = Sqrt(sd)
            y = BatchNormalization(a, i, d, n_m, r) }}""",
        {
            **_CONV,
            "n": Norm(4),
            "half": np.array([1, 2, -1, 0.5], dtype=np.float16),
            "two": _f(2.0),
            "sd": _f([1.0, 4.0, 2.0, 0.5]),
        },
        "Conv",
    ),
    Motif(
        "conv-bn-bias-from-a-shape",
        """(float[N,3,H,W] x) => (float[N,4,P,Q] y) {
            k = Shape<start=0, end=1>(w) z = CastLike(zero, x) e = Expand(z, k)
            a = Conv(x, w, e) y = BN(a, n) }""",
        {"w": (4, 3, 3, 3), "zero": _f(0.0), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "mul-add",
        f"{_IN} {{ {_MAKE} m = Mul(a, c) y = Add(m, d) }}",
        {**_CONV, "c": (1, 4, 1, 1), "d": (1, 4, 1, 1)},
        "Conv",
    ),
    Motif(
        "mul-add-constants-first",
        f"{_IN} {{ {_MAKE} m = Mul(c, a) y = Add(d, m) }}",
        {**_CONV, "c": (4, 1, 1), "d": (4, 1, 1)},
        "Conv",
    ),
    Motif(
        "sub-div-mul-add",
        f"{_IN} {{ {_MAKE} p = Sub(a, m) q = Div(p, v) r = Mul(q, c) y = Add(r, d) }}",
        {
            **_CONV,
            "m": (4, 1, 1),
            "v": _f([1, 2, 0.5, -3]).reshape(4, 1, 1),
            "c": (4, 1, 1),
            "d": (4, 1, 1),
        },
        "Conv",
    ),
    Motif(
        "sub-mul-with-computed-deviation",
        f"""{_IN} {{ {_MAKE} p = Sub(a, m) e = Add(v, eps) s = Sqrt(e) g = Div(c, s)
            u = Unsqueeze(g, axes) q = Mul(p, u) y = Add(q, d) }}""",
        {
            **_CONV,
            "m": (4, 1, 1),
            "v": _f([1, 2, 0.5, 3]),
            "eps": _f(1e-5),
            "c": (4,),
            "d": (4, 1, 1),
            "axes": np.array([1, 2]),
        },
        "Conv",
    ),
    Motif(
        "constant-minus-x",
        f"{_IN} {{ {_MAKE} p = Sub(c, a) y = BN(p, n) }}",
        {**_CONV, "c": (4, 1, 1), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "scalar-mul-div-add",
        f"{_IN} {{ {_MAKE} p = Mul(a, c) q = Div(p, d) r = Add(q, e) y = BN(r, n) }}",
        {**_CONV, "c": _f(2.5), "d": _f([3.0]), "e": _f(-1.0), "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "chain-of-three",
        f"{_IN} {{ {_MAKE} p = BN(a, n) q = BN(p, m) y = BN(q, k) }}",
        {**_CONV, "n": Norm(4), "m": Norm(4, "zero"), "k": Norm(4)},
        "Conv",
    ),
    Motif(
        "one-tensor-as-mean-and-beta",
        f"{_IN} {{ {_MAKE} y = BatchNormalization(a, n_s, n_b, n_b, n_v) }}",
        {**_CONV, "n": Norm(4)},
        "Conv",
    ),
    Motif(
        "ir-version-3",
        f"{_IN} {{ {_MAKE} y = BN(a, n) }}",
        {**_CONV, "n": Norm(4)},
        "Conv",
        opset=8,
        ir_version=3,
        listed="*",
    ),
    Motif(
        "lone-bn-then-mul-add",
        "(float[N,3,H,W] x) => (float[N,3,H,W] y) { p = BN(x, n) q = Mul(p, c) y = Add(q, d) }",
        {"n": Norm(3), "c": (3, 1, 1), "d": (3, 1, 1)},
        "BatchNormalization",
    ),
)
