"""A batch norm beside a rectifier: rewrites with a price."""

from __future__ import annotations

from benchmarks.motifs.motif import Motif, Norm

_X = "(float[N,4,H,W] x) => (float[N,5,P,Q] y)"

MOTIFS = (
    Motif(
        "bn-relu-conv",
        f"{_X} {{ s = Sigmoid(x) a = BN(s, n) r = Relu(a) y = Conv(r, w) }}",
        {"w": (5, 4, 3, 3), "n": Norm(4, "positive")},
        "Sigmoid Max Conv",
        price="rectifier",
    ),
    Motif(
        "conv-relu-bn-padded-conv",
        f"""{_X} {{ a = Conv<pads=[1,1,1,1]>(x, v) r = Relu(a) b = BN(r, n)
            y = Conv<pads=[1,1,1,1]>(b, w) }}""",
        {"v": (4, 4, 3, 3), "w": (5, 4, 3, 3), "n": Norm(4)},
        "Conv Max Conv",
        price="rectifier",
    ),
    Motif(
        "crepe",
        f"""{_X} {{ a = Conv(x, v, e) r = Relu(a) b = BN(r, n)
            p = MaxPool<kernel_shape=[2,1], strides=[2,1]>(b)
            y = Conv<pads=[1,1,1,1]>(p, w) }}""",
        {"v": (4, 4, 3, 3), "e": (4,), "w": (5, 4, 3, 3), "n": Norm(4)},
        "Conv Max Min MaxPool Conv",
        price="rectifier",
    ),
    Motif(
        "crepe-positive",
        f"""{_X} {{ a = Conv(x, v, e) r = Relu(a) b = BN(r, n)
            p = MaxPool<kernel_shape=[2,1], strides=[2,1]>(b)
            y = Conv<pads=[1,1,1,1]>(p, w) }}""",
        {"v": (4, 4, 3, 3), "e": (4,), "w": (5, 4, 3, 3), "n": Norm(4, "positive")},
        "Conv Max MaxPool Conv",
        price="rectifier",
    ),
)
