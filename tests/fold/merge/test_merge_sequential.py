"""A Conv behind a Conv: when they are one, and when that would be wrong or more work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import conv, merged, norm, weight

PAD = "pads = [1, 1, 1, 1]"


def _image(body: str, cin: int = 3, cout: int = 4, size: str = "H, W") -> str:
    return f"(float[N, {cin}, {size}] x) => (float[N, {cout}, P, Q] y) {{ {body} }}"


def test_the_product_is_rounded_once() -> None:
    constants = conv("a", 5, 3, 3, 3) | conv("c", 4, 5, 1, 1)
    text = _image(f"[one] a = Conv<{PAD}>(x, aw, ab) [two] y = Conv(a, cw, cb)")
    folded = merged(text, constants, x=(2, 3, 6, 5))
    assert folded.operators == ["Conv"]
    assert folded.node("Conv").name == "two"
    assert folded.result.ledger.merges == ("Conv 'one' and Conv 'two' are one Conv 'two'",)
    wide = {name: array.astype(np.float64) for name, array in constants.items()}
    product = np.einsum("om,mihw->oihw", wide["cw"][:, :, 0, 0], wide["aw"])
    shift = wide["cw"][:, :, 0, 0] @ wide["ab"] + wide["cb"]
    unit = np.finfo(np.float32).eps / 2
    np.testing.assert_allclose(folded.constant("Conv", 1), product, rtol=1.01 * unit)
    np.testing.assert_allclose(folded.constant("Conv", 2), shift, rtol=1.01 * unit)


@pytest.mark.parametrize(
    "first",
    [
        f"{PAD}",
        "pads = [0, 1, 2, 1], strides = [2, 1]",
        "dilations = [2, 1], pads = [2, 0, 1, 0]",
        'auto_pad = "SAME_UPPER"',
        'auto_pad = "VALID", strides = [1, 2]',
    ],
)
@pytest.mark.parametrize("second", ["", "<strides = [2, 1]>", '<auto_pad = "SAME_UPPER">'])
def test_any_conv_then_a_pointwise_one(first: str, second: str) -> None:
    constants = conv("a", 4, 3, 3, 3) | conv("c", 4, 4, 1, 1)
    text = _image(f"a = Conv<{first}>(x, aw, ab) y = Conv{second}(a, cw, cb)")
    assert merged(text, constants, x=(2, 3, 7, 8)).operators == ["Conv"]


@pytest.mark.parametrize(
    "second",
    ["", "<strides = [2, 1]>", "<dilations = [2, 1]>", "<dilations = [1, 2], strides = [1, 3]>"],
)
@pytest.mark.parametrize("first", ["", "<strides = [2, 1]>"])
def test_a_pointwise_conv_then_an_unpadded_one(first: str, second: str) -> None:
    constants = conv("a", 4, 3, 1, 1) | conv("c", 4, 4, 3, 3)
    text = _image(f"a = Conv{first}(x, aw, ab) y = Conv{second}(a, cw, cb)")
    assert merged(text, constants, x=(2, 3, 11, 10)).operators == ["Conv"]


@pytest.mark.parametrize(
    "first",
    ["", "<strides = [2, 2]>", "<strides = [1, 3]>", "<pads = [1, 0, 2, 1], strides = [2, 1]>"],
)
@pytest.mark.parametrize("size", [(6, 7), (7, 6)])
def test_a_pointwise_conv_without_a_bias_then_a_padded_one(
    first: str, size: tuple[int, int]
) -> None:
    """Zeros stay zeros, so it is the input that can be padded; its stride spreads pads and taps."""
    constants = conv("a", 4, 3, 1, 1) | conv("c", 4, 4, 3, 3)
    text = _image(f"a = Conv{first}(x, aw) y = Conv<{PAD}>(a, cw, cb)")
    assert merged(text, constants, x=(2, 3, *size)).operators == ["Conv"]


@pytest.mark.parametrize(
    ("first", "second", "shape"),
    [
        ("Conv(x, aw, ab)", f"Conv<{PAD}>(a, cw)", (4, 3, 1, 1)),
        (f"Conv<{PAD}>(x, aw)", f"Conv<{PAD}>(a, dw)", (4, 3, 3, 3)),
        (f"Conv<{PAD}>(x, aw, ab)", "Conv<pads = [0, 0, 0, 1]>(a, cw)", (4, 3, 1, 1)),
    ],
)
def test_padding_that_would_not_be_zero_keeps_both(
    first: str, second: str, shape: tuple[int, ...]
) -> None:
    """A bias, or taps that reach inside from beyond, make what is outside other than zero."""
    constants = conv("a", *shape) | conv("c", 4, 4, 3, 3) | conv("d", 4, 4, 1, 1)
    folded = merged(_image(f"a = {first} y = {second}"), constants, x=(1, 3, 5, 5))
    assert folded.operators == ["Conv", "Conv"]


@pytest.mark.parametrize(
    ("first", "second", "operators"),
    [
        ((4, 3, 3, 3), (4, 4, 3, 3), 2),  # 25 taps for two times 9
        ((2, 3, 1, 1), (4, 2, 3, 3), 2),  # a bottleneck: 12 * 9 for 6 + 8 * 9
        ((9, 3, 3, 3), (4, 9, 1, 1), 1),  # an expansion: 12 * 9 for 27 * 9 + 36
        ((4, 3, 1, 3), (4, 4, 3, 1), 2),
        ((30, 3, 3, 3), (4, 30, 3, 3), 1),  # so wide between that 25 taps are less
        ((4, 3, 1, 1), (4, 4, 1, 1), 1),
    ],
)
def test_never_more_multiplications(
    first: tuple[int, ...], second: tuple[int, ...], operators: int
) -> None:
    constants = conv("a", *first) | conv("c", *second)
    folded = merged(_image("a = Conv(x, aw, ab) y = Conv(a, cw, cb)"), constants, x=(1, 3, 6, 7))
    assert folded.operators == ["Conv"] * operators


def test_few_positions_between_many_keep_both() -> None:
    """The first works at one position and the second at nine: together the first would at nine."""
    constants = conv("a", 4, 8, 1, 1) | conv("c", 4, 4, 3, 3)
    text = _image("a = Conv(x, aw) y = Conv<pads = [2, 2, 2, 2]>(a, cw)", 8, size="1, 1")
    assert merged(text, constants, x=(1, 8, 1, 1)).operators == ["Conv", "Conv"]


@pytest.mark.parametrize(
    ("first", "second", "group"),
    [
        ((8, 4, 3, 3, 2), (8, 4, 1, 1, 2), 2),
        ((8, 1, 3, 3, 8), (8, 1, 1, 1, 8), 8),
        ((16, 1, 3, 3, 8), (8, 2, 1, 1, 8), 8),
        ((8, 8, 1, 1, 1), (8, 2, 1, 1, 4), 1),
        ((8, 1, 1, 1, 8), (8, 4, 3, 3, 2), 2),
        ((8, 1, 3, 3, 8), (8, 8, 1, 1, 1), None),  # depthwise, then pointwise: 72 + 64 for 576
        ((8, 8, 1, 1, 1), (8, 1, 3, 3, 8), None),
        ((8, 4, 1, 1, 2), (8, 2, 1, 1, 4), 2),
    ],
)
def test_groups(first: tuple[int, ...], second: tuple[int, ...], group: int | None) -> None:
    """The blocks of the product are the larger ones of the two; never at the price of more work."""
    constants = conv("a", *first[:4]) | conv("c", *second[:4])
    body = f"""a = Conv<group = {first[4]}>(x, aw, ab)
        y = Conv<group = {second[4]}>(a, cw, cb)"""
    folded = merged(_image(body, 8, 8), constants, x=(2, 8, 5, 6))
    assert folded.operators == (["Conv"] if group else ["Conv", "Conv"])
    if group:
        assert folded.attribute("Conv", "group") == group


def test_a_chain_becomes_one() -> None:
    constants = conv("a", 4, 3, 1, 1) | conv("c", 4, 4, 3, 3) | conv("d", 4, 4, 1, 1) | norm("p", 4)
    text = _image("a = Conv(x, aw, ab) b = BN(a, p) c = Conv(b, cw, cb) y = Conv(c, dw, db)")
    assert merged(text, constants, x=(1, 3, 5, 5)).operators == ["Conv"]


def test_a_chain_inside_a_sum_becomes_one_with_it() -> None:
    constants = conv("a", 4, 4, 1, 1) | conv("c", 4, 4, 3, 3) | conv("d", 4, 4, 3, 3, seed=8)
    body = f"a = Conv(x, aw) c = Conv<{PAD}>(a, cw) d = Conv<{PAD}>(x, dw, db) y = Sub(d, c)"
    assert merged(_image(body, 4), constants, x=(1, 4, 5, 5)).operators == ["Conv"]


@pytest.mark.parametrize(
    "body",
    [
        "a = Conv(x, aw, ab) r = Relu(a) y = Conv(r, cw)",
        "a = Conv(x, aw, ab) c = Conv(a, cw) d = Relu(a) y = Add(c, d)",
        "r = Relu(k) a = Conv(x, aw, r) y = Conv(a, cw)",
        "r = Relu(kw) a = Conv(x, aw) y = Conv(a, r)",
    ],
)
def test_what_stands_between_or_is_not_constant(body: str) -> None:
    text = f"""(float[N, 4, H, W] x, float[4] k, float[4, 4, 1, 1] kw) =>
        (float[N, 4, H, W] y) {{ {body} }}"""
    constants = conv("a", 4, 4, 1, 1) | conv("c", 4, 4, 1, 1)
    shapes = {"x": (1, 4, 3, 3), "k": (4,), "kw": (4, 4, 1, 1)}
    assert merged(text, constants, **shapes).operators.count("Conv") == 2


def test_a_middle_that_the_caller_reads_stays() -> None:
    text = """(float[N, 3, H, W] x) => (float[N, 4, P, Q] y, float[N, 4, P, Q] a) {
        a = Conv(x, aw, ab) y = Conv(a, cw) }"""
    constants = conv("a", 4, 3, 3, 3) | conv("c", 4, 4, 1, 1)
    assert merged(text, constants, x=(1, 3, 5, 5)).operators == ["Conv", "Conv"]


def test_one_dimension_and_three() -> None:
    for text, ones, threes, shape in (
        ("(float[N, 3, L] x) => (float[N, 4, P] y)", (1,), (3,), (2, 3, 8)),
        (
            "(float[N, 3, D, H, W] x) => (float[N, 4, P, Q, R] y)",
            (1,) * 3,
            (3,) * 3,
            (1, 3, 4, 5, 4),
        ),
    ):
        constants = conv("a", 4, 3, *threes) | {"cw": weight(4, 4, *ones)}
        body = "a = Conv(x, aw, ab) y = Conv(a, cw)"
        assert merged(f"{text} {{ {body} }}", constants, x=shape).operators == ["Conv"]
