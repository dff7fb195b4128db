"""Statements on the rules that take an affine into constants."""

from __future__ import annotations

from tests.fold.proofs.case import Case, both

_CONV = (
    Case("conv", "(float[1,2,3] x) => (float[1,2,2] y) { y = Conv(x, w) }", {0: (1, 2, 1)}, {"w": (2, 2, 2)}),
    Case("conv", "(float[1,2,3] x) => (float[1,3,2] y) { y = Conv(x, w, b) }", {0: (1, 3, 1)}, {"w": (3, 2, 2), "b": (3,)}),
    Case(
        "conv",
        "(float[1,2,3] x) => (float[1,2,2] y) { y = Conv<strides = [2], dilations = [2], pads = [1, 2]>(x, w) }",
        {0: (1, 2, 1)},
        {"w": (2, 2, 2)},
    ),
    Case("conv", "(float[1,4,2] x) => (float[1,4,1] y) { y = Conv<group = 2>(x, w) }", {0: (1, 4, 1)}, {"w": (4, 2, 2)}),
    Case("conv", "(float[1,2,2] x) => (float[1,4,3] y) { y = Conv<group = 2, pads = [1, 1]>(x, w) }", {0: (1, 4, 1)}, {"w": (4, 1, 2)}),
    Case("conv", "(float[1,1,2,2] x) => (float[1,2,1,1] y) { y = Conv(x, w) }", {0: (1, 2, 1, 1)}, {"w": (2, 1, 2, 2)}),
    Case("conv", "(float[1,2,3] x) => (float[1,3,2] y) { y = Conv(x, w, b) }", {0: (1, 2, 1)}, {"w": (3, 2, 2), "b": (3,)}, backward=False),
    Case("conv", "(float[1,4,2] x) => (float[1,4,1] y) { y = Conv<group = 2>(x, w) }", {0: (1, 4, 1)}, {"w": (4, 2, 2)}, backward=False),
    Case("conv", "(float[1,2,5] x) => (float[1,2,2] y) { y = Conv<strides = [2], dilations = [2]>(x, w) }", {0: (1, 2, 1)}, {"w": (2, 2, 2)}, backward=False),
    Case(
        "conv",
        "(float[1,2,3] x) => (float[1,2,4] y) { y = Conv<pads = [1, 1]>(x, w) }",
        {0: (1, 2, 1)},
        {"w": (2, 2, 2)},
        backward=False,
        shift=False,
    ),
)  # fmt: skip
_CONV_WITH_BIAS = (
    Case("conv", "(float[1,2,3] x) => (float[1,3,2] y) { y = Conv(x, w, b) }", {0: (1, 2, 1)}, {"w": (3, 2, 2), "b": (3,)}, backward=False, shift=False),
)  # fmt: skip
_DEFORMED = tuple(
    case
    for bias in (", b", "")
    for case in (
        Case("conv", f"(float[1,2,2,2] x, float[1,2,2,2] o) => (float[1,2,2,2] y) {{ y = DeformConv<group = 2>(x, w, o{bias}) }}", {0: (1, 2, 1, 1)}, {"w": (2, 1, 1, 1)} | ({"b": (2,)} if bias else {}), opset=19),
        Case("conv", f"(float[1,2,2,2] x, float[1,2,2,2] o) => (float[1,2,2,2] y) {{ y = DeformConv(x, w, o{bias}) }}", {0: (1, 2, 1, 1)}, {"w": (2, 2, 1, 1)} | ({"b": (2,)} if bias else {}), opset=19, shift=False, backward=False),
    )
)  # fmt: skip
_TRANSPOSED = (
    Case("conv-transpose", "(float[1,2,2] x) => (float[1,3,5] y) { y = ConvTranspose<strides = [3]>(x, w, b) }", {0: (1, 3, 1)}, {"w": (2, 3, 2), "b": (3,)}),
    Case("conv-transpose", "(float[1,4,2] x) => (float[1,4,2] y) { y = ConvTranspose<group = 2, pads = [1, 0]>(x, w) }", {0: (1, 4, 1)}, {"w": (4, 2, 2)}),
    Case("conv-transpose", "(float[1,4,2] x) => (float[1,2,3] y) { y = ConvTranspose<group = 2>(x, w) }", {0: (1, 4, 1)}, {"w": (4, 1, 2)}, backward=False, shift=False),
    Case("conv-transpose", "(float[1,4,2] x) => (float[1,4,2] y) { y = ConvTranspose<group = 2>(x, w, b) }", {0: (1, 4, 1)}, {"w": (4, 2, 1), "b": (4,)}, backward=False),
)  # fmt: skip
_GEMMS = tuple(
    case
    for attributes, a, b, axis in (
        ("", "2,3", (3, 2), 1),
        ("transB = 1, alpha = 0.5, beta = 2.0", "2,3", (2, 3), 1),
        ("transA = 1, transB = 1, beta = 0.5", "3,2", (2, 3), 0),
    )
    for bias in ((2,), (1, 2), (2, 1), (), (2, 2), None)
    for case in (
        Case(
            "gemm",
            f"(float[{a}] x) => (float[2,2] y) {{ y = Gemm<{attributes}>(x, w{', c' * (bias is not None)}) }}".replace("<>", ""),
            {0: (1, 2)},
            {"w": b} | ({} if bias is None else {"c": bias}),
        ),
        Case(
            "gemm",
            f"(float[{a}] x) => (float[2,2] y) {{ y = Gemm<{attributes}>(x, w{', c' * (bias is not None)}) }}".replace("<>", ""),
            {0: (1, 3) if axis == 1 else (3, 1)},
            {"w": b} | ({} if bias is None else {"c": bias}),
            backward=False,
        ),
    )
)  # fmt: skip
_PRODUCTS = (
    Case("matmul", "(float[2,3] x) => (float[2,2] y) { y = MatMul(x, w) }", {0: (1, 2)}, {"w": (3, 2)}),
    Case("matmul", "(float[2,2,3] x) => (float[2,2,2] y) { y = MatMul(x, w) }", {0: (1, 1, 2)}, {"w": (3, 2)}, shift=False),
    Case("matmul", "(float[2,3] x) => (float[2,2] y) { y = MatMul(x, w) }", {0: (2, 1)}, {"w": (3, 2)}, shift=False),
    Case("matmul", "(float[3,2] x) => (float[2,2] y) { y = MatMul(w, x) }", {0: (2, 1)}, {"w": (2, 3)}),
    Case("matmul", "(float[2,3] x) => (float[2] y) { y = MatMul(x, w) }", {0: (1,)}, {"w": (3,)}, shift=False),
    Case("matmul", "(float[2,2,3] x) => (float[2,2,2] y) { y = MatMul(x, w) }", {0: (1, 1, 2)}, {"w": (2, 3, 2)}, shift=False),
    Case("matmul", "(float[2,3] x) => (float[2,2] y) { y = MatMul(x, w) }", {0: (1, 3)}, {"w": (3, 2)}, backward=False),
    Case("matmul", "(float[3,2] x) => (float[2,2] y) { y = MatMul(w, x) }", {1: (3, 1)}, {"w": (2, 3)}, backward=False),
    Case("matmul", "(float[2,2,3] x) => (float[2,2,2] y) { y = MatMul(x, w) }", {0: (1, 1, 3)}, {"w": (3, 2)}, backward=False),
    Case("matmul", "(float[2,2,3] x) => (float[2,2,2] y) { y = MatMul(x, w) }", {0: (1, 2, 1)}, {"w": (2, 3, 2)}, backward=False),
    Case("matmul", "(float[2,3,2] x) => (float[2,2,2] y) { y = MatMul(w, x) }", {1: (1, 3, 1)}, {"w": (2, 3)}, backward=False),
    Case("matmul", "(float[2,3] x) => (float[2] y) { y = MatMul(x, w) }", {0: (1, 3)}, {"w": (3,)}, backward=False),
    Case("matmul", "(float[3,2] x) => (float[2] y) { y = MatMul(w, x) }", {1: (3, 1)}, {"w": (3,)}, backward=False),
)  # fmt: skip
_NORMALIZERS = (
    Case("normalizer", "(float[2,3] x) => (float[2,3] y) { y = RMSNormalization<axis = -1>(x, g) }", {0: (1, 3)}, {"g": (3,)}, shift=False, opset=23),
    Case("normalizer", "(float[1,2,2] x) => (float[1,2,2] y) { y = InstanceNormalization(x, g, b) }", {0: (1, 2, 1)}, {"g": (2,), "b": (2,)}),
    Case("normalizer", "(float[1,2,2] x) => (float[1,2,2] y) { y = GroupNormalization<num_groups = 1>(x, g, b) }", {0: (1, 2, 1)}, {"g": (2,), "b": (2,)}, opset=21),
    Case("normalizer", "(float[2,3] x) => (float[2,3] y) { y = LayerNormalization<axis = -1>(x, g, b) }", {0: (1, 3)}, {"g": (3,), "b": (3,)}),
)  # fmt: skip
_RECURRENT = tuple(
    Case(
        "recurrent",
        f"(float[2,1,3] x) => (float[2,1,1,1] y) {{ y = {op}<hidden_size = 1>(x, w, r{', b' * biased}) }}",
        {0: (1, 1, 3)},
        {"w": (1, gates, 3), "r": (1, gates, 1)} | ({"b": (1, 2 * gates)} if biased else {}),
        backward=False,
    )
    for op, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4))
    for biased in (True, False)
)  # fmt: skip
_X = "(float[1,2,2] x) => (float[1,2,2] y)"
_COMPOSED = tuple(
    case
    for text in (
        f"{_X} {{ y = Mul(x, c) }}",
        f"{_X} {{ y = Add(c, x) }}",
        f"{_X} {{ y = Sub(x, c) }}",
        f"{_X} {{ y = Sub(c, x) }}",
        f"{_X} {{ y = Div(x, c) }}",
    )
    for shift in (True, False)
    for case in both(Case("compose", text, {0: (1, 2, 1)}, {"c": (2, 1)}, shift=shift, assumed={"c": "nonzero"}))
    if case.backward or "(c, x)" not in text
) + (
    Case("compose", f"{_X} {{ y = Add(c, x) }}", {1: (1, 2, 1)}, {"c": (2, 1)}, backward=False),
    Case("compose", f"{_X} {{ y = Sub(c, x) }}", {1: (1, 2, 1)}, {"c": (2, 1)}, backward=False),
    Case("compose", f"{_X} {{ y = Mul(c, x) }}", {1: (1, 2, 1)}, {"c": (2, 1)}, backward=False),
)  # fmt: skip
_NORM = tuple(
    case
    for shift in (True, False)
    for case in both(
        Case(
            "compose",
            f"{_X} {{ y = BatchNormalization(x, g, b, m, v) }}",
            {0: (1, 2, 1)},
            {"g": (2,), "b": (2,), "m": (2,), "v": (2,)},
            shift=shift,
            assumed={"v": "positive"},
        )
    )
)
CASES = (
    *_NORM,
    *_CONV,
    *_CONV_WITH_BIAS,
    *_DEFORMED,
    *_TRANSPOSED,
    *_GEMMS,
    *_PRODUCTS,
    *_NORMALIZERS,
    *_RECURRENT,
    *_COMPOSED,
)
