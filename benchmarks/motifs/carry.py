"""What an affine passes through on its way back or forward: layout, pools, resizing, padding."""

from __future__ import annotations

import numpy as np

from benchmarks.motifs.motif import Motif, Norm

_CONV = {"w": (8, 3, 3, 3), "b": (8,)}
_X = "(float[N,3,12,12] x) => (float[N,C,P,Q] y)"
_FROM = "a = Conv<pads=[1,1,1,1]>(x, w, b)"
_SCALE = np.array([0.5, 2, 3, 0.1, 1, 4, 0.25, 1.5], dtype=np.float32).reshape(8, 1, 1)


def _i(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def _back(name: str, body: str, best: str, rank: int = 4, **constants: object) -> Motif:
    """Conv, then `body` from `a` to `z` , then a batch norm with 8 channels or those of `n`."""
    given = {"n": Norm(8), **_CONV, **constants}
    dims = ",".join(["N", "C", "P", "Q", "R"][:rank])
    return Motif(
        name,
        f"(float[N,3,12,12] x) => (float[{dims}] y) {{ {_FROM} {body} y = BN(z, n) }}",
        given,
        best,
    )  # type: ignore[arg-type]


MOTIFS = (
    _back("back-reshape", "z = Reshape(a, to)", "Conv Reshape", to=_i(0, 8, -1), rank=3),
    _back(
        "back-reshape-splits-channels",
        "z = Reshape(a, to)",
        "Conv Reshape",
        to=_i(0, 2, 4, 144),
        n=Norm(2),
    ),
    _back(
        "back-flatten-of-pooled",
        "g = GlobalAveragePool(a) z = Flatten(g)",
        "Conv GlobalAveragePool Flatten",
        rank=2,
    ),
    _back(
        "back-squeeze",
        "g = GlobalAveragePool(a) z = Squeeze(g, axes)",
        "Conv GlobalAveragePool Squeeze",
        axes=_i(2, 3),
        rank=2,
    ),
    _back("back-unsqueeze", "z = Unsqueeze(a, axes)", "Conv Unsqueeze", axes=_i(4), rank=5),
    _back("back-transpose", "z = Transpose<perm=[0,1,3,2]>(a)", "Conv Transpose"),
    _back(
        "back-depth-to-space",
        'z = DepthToSpace<blocksize=2, mode="DCR">(a)',
        "Conv DepthToSpace",
        n=Norm(2),
    ),
    _back(
        "back-depth-to-space-crd",
        'z = DepthToSpace<blocksize=2, mode="CRD">(a)',
        "Conv DepthToSpace",
        n=Norm(2),
    ),
    _back(
        "back-slice",
        "z = Slice(a, from, to, axis)",
        "Conv Slice",
        **{"from": _i(2), "to": _i(7), "axis": _i(1), "n": Norm(5)},
    ),
    _back(
        "back-slice-in-space",
        "z = Slice(a, from, to, axis)",
        "Conv Slice",
        **{"from": _i(1), "to": _i(-1), "axis": _i(3)},
    ),
    _back(
        "back-gather", "z = Gather<axis=1>(a, pick)", "Conv Gather", pick=_i(7, 1, 4, 0, 2, 6, 5, 3)
    ),
    _back(
        "back-max-pool", "z = MaxPool<kernel_shape=[2,2]>(a)", "Conv MaxPool", n=Norm(8, "positive")
    ),
    _back(
        "back-global-max-pool", "z = GlobalMaxPool(a)", "Conv GlobalMaxPool", n=Norm(8, "positive")
    ),
    _back(
        "back-average-pool",
        "z = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(a)",
        "Conv AveragePool",
    ),
    _back(
        "back-reduce-mean",
        "z = ReduceMean<keepdims=0>(a, axes)",
        "Conv ReduceMean",
        axes=_i(-1, -2),
        rank=2,
    ),
    _back(
        "back-resize-nearest",
        "z = Resize(a, , up)",
        "Conv Resize",
        up=np.array([1, 1, 2, 2], dtype=np.float32),
    ),
    _back(
        "back-resize-cubic",
        'z = Resize<mode="cubic">(a, , up)',
        "Conv Resize",
        up=np.array([1, 1, 1.5, 2], dtype=np.float32),
    ),
    _back(
        "back-pad-reflect",
        'z = Pad<mode="reflect">(a, widths)',
        "Conv Pad",
        widths=_i(0, 0, 2, 2, 0, 0, 1, 1),
    ),
    Motif(
        "back-relu-scale",
        f"{_X} {{ {_FROM} r = Relu(a) y = Mul(r, c) }}",
        {**_CONV, "c": _SCALE},
        "Conv Relu",
    ),
    Motif(
        "back-leaky-relu-scale",
        f"{_X} {{ {_FROM} r = LeakyRelu<alpha=0.2>(a) y = Mul(c, r) }}",
        {**_CONV, "c": _SCALE},
        "Conv LeakyRelu",
    ),
    Motif(
        "back-prelu-scale",
        f"{_X} {{ {_FROM} r = PRelu(a, slope) y = Div(r, c) }}",
        {**_CONV, "c": _SCALE, "slope": (8, 1, 1)},
        "Conv PRelu",
    ),
    Motif(
        "back-pad-zero-scale",
        f"{_X} {{ {_FROM} r = Pad(a, widths) y = Mul(r, c) }}",
        {**_CONV, "c": -_SCALE, "widths": _i(0, 0, 1, 1, 0, 0, 1, 1)},
        "Conv Pad",
    ),
    Motif(
        "back-upsample-opset-9",
        f'{_X} {{ {_FROM} z = Upsample<mode="nearest">(a, up) y = BN(z, n) }}',
        {**_CONV, "up": np.array([1, 1, 2, 2], dtype=np.float32), "n": Norm(8)},
        "Conv Upsample",
        opset=9,
        ir_version=4,
    ),
    Motif(
        "back-channel-shuffle",
        f"""{_X} {{ {_FROM} p = Reshape(a, parts) q = Transpose<perm=[0,2,1,3,4]>(p)
            z = Reshape(q, whole)
            y = BN(z, n) }}""",
        {**_CONV, "parts": _i(0, 2, 4, 12, 12), "whole": _i(0, 8, 12, 12), "n": Norm(8)},
        "Conv Reshape Transpose Reshape",
    ),
    Motif(
        "forward-channel-shuffle",
        """(float[N,8,H,W] x) => (float[N,5,P,Q] y) { r = Sigmoid(x) a = BN(r, n)
            s = Shape(a) h = Slice(s, two, four, zero) u = Concat<axis=0>(minus, parts, h)
            p = Reshape(a, u)
            q = Transpose<perm=[0,2,1,3,4]>(p) v = Concat<axis=0>(minus, eight, h) z = Reshape(q, v)
            y = Conv(z, w) }""",
        {
            "w": (5, 8, 3, 3),
            "n": Norm(8),
            "two": _i(2),
            "four": _i(4),
            "zero": _i(0),
            "minus": _i(-1),
            "parts": _i(2, 4),
            "eight": _i(8),
        },
        "Sigmoid Shape Slice Concat Reshape Transpose Concat Reshape Conv",
    ),
    Motif(
        "forward-flatten-gemm",
        """(float[N,4,5,5] x) => (float[N,6] y) { r = Sigmoid(x) a = BN(r, n) f = Flatten(a)
            y = Gemm<transB=1>(f, w, b) }""",
        {"w": (6, 100), "b": (6,), "n": Norm(4)},
        "Sigmoid Flatten Gemm",
    ),
    Motif(
        "forward-transpose-matmul",
        """(float[N,4,5,6] x) => (float[N,30,7] y) { r = Sigmoid(x) a = BN(r, n) f = Reshape(a, to)
            t = Transpose<perm=[0,2,1]>(f) m = MatMul(t, w) y = Add(m, b) }""",
        {"w": (4, 7), "b": (7,), "n": Norm(4), "to": _i(0, 4, 30)},
        "Sigmoid Reshape Transpose MatMul Add",
    ),
    Motif(
        "forward-average-pool",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = AveragePool<kernel_shape=[2,2]>(a) y = Conv(p, w) }""",
        {"w": (5, 4, 1, 1), "n": Norm(4)},
        "Relu AveragePool Conv",
    ),
    Motif(
        "forward-average-pool-not-counted",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(a) y = Conv(p, w) }""",
        {"w": (5, 4, 1, 1), "n": Norm(4)},
        "Relu AveragePool Conv",
    ),
    Motif(
        "forward-global-pool-flatten-gemm",
        """(float[N,4,H,W] x) => (float[N,5] y) { r = Relu(x) a = BN(r, n) p = GlobalAveragePool(a)
            f = Flatten(p) y = Gemm(f, w, b) }""",
        {"w": (4, 5), "b": (5,), "n": Norm(4)},
        "Relu GlobalAveragePool Flatten Gemm",
    ),
    Motif(
        "forward-max-pool",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(a) y = Conv(p, w) }""",
        {"w": (5, 4, 1, 1), "n": Norm(4, "positive")},
        "Relu MaxPool Conv",
    ),
    Motif(
        "forward-resize-linear",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = Resize<mode="linear",
                coordinate_transformation_mode="align_corners">(a, , up) y = Conv(p, w) }""",
        {"w": (5, 4, 1, 1), "n": Norm(4), "up": np.array([1, 1, 2, 2], dtype=np.float32)},
        "Relu Resize Conv",
    ),
    Motif(
        "forward-space-to-depth",
        """(float[N,4,12,12] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = SpaceToDepth<blocksize=2>(a) y = Conv(p, w) }""",
        {"w": (5, 16, 3, 3), "n": Norm(4)},
        "Relu SpaceToDepth Conv",
    ),
    Motif(
        "forward-split",
        """(float[N,8,H,W] x) => (float[N,5,P,Q] y, float[N,3,R,S] z) { r = Relu(x) a = BN(r, n)
            p, q = Split<axis=1>(a, sizes) y = Conv(p, w) z = Conv(q, v) }""",
        {"w": (5, 3, 3, 3), "v": (3, 5, 1, 1), "sizes": _i(3, 5), "n": Norm(8)},
        "Relu Split Conv Conv",
    ),
    Motif(
        "forward-slices",
        """(float[N,8,H,W] x) => (float[N,5,P,Q] y, float[N,3,R,S] z) { r = Relu(x) a = BN(r, n)
            p = Slice(a, zero, three, one) q = Slice(a, three, end, one) y = Conv(p, w)
            z = Conv(q, v) }""",
        {
            "w": (5, 3, 3, 3),
            "v": (3, 5, 1, 1),
            "zero": _i(0),
            "three": _i(3),
            "one": _i(1),
            "end": _i(1 << 40),
            "n": Norm(8),
        },
        "Relu Slice Slice Conv Conv",
    ),
    Motif(
        "forward-scale-through-relu",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { a = Mul(x, c) r = Relu(a)
            y = Conv<pads=[1,1,1,1]>(r, w) }""",
        {"w": (5, 4, 3, 3), "c": np.array([1, 2, 0.5, 3], dtype=np.float32).reshape(4, 1, 1)},
        "Relu Conv",
    ),
    Motif(
        "forward-pad-edge",
        """(float[N,4,H,W] x) => (float[N,5,P,Q] y) { r = Relu(x) a = BN(r, n)
            p = Pad<mode="edge">(a, widths) y = Conv(p, w) }""",
        {"w": (5, 4, 3, 3), "n": Norm(4), "widths": _i(0, 0, 1, 1, 0, 0, 1, 1)},
        "Relu Pad Conv",
    ),
)
