"""Concatenated convolutions of one value: one with the rows of all, where that is no more work."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.merge.merging import Array, bias, conv, merged, model, norm, weight

CONSTANTS: dict[str, Array] = {
    **conv("a", 5, 4, 3, 3), **conv("c", 6, 4, 3, 3, seed=8), **conv("p", 3, 4, 1, 1),
    **conv("q", 2, 4, 1, 1, seed=9), **conv("g", 4, 2, 1, 1), **conv("o", 3, 8, 1, 1),
    **conv("f", 3, 11, 1, 1, seed=4), **conv("z", 3, 11, 3, 3, seed=4), **norm("n", 3, signs=True),
    "one": np.array([1, 1]), "minus": np.array([-1, -1]), "space": np.array([2, 3]),
    "m": weight(4, 5), "k": weight(4, 2, seed=7), "mb": bias(5),
    "ew": weight(1, 4, 3, 3), "hw": weight(1, 4, 1, 1, seed=2), "vw": weight(5, 2, 1, 1),
    "kw": weight(3, 4, 2, 1), "nw": weight(3, 2, 3, 3),
    "lw": weight(13, 4, 1, 1), "rw": weight(4, 14, 1, 1),
    "tw": weight(4, 3, 1, 1), "uw": weight(4, 1, 1, 1, seed=5), "ww": weight(3, 5, 1, 1),
}  # fmt: skip
SAME = "pads = [1, 1, 1, 1]"
IMAGE = "(float[N, 4, H, W] x) => (float[N, {}, P, Q] y) {{ {} }}"

CONCATENATED = {
    "of-one-size": (11, f"a = Conv<{SAME}>(x, aw, ab) c = Conv<{SAME}>(x, cw, cb) "
                    "y = Concat<axis = 1>(a, c)", "Conv"),
    "with-affines": (5, "p = Conv(x, pw, pb) b = BN(p, n) q = Conv(x, qw) "
                     "y = Concat<axis = 1>(b, q)", "Conv"),
    "negative-axis": (5, "p = Conv(x, pw) q = Conv(x, qw, qb) y = Concat<axis = -3>(q, p)", "Conv"),
    "three": (8, "p = Conv(x, pw, pb) q = Conv(x, qw, qb) r = Conv(x, pw) "
              "y = Concat<axis = 1>(p, q, r)", "Conv"),
    "of-two-sizes": (8, f"a = Conv<{SAME}>(x, aw, ab) p = Conv(x, pw, pb) "
                     "y = Concat<axis = 1>(a, p)", "Conv Conv Concat"),
    "in-groups": (7, "g = Conv<group = 2>(x, gw, gb) p = Conv(x, pw) y = Concat<axis = 1>(g, p)",
                  "Conv Conv Concat"),
    "of-one-part": (3, "p = Conv(x, pw, pb) y = Concat<axis = 1>(p)", "Conv"),
    "of-a-crop": (5, "s = Slice(x, one, minus, space) p = Conv(s, pw) "
                  "z = Slice(x, one, minus, space) q = Conv(z, qw) y = Concat<axis = 1>(p, q)",
                  "Slice Conv Slice Conv Concat"),
    "along-space": (3, "p = Conv(x, pw, pb) r = Conv(x, pw) y = Concat<axis = 2>(p, r)",
                    "Conv Conv Concat"),
    "twice-the-same": (6, "p = Conv(x, pw, pb) y = Concat<axis = 1>(p, p)", "Conv Concat"),
    "read-elsewhere": (5, "p = Conv(x, pw) q = Conv(x, qw) c = Concat<axis = 1>(p, q) "
                       "s = ReduceMax<keepdims = 1>(p) y = Add(c, s)",
                       "Conv Conv Concat ReduceMax Add"),
    "of-sizes-that-may-differ": (5, "p = Conv<strides = [2, 2]>(x, kw) "
                                 "q = Conv<strides = [2, 2]>(x, qw) y = Concat<axis = 1>(p, q)",
                                 "Conv Conv Concat"),
    "by-other-strides": (5, "p = Conv<strides = [2, 2]>(x, pw) q = Conv(x, qw) "
                         "r = Resize(p, , , sizes) y = Concat<axis = 1>(r, q)",
                         "Conv Conv Resize Concat"),
}  # fmt: skip
BEHIND = {
    "pointwise": (3, f"a = Conv<{SAME}>(x, aw, ab) p = Conv(x, pw, pb) c = Concat<axis = 1>(a, p) "
                  "y = Conv(c, ow, ob)", "Conv"),
    "too-much-work": (3, f"a = Conv<{SAME}>(x, aw, ab) c = Conv<{SAME}>(x, cw) "
                      f"d = Concat<axis = 1>(a, c) y = Conv<{SAME}>(d, zw, zb)", "Conv Conv"),
    "a-bottleneck": (5, f"p = Conv<{SAME}>(x, ew) q = Conv(x, hw) d = Concat<axis = 1>(p, q) "
                     "y = Conv(d, vw)", "Conv Conv Concat Conv"),
    "as-much-work": (4, f"p = Conv<{SAME}>(x, ew) q = Conv(x, lw) d = Concat<axis = 1>(p, q) "
                     "y = Conv(d, rw)", "Conv"),
    "padded-behind-a-window": (3, f"p = Conv<{SAME}>(x, ew) q = Conv(x, hw) "
                               f"d = Concat<axis = 1>(p, q) y = Conv<{SAME}>(d, nw)",
                               "Conv Conv Concat Conv"),
    "padded-behind-a-transpose": (3, "p = ConvTranspose<strides = [2, 2]>(x, tw) "
                                  "q = ConvTranspose<strides = [2, 2], group = 2>(x, uw) "
                                  f"d = Concat<axis = 1>(p, q) y = Conv<{SAME}>(d, ww)",
                                  "ConvTranspose ConvTranspose Concat Conv"),
    "padded-behind-a-bias": (3, "p = Conv(x, pw, pb) r = Conv(x, pw) q = Conv(x, qw) "
                             "s = Conv(x, pw) d = Concat<axis = 1>(p, r, q, s) "
                             f"y = Conv<{SAME}>(d, zw, zb)",
                             "Conv Conv"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*CONCATENATED, *BEHIND])
def test_what_becomes_of_a_concat(name: str) -> None:
    channels, text, kept = {**CONCATENATED, **BEHIND}[name]
    constants = CONSTANTS | {"sizes": np.array([2, 3, 6, 5])}
    folded = merged(IMAGE.format(channels, text), constants, x=(2, 4, 6, 5))
    assert folded.operators == kept.split()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a = Gemm(x, m, mb) c = MatMul(x, k) y = Concat<axis = 1>(a, c)", "Gemm MatMul Concat"),
        ("a = Gemm(x, m, mb) c = Gemm<alpha = 2.0>(x, k) y = Concat<axis = 1>(a, c)", "Gemm"),
        ("a = MatMul(x, m) c = MatMul(x, k) y = Concat<axis = -1>(c, a)", "MatMul"),
    ],
)
def test_products_with_matrices_are_concatenated_alike(text: str, kept: str) -> None:
    folded = merged(f"(float[N, 4] x) => (float[N, 7] y) {{ {text} }}", CONSTANTS, x=(3, 4))
    assert folded.operators == kept.split()


def test_a_weight_that_is_fed_behind_a_concat_is_no_mistake() -> None:
    text = f"""(float[N, 4, H, W] x, float[3, 8, 1, 1] fed) => (float[N, 3, H, W] y) {{
        a = Conv<{SAME}>(x, aw) p = Conv(x, pw) d = Concat<axis = 1>(a, p) y = Conv(d, fed) }}"""
    folded = merged(text, CONSTANTS, x=(2, 4, 6, 5), fed=(3, 8, 1, 1))
    assert folded.operators == ["Conv", "Conv", "Concat", "Conv"]
    assert folded.result.ledger.bugs == ()


def test_skipping_merges_of_concats_keeps_those_that_are_read_too() -> None:
    text = BEHIND["pointwise"][1]
    folded = merged(IMAGE.format(3, text), CONSTANTS, skip=["merge-concat"], x=(2, 4, 6, 5))
    assert folded.operators == ["Conv", "Conv", "Concat", "Conv"]


@pytest.mark.parametrize("skip", ["merge-concat", "c"])
def test_a_concat_that_is_skipped_stays(skip: str) -> None:
    text = "p = Conv(x, pw) q = Conv(x, qw) [c] y = Concat<axis = 1>(p, q)"
    folded = merged(IMAGE.format(5, text), CONSTANTS, skip=[skip], x=(2, 4, 6, 5))
    assert folded.operators == ["Conv", "Conv", "Concat"]
    free = merged(IMAGE.format(5, text), CONSTANTS, x=(2, 4, 6, 5))
    assert free.result.ledger.merges[0].endswith("are one Conv 'c'")


CROPPED = {
    "slice": ("s = Slice(x, one, minus, space) p = Conv(s, pw)", "Conv"),
    "slice-of-a-conv": ("r = Conv(x, pw) p = Slice(r, one, minus, space)", "Conv"),
    "negative-pad": ("s = Pad(x, crop) p = Conv(s, pw)", "Conv"),
    "slice-of-channels": ("s = Slice(x, zero, four, channel) t = Slice(s, one, minus, space) "
                          "p = Conv(t, sw)", "Slice Slice Conv Conv Add"),
    "run-time": ("s = Slice(x, one, ends, space) p = Conv(s, pw)", "Slice Conv Conv Add"),
    "other-border": ("s = Slice(x, two, last, space) p = Conv(s, pw)", "Conv"),
    "backward": ("s = Slice(x, high, low, space, back) p = Conv(s, pw)", "Slice Conv Conv Add"),
    "padded-behind": ("s = Slice(x, one, minus, space) p = Conv<pads = [1, 1, 1, 1]>(s, tw)",
                      "Slice Conv Conv Add"),
}  # fmt: skip


@pytest.mark.parametrize("size", ["H, W", "8, 7"])
@pytest.mark.parametrize("name", CROPPED)
def test_a_branch_that_crops_is_a_tap_elsewhere(name: str, size: str) -> None:
    text, kept = CROPPED[name]
    constants = CONSTANTS | {
        "aw": weight(3, 4, 3, 3), "tw": weight(3, 4, 3, 3, seed=2),
        "crop": np.array([0, 0, -1, -1, 0, 0, -1, -1]), "zero": np.array([0]),
        "four": np.array([3]), "sw": weight(3, 3, 1, 1), "channel": np.array([1]),
        "two": np.array([2, 0]),
        "last": np.array([1 << 40, -2]), "high": np.array([-2, -2]), "low": np.array([0, 0]),
        "back": np.array([-1, -1]),
    }  # fmt: skip
    fed = ", int64[2] ends" if name == "run-time" else ""
    body = f"a = Conv(x, aw) {text} y = Add(a, p)"
    shapes = {"x": (2, 4, 8, 7)}
    whole = f"(float[N, 4, {size}] x{fed}) => (float[N, 3, P, Q] y) {{ {body} }}"
    if fed:
        assert bnfold.fold(model(whole, constants)).ledger.merges == ()
        return
    assert sorted(merged(whole, constants, **shapes).operators) == sorted(kept.split())


TRANSPOSED = {
    "behind-a-pointwise": ("a = Conv(x, pw) y = ConvTranspose<strides = [2, 2]>(a, tw, tb)",
                           "ConvTranspose"),
    "behind-a-bias": ("a = Conv(x, pw, pb) y = ConvTranspose<strides = [2, 2]>(a, tw, tb)",
                      "Conv ConvTranspose"),
    "behind-a-stride": ("a = Conv<strides = [2, 2]>(x, pw) "
                        "y = ConvTranspose<strides = [2, 2]>(a, tw)", "Conv ConvTranspose"),
    "before-a-pointwise": ("a = ConvTranspose<strides = [2, 2], pads = [0, 1, 1, 0]>(x, uw, ub) "
                           "y = Conv(a, vw, vb)", "ConvTranspose"),
    "before-a-large-one": ("a = ConvTranspose<strides = [2, 2]>(x, uw, ub) y = Conv(a, lw)",
                           "ConvTranspose Conv"),
    "before-a-padded-one": ("a = ConvTranspose<strides = [2, 2]>(x, uw, ub) "
                            "y = Conv<pads = [1, 1, 1, 1]>(a, vw)", "ConvTranspose Conv"),
    "in-groups": ("a = ConvTranspose<group = 2>(x, gw) y = Conv(a, vw)", "ConvTranspose Conv"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_pointwise_conv_beside_a_transposed_one(name: str) -> None:
    text, kept = TRANSPOSED[name]
    constants = {
        **conv("p", 8, 4, 1, 1), **conv("u", 4, 4, 3, 3), **conv("v", 3, 4, 1, 1),
        **conv("l", 40, 4, 1, 1), "tw": weight(8, 3, 3, 3), "tb": bias(3), "gw": weight(4, 2, 2, 2),
    }  # fmt: skip
    text = f"(float[N, 4, H, W] x) => (float[N, C, P, Q] y) {{ {text} }}"
    assert merged(text, constants, x=(2, 4, 5, 6)).operators == kept.split()


WHOLE = {
    "flatten": ("f = Flatten(a)", "4, 3, 5", "Flatten Gemm"),
    "reshape": ("f = Reshape(a, flat)", "4, 3, 5", "Flatten Gemm"),
    "open-size": ("f = Flatten(a)", "4, H, W", "Conv Flatten Gemm"),
    "two-positions": ("f = Flatten(a)", "4, 4, 5", "Conv Flatten Gemm"),
    "relu-between": ("r = Relu(a) f = Flatten(r)", "4, 3, 5", "Conv Relu Flatten Gemm"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_conv_over_the_whole_extent_is_a_matrix(name: str) -> None:
    text, size, kept = WHOLE[name]
    rows = 32 if name == "two-positions" else 16
    constants = {**conv("a", 16, 4, 3, 5), "m": weight(rows, 3), "mb": bias(3),
                 "flat": np.array([0, 16])}  # fmt: skip
    whole = f"a = Conv(x, aw, ab) {text} y = Gemm(f, m, mb)"
    text = f"(float[N, {size}] x) => (float[N, 3] y) {{ {whole} }}"
    shape = (2, 4, 4 if name == "two-positions" else 3, 5)
    assert merged(text, constants, x=shape).operators == kept.split()


def test_a_matrix_that_multiplies_a_constant_is_left_alone() -> None:
    """What makes the constant reads nothing: there is no operator before it to look at."""
    text = """(float[N, 4] x) => (float[3, N] y) {
        k = Constant<value = float[3, 4] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}>()
        t = Transpose<perm = [1, 0]>(x) y = MatMul(k, t) }"""
    folded = merged(text, {}, x=(3, 4))
    assert folded.operators == ["Constant", "Transpose", "MatMul"]
