"""Blocks of networks over maps [N, C, H, W], each in several forms that compute the same."""

from __future__ import annotations

import numpy as np

from tests.verify.drawn.row_forms import EPSILON, Block, Form, Forms, Rng

_SPACE = {"l": np.array([2, 3])}


def convolution(rng: Rng, c: int) -> tuple[Forms, int]:
    """3x3: as it is, padded before, over halves of the channels, over rows of the kernel."""
    n = int(rng.integers(2, 20))
    w, b = rng.normal(size=(n, c, 3, 3)) / np.sqrt(9 * c), rng.normal(size=n)
    i = max(c // 2, 1)
    own = {"w": w, "b": b}
    forms = [
        Form("{y} = Conv <pads = [1, 1, 1, 1]> ({x}, {p}w, {p}b)", own),
        Form(
            "{p}a = Pad ({x}, {p}s)  {y} = Conv <pads = [0, 0, 0, 0]> ({p}a, {p}w, {p}b)",
            {**own, "s": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
        ),
        Form(
            "{p}a = Conv <pads = [1, 1, 1, 1]> ({x}, {p}w)  {y} = Add ({p}a, {p}b)",
            {"w": w, "b": b.reshape(n, 1, 1)},
        ),
        Form(
            "{p}a = Conv <pads = [1, 1, 1, 1]> ({x}, {p}u, {p}b)"
            "  {p}c = Conv <pads = [1, 1, 1, 1]> ({x}, {p}v)  {y} = Add ({p}c, {p}a)",
            {"u": np.where(np.arange(3)[:, None] == 1, w, 0), "b": b}
            | {"v": np.where(np.arange(3)[:, None] == 1, 0, w)},
        ),
    ]
    if c > 1:
        forms.append(
            Form(
                "{p}e, {p}f = Split <axis = 1> ({x}, {p}s)"
                "  {p}a = Conv <pads = [1, 1, 1, 1]> ({p}e, {p}u)"
                "  {p}c = Conv <pads = [1, 1, 1, 1]> ({p}f, {p}v, {p}b)  {y} = Add ({p}a, {p}c)",
                {"s": np.array([i, c - i]), "u": w[:, :i], "v": w[:, i:], "b": b},
            )
        )
    return forms, n


def pointwise(rng: Rng, c: int) -> tuple[Forms, int]:
    """1x1: a convolution, and a product between two Transposes."""
    n = int(rng.integers(2, 40))
    w = rng.normal(size=(n, c)) / np.sqrt(c)
    return [
        Form("{y} = Conv ({x}, {p}w)", {"w": w[:, :, None, None]}),
        Form(
            "{p}a = Transpose <perm = [0, 2, 3, 1]> ({x})  {p}b = MatMul ({p}a, {p}w)"
            "  {y} = Transpose <perm = [0, 3, 1, 2]> ({p}b)",
            {"w": w.T},
        ),
    ], n


def normed(rng: Rng, c: int) -> tuple[Forms, int]:
    """A batch norm behind a convolution: as it is, as scale and shift, and folded."""
    n, group = int(rng.integers(2, 20)), 1
    if rng.random() < 0.3:
        n = group = c
    w = rng.normal(size=(n, c // group, 3, 3)) / np.sqrt(9 * c // group)
    s, t, m = rng.uniform(0.5, 2, n), rng.normal(size=n), rng.normal(size=n)
    v = rng.uniform(0.2, 3, n) * 10.0 ** -rng.integers(0, 3)
    w, s, t, m, v = (a.astype(np.float32).astype(np.float64) for a in (w, s, t, m, v))
    k = s / np.sqrt(v + EPSILON)
    conv = f"Conv <pads = [1, 1, 1, 1], group = {group}>"
    whole = {"k": k.reshape(n, 1, 1), "h": (t - m * k).reshape(n, 1, 1)}
    return [
        Form(
            f"{{p}}a = {conv} ({{x}}, {{p}}w)"
            "  {y} = BatchNormalization ({p}a, {p}s, {p}t, {p}m, {p}v)",
            {"w": w, "s": s, "t": t, "m": m, "v": v},
        ),
        Form(
            f"{{p}}a = {conv} ({{x}}, {{p}}w)"
            "  {p}b = Mul ({p}a, {p}k)  {y} = Add ({p}b, {p}h)",
            {"w": w, **whole},
        ),
        Form(
            f"{{y}} = {conv} ({{x}}, {{p}}w, {{p}}h)",
            {"w": w * k[:, None, None, None], "h": t - m * k},
        ),
    ], n


def pooled(rng: Rng, c: int) -> tuple[Forms, int]:
    """2x2 means: a pool, and a convolution a channel."""
    del rng
    quarter = np.full((c, 1, 2, 2), 0.25)
    return [
        Form("{y} = AveragePool <kernel_shape = [2, 2], pads = [0, 0, 1, 1]> ({x})"),
        Form(
            "{p}a = Pad ({x}, {p}s)  {p}b = Conv <group = " + str(c) + "> ({p}a, {p}w)"
            "  {p}o = Pad ({p}i, {p}s)  {p}n = Conv ({p}o, {p}q)  {y} = Div ({p}b, {p}n)",
            {"s": np.array([0, 0, 0, 0, 0, 0, 1, 1]), "w": quarter}
            | {"i": np.ones((1, 1, 9, 7)), "q": np.full((1, 1, 2, 2), 0.25)},
        ),
    ], c


def rectifier(rng: Rng, c: int) -> tuple[Forms, int]:
    """Relu, LeakyRelu or Swish, in two forms each."""
    slope = np.array(0.25)
    kinds: list[Forms] = [
        [Form("{y} = Relu ({x})"), Form("{y} = Max ({p}z, {x})", {"z": np.zeros(())})],
        [
            Form("{y} = LeakyRelu <alpha = 0.25> ({x})"),
            Form("{p}a = Mul ({x}, {p}s)  {y} = Max ({x}, {p}a)", {"s": slope}),
        ],
        [
            Form("{p}a = Sigmoid ({x})  {y} = Mul ({x}, {p}a)"),
            Form(
                "{p}a = Neg ({x})  {p}b = Exp ({p}a)  {p}c = Add ({p}o, {p}b)"
                "  {y} = Div ({x}, {p}c)",
                {"o": np.ones(())},
            ),
        ],
    ]
    return kinds[rng.integers(len(kinds))], c


def instance_norm(rng: Rng, c: int) -> tuple[Forms, int]:
    """An instance norm, and its formula."""
    s, t = rng.uniform(0.5, 2, c), rng.normal(size=c)
    return [
        Form("{y} = InstanceNormalization <epsilon = 1e-5> ({x}, {p}s, {p}t)", {"s": s, "t": t}),
        Form(
            "{p}m = ReduceMean <axes = [2, 3]> ({x})  {p}d = Sub ({x}, {p}m)"
            "  {p}q = Mul ({p}d, {p}d)  {p}v = ReduceMean <axes = [2, 3]> ({p}q)"
            "  {p}w = Add ({p}v, {p}e)  {p}r = Sqrt ({p}w)  {p}n = Div ({p}d, {p}r)"
            "  {p}a = Mul ({p}n, {p}s)  {y} = Add ({p}a, {p}t)",
            {"s": s.reshape(c, 1, 1), "t": t.reshape(c, 1, 1), "e": np.array(EPSILON)},
        ),
    ], c


def gate(rng: Rng, c: int) -> tuple[Forms, int]:
    """Squeeze and excitation: a mean, a product, a sigmoid for each channel."""
    w, b = rng.normal(size=(c, c)) / np.sqrt(c), rng.normal(size=c)
    return [
        Form(
            "{p}m = GlobalAveragePool ({x})  {p}a = Conv ({p}m, {p}w, {p}b)"
            "  {p}g = Sigmoid ({p}a)  {y} = Mul ({x}, {p}g)",
            {"w": w[:, :, None, None], "b": b},
        ),
        Form(
            "{p}m = ReduceMean <axes = [2, 3], keepdims = 0> ({x})"
            "  {p}a = Gemm <transB = 1> ({p}m, {p}w, {p}b)  {p}g = Sigmoid ({p}a)"
            "  {p}h = Unsqueeze ({p}g, {p}l)  {y} = Mul ({p}h, {x})",
            {"w": w, "b": b, **_SPACE},
        ),
    ], c


def flattened(rng: Rng, c: int) -> Forms:
    """The mean of each channel, [N, C]: a pool, a mean, a sum over its count."""
    del rng
    return [
        Form("{p}a = GlobalAveragePool ({x})  {y} = Flatten ({p}a)"),
        Form("{y} = ReduceMean <axes = [2, 3], keepdims = 0> ({x})"),
        Form(
            "{p}a = ReduceSum <keepdims = 0> ({x}, {p}l)  {y} = Mul ({p}a, {p}n)",
            {**_SPACE, "n": np.array(1.0 / 63)},
        ),
    ]


MAPS: tuple[Block, ...] = (
    *(convolution, convolution, pointwise, normed, normed, normed, pooled, rectifier, rectifier),
    *(instance_norm, gate),
)
"""Blocks of networks over [N, C, 9, 7]."""

EXTENTS = (9, 7)
