"""What is added to a convolution and becomes part of it, with every attribute that enters."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import bias, conv, merged, model, norm, weight
from tests.fold.property.oracle import check_fold

PAD = "pads = [1, 1, 1, 1]"
AB = conv("a", 4, 3, 3, 3) | conv("c", 4, 3, 1, 1)
SAME = conv("a", 4, 4, 3, 3) | conv("c", 4, 4, 1, 1)


def _image(body: str, channels: int = 4, cin: int = 3, size: str = "H, W") -> str:
    return f"(float[N, {cin}, {size}] x) => (float[N, {channels}, P, Q] y) {{ {body} }}"


def test_weights_and_biases_add_up_unrounded() -> None:
    body = f"a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb) y = Add(a, c)"
    folded = merged(_image(body), AB, x=(2, 3, 5, 6))
    assert folded.operators == ["Conv"]
    wanted = AB["aw"].astype(np.float64)
    wanted[:, :, 1:2, 1:2] += AB["cw"]
    np.testing.assert_array_equal(folded.constant("Conv", 1), wanted.astype(np.float32))
    total = AB["ab"].astype(np.float64) + AB["cb"]
    np.testing.assert_array_equal(folded.constant("Conv", 2), total.astype(np.float32))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (f"<{PAD}, strides = [2, 1]>", "<strides = [2, 1]>"),
        ("<dilations = [2, 2], pads = [2, 2, 2, 2]>", ""),
        ("<dilations = [2, 1], pads = [2, 1, 2, 1], strides = [2, 3]>", "<strides = [2, 3]>"),
        ("<pads = [0, 1, 2, 1]>", ""),
        ("<pads = [2, 2, 0, 0]>", ""),
        ("<pads = [2, 2, 2, 2]>", f"<{PAD}>"),
        ("<pads = [1, 1, 2, 2]>", "<pads = [0, 0, 1, 1]>"),
        ('<auto_pad = "SAME_UPPER">', ""),
        ('<auto_pad = "SAME_LOWER">', '<auto_pad = "VALID">'),
    ],
)
def test_windows_with_one_number_of_positions_merge(left: str, right: str) -> None:
    body = f"a = Conv{left}(x, aw, ab) c = Conv{right}(x, cw) y = Add(a, c)"
    assert merged(_image(body), AB, x=(2, 3, 7, 8)).operators == ["Conv"]


@pytest.mark.parametrize(
    ("left", "right", "sizes"),
    [
        ("", "", (3, 3)),
        (f"<{PAD}, strides = [2, 2]>", "", (1, 1)),
        ("<pads = [2, 2, 2, 2]>", "", (1, 1)),
        ('<auto_pad = "SAME_UPPER", strides = [2, 2]>', "<strides = [2, 2]>", (4, 4)),
    ],
)
def test_windows_that_agree_only_for_some_sizes_stay(
    left: str, right: str, sizes: tuple[int, int]
) -> None:
    """Broadcasting may make even other sizes fit; unsure means no."""
    body = f"a = Conv{left}(x, aw, ab) c = Conv{right}(x, cw) y = Add(a, c)"
    folded = merged(_image(body), AB, x=(2, 3, *sizes))
    assert folded.operators == ["Conv", "Conv", "Add"]


@pytest.mark.parametrize(
    ("left", "size"),
    [
        ("pads = [0, 0, 1, 1], strides = [2, 2]", 6),
        ("pads = [1, 1, 0, 0], strides = [2, 2]", 4),
        ('auto_pad = "SAME_UPPER", strides = [2, 2]', 6),
        ('auto_pad = "SAME_LOWER", strides = [2, 2]', 7),
    ],
)
def test_a_static_size_tells_that_the_positions_agree(left: str, size: int) -> None:
    body = f"a = Conv<{left}>(x, aw, ab) c = Conv<strides = [2, 2]>(x, cw) y = Add(a, c)"
    text = _image(body, size=f"{size}, {size}")
    assert merged(text, AB, x=(2, 3, size, size)).operators == ["Conv"]


def test_a_static_size_at_which_positions_differ_keeps_both() -> None:
    """2 positions plus 1 position: broadcast, not aligned."""
    body = "a = Conv(x, aw, ab) c = Conv<strides = [4, 4]>(x, cw) y = Add(a, c)"
    folded = merged(_image(body, size="4, 4"), AB, x=(2, 3, 4, 4))
    assert folded.operators == ["Conv", "Conv", "Add"]


@pytest.mark.parametrize(
    ("text", "shape", "rank"),
    [
        ("(float[N, 4, L] x) => (float[N, 4, P] y)", (2, 4, 9), 1),
        ("(float[N, 4, D, H, W] x) => (float[N, 4, P, Q, R] y)", (1, 4, 4, 3, 5), 3),
    ],
)
def test_every_rank(text: str, shape: tuple[int, ...], rank: int) -> None:
    constants = conv("a", 4, 4, *(3,) * rank) | conv("c", 4, 4, *(1,) * rank) | norm("p", 4)
    pads = f"pads = {[1] * (2 * rank)}"
    body = f"a = Conv<{pads}>(x, aw) c = Conv(x, cw, cb) d = BN(x, p) y = Sum(a, c, d, x)"
    folded = merged(f"{text} {{ {body} }}", constants, x=shape)
    assert folded.operators == ["Conv"]
    assert folded.attribute("Conv", "kernel_shape") == [3] * rank


@pytest.mark.parametrize(
    ("group", "other", "total"), [(2, 2, 2), (4, 4, 4), (2, 4, 2), (1, 4, 1), (2, 1, 1)]
)
def test_groups_merge_into_the_larger_blocks(group: int, other: int, total: int) -> None:
    """A block-diagonal weight is one with larger blocks and zeros beside."""
    constants = conv("a", 8, 8 // group, 3, 3) | conv("c", 8, 8 // other, 3, 3, seed=9)
    body = f"""a = Conv<{PAD}, group = {group}>(x, aw, ab)
        c = Conv<{PAD}, group = {other}>(x, cw, cb) y = Add(a, c)"""
    folded = merged(_image(body, 8, 8), constants, x=(2, 8, 4, 5))
    assert folded.operators == ["Conv"]
    assert folded.attribute("Conv", "group") == total


def test_more_outputs_than_inputs_in_a_group() -> None:
    constants = conv("a", 6, 1, 3, 3) | conv("c", 6, 1, 1, 1)
    body = f"a = Conv<{PAD}, group = 3>(x, aw) c = Conv<group = 3>(x, cw) y = Add(a, c)"
    folded = merged(_image(body, 6, 3), constants, x=(2, 3, 4, 5))
    assert folded.operators == ["Conv"]


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("leaf", ["x", "BN(x, p)", "Mul(x, s)", "Identity(x)"])
def test_the_input_itself_is_a_tap(leaf: str, group: int) -> None:
    constants = conv("a", 4, 4 // group, 3, 3) | norm("p", 4, signs=True)
    constants["s"] = weight(4, 1, 1)
    first = "" if leaf == "x" else f"b = {leaf}"
    added = "x" if leaf == "x" else "b"
    body = f"a = Conv<{PAD}, group = {group}>(x, aw, ab) {first} y = Add({added}, a)"
    folded = merged(_image(body, 4, 4), constants, x=(2, 4, 4, 5))
    assert folded.operators == ["Conv"]
    assert folded.attribute("Conv", "group") == group


@pytest.mark.parametrize(
    ("body", "cin"),
    [
        ("a = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(x, aw, ab) y = Add(a, x)", 4),
        ("a = Conv(x, aw, ab) y = Add(a, x)", 4),
        ("a = Conv(x, one) y = Add(a, x)", 1),
    ],
)
def test_the_input_of_another_size_stays(body: str, cin: int) -> None:
    """A stride, a smaller output, fewer channels: x is broadcast or broadcasts."""
    constants = conv("a", 4, 4, 3, 3) | {"one": weight(4, 1, 1, 1)}
    size = (1, 1) if "strides" in body else (3, 3)
    folded = merged(_image(body, 4, cin), constants, x=(2, cin, *size))
    assert folded.operators == ["Conv", "Add"]


def test_a_scale_along_another_axis_is_no_tap() -> None:
    """`[W]` of as many numbers as there are channels: the convolutions become one without it."""
    constants = conv("a", 4, 4, 3, 3) | conv("c", 4, 4, 1, 1) | {"k": weight(4)}
    body = f"""a = Conv<{PAD}>(x, aw, ab) b = Mul(x, k) c = Conv(x, cw)
        y = Sum(b, a, c)"""
    folded = merged(_image(body, 4, 4, "4, 4"), constants, x=(2, 4, 4, 4))
    assert sorted(op.replace("Sum", "Add") for op in folded.operators) == ["Add", "Conv", "Mul"]


@pytest.mark.parametrize("pool", ["", ", pads = [1, 1, 1, 1], count_include_pad = 1"])
@pytest.mark.parametrize("group", [1, 4])
def test_a_mean_over_a_window_is_a_kernel(pool: str, group: int) -> None:
    constants = conv("a", 4, 4 // group, 3, 3) | norm("p", 4)
    pads = PAD if pool else "pads = [0, 0, 0, 0]"
    body = f"""a = Conv<{pads}, group = {group}>(x, aw)
        b = AveragePool<kernel_shape = [3, 3]{pool}>(x) c = BN(b, p) y = Add(a, c)"""
    folded = merged(_image(body, 4, 4), constants, x=(2, 4, 5, 6))
    assert folded.operators == ["Conv"]
    assert folded.rules == {folded.result.ledger.decisions[0].name: "merge-parallel"}


@pytest.mark.parametrize(
    "pool",
    [
        "kernel_shape = [3, 3], pads = [1, 1, 1, 1]",
        "kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1, ceil_mode = 1",
        "kernel_shape = [5, 5], pads = [2, 2, 2, 2], count_include_pad = 1",
    ],
)
def test_other_means_stay(pool: str) -> None:
    """Windows that divide by less at the border, reach beyond the end, or are too large."""
    body = f"a = Conv<{PAD}>(x, aw) b = AveragePool<{pool}>(x) y = Add(a, b)"
    folded = merged(_image(body, 4, 4), conv("a", 4, 4, 3, 3), x=(2, 4, 5, 6))
    assert folded.operators == ["Conv", "AveragePool", "Add"]


@pytest.mark.parametrize(
    "body",
    [
        "t = Sub(a, c) y = Sub(t, d)",
        "t = Sub(c, d) y = Sub(t, a)",
        "t = Sub(x, a) u = Add(c, d) y = Sub(t, u)",
        "t = Sum(a, c, k) y = Sub(d, t)",
        "t = Sum(a, d) y = Add(t, c)",
        "t = Add(a, k) u = Sub(c, t) y = Sub(d, u)",
    ],
)
def test_signs_and_associations(body: str) -> None:
    """Any tree of Add, Sub and Sum, constants per channel among the leaves."""
    constants = SAME | norm("p", 4, signs=True) | {"k": weight(4, 1, 1, seed=6)}
    leaves = f"a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb) d = BN(x, p)"
    folded = merged(_image(f"{leaves} {body}", 4, 4), constants, x=(2, 4, 4, 5))
    assert folded.operators == ["Conv"]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("t = Add(a, c) y = Add(t, z)", ["Conv", "Add"]),
        ("t = Add(a, z) y = Add(t, c)", ["Conv", "Add"]),
        ("t = Add(c, z) y = Add(t, a)", ["Conv", "Add"]),
        ("y = Sum(a, z, c, q)", ["Conv", "Sum"]),
        ("t = Sub(c, z) y = Sub(t, a)", ["Conv", "Sub"]),
        ("t = Sub(z, c) y = Sub(a, t)", ["Conv", "Sub"]),
        ("t = Sub(c, z) u = Sub(a, q) y = Add(t, u)", ["Conv", "Neg", "Sub", "Add"]),
        ("t = Sub(c, z) u = Sub(q, a) y = Sub(t, u)", ["Conv", "Sub", "Sub"]),
        ("t = Add(a, c) u = Add(z, q) y = Add(t, u)", ["Conv", "Add", "Add"]),
        ("t = Add(a, q) u = Add(z, c) y = Add(t, u)", ["Conv", "Add", "Add"]),
        ("t = Sum(a, q, c) u = Sum(z, x, x) y = Add(t, u)", ["Conv", "Sum", "Add"]),
    ],
)
def test_what_cannot_merge_stays_in_the_sum(body: str, left: list[str]) -> None:
    text = """(float[2, 4, 4, 5] x, float[2, 4, 4, 5] z, float[1, 4, 1, 1] q) =>
        (float[2, 4, 4, 5] y)"""
    leaves = f"a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb)"
    shapes = {"x": (2, 4, 4, 5), "z": (2, 4, 4, 5), "q": (1, 4, 1, 1)}
    folded = merged(f"{text} {{ {leaves} {body} }}", SAME, **shapes)
    assert sorted(folded.operators) == sorted(left)


def test_a_partial_sum_does_not_shrink_unseen() -> None:
    """t would become -q, of another shape than the one it may be declared to have."""
    body = "t = Sub(c, q) u = Sub(a, q) y = Add(t, u)"
    text = "(float[2, 4, 4, 5] x, float[1, 4, 1, 1] q) => (float[2, 4, 4, 5] y)"
    leaves = f"a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb)"
    folded = merged(f"{text} {{ {leaves} {body} }}", SAME, x=(2, 4, 4, 5), q=(1, 4, 1, 1))
    assert sorted(folded.operators) == ["Add", "Conv", "Conv", "Sub", "Sub"]


def test_a_sum_of_two_inputs_has_one_conv_for_each() -> None:
    text = """(float[N, 4, H, W] x, float[N, 4, H, W] z) => (float[N, 4, H, W] y) {
        a = Conv(x, cw) b = Conv(z, cw) c = Add(a, b) d = Conv(z, cw, cb) e = Add(c, d)
        f = Conv(x, cw, cb) y = Add(e, f) }"""
    folded = merged(text, SAME, x=(1, 4, 3, 3), z=(1, 4, 3, 3))
    assert folded.operators == ["Conv", "Conv", "Add"]


def test_a_leaf_that_the_sum_has_twice() -> None:
    body = "a = Conv(x, cw) b = Add(a, x) y = Add(b, x)"
    folded = merged(_image(body, 4, 4), SAME, x=(1, 4, 3, 3))
    assert folded.operators == ["Conv"]
    diagonal = folded.constant("Conv", 1)[:, :, 0, 0] - SAME["cw"][:, :, 0, 0]
    np.testing.assert_allclose(diagonal, 2 * np.eye(4), atol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "body"),
    [
        ("float[N, 4, P, Q] y, float[N, 4, P, Q] c", ""),
        ("float[N, 4, P, Q] y, float[N, 4, R, S] r", "r = Relu(c)"),
        ("float[N, 4, P, Q] y, int64[4] s", "s = Shape(c)"),
    ],
)
def test_a_branch_that_somebody_else_reads_stays(outputs: str, body: str) -> None:
    text = f"""(float[N, 3, H, W] x) => ({outputs}) {{
        a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb) {body} y = Add(a, c) }}"""
    folded = merged(text, AB, x=(1, 3, 4, 4))
    assert folded.operators.count("Conv") == 2


@pytest.mark.parametrize("reader", ["", "r = Relu(t)"])
def test_a_partial_sum_that_is_read_keeps_its_value(reader: str) -> None:
    """t is a + c whatever becomes of y; y has one leaf the less."""
    seen = "r" if reader else "t"
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y, float[N, 4, H, W] {seen}) {{
        a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb) t = Add(a, c) {reader}
        d = Conv(x, cw) u = Add(t, d) y = Add(u, x) }}"""
    folded = merged(text, SAME, x=(1, 4, 4, 4))
    assert folded.operators.count("Conv") == 2
    assert folded.operators.count("Add") == 1


def test_convolutions_of_different_inputs_stay() -> None:
    body = "a = Conv(x, cw) r = Relu(x) b = Conv(r, cw) y = Add(a, b)"
    folded = merged(_image(body, 4, 4), SAME, x=(1, 4, 3, 3))
    assert folded.operators == ["Conv", "Relu", "Conv", "Add"]


@pytest.mark.parametrize("what", ["cw", "cb"])
def test_run_time_weights_stay(what: str) -> None:
    shape = {"cw": "4, 3, 1, 1", "cb": "4"}[what]
    text = f"""(float[N, 3, H, W] x, float[{shape}] z) => (float[N, 4, H, W] y) {{
        {what} = Relu(z) a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb) y = Add(a, c) }}"""
    constants = {name: array for name, array in AB.items() if name != what}
    sizes = tuple(int(part) for part in shape.split(","))
    folded = merged(text, constants, x=(1, 3, 4, 4), z=sizes)
    assert folded.operators.count("Conv") == 2


def test_shared_weights_stay_for_their_other_reader() -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y, float[N, 4, H, W] z) {{
        a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, ab) y = Add(a, c)
        r = Relu(x) z = Conv<{PAD}>(r, aw, ab) }}"""
    folded = merged(text, SAME, x=(1, 4, 4, 4))
    assert sorted(folded.operators) == ["Conv", "Conv", "Relu"]


@pytest.mark.parametrize(
    ("constant", "operators"),
    [
        ((4, 1, 1), ["Conv"]),
        ((1, 4, 1, 1), ["Conv"]),
        ((1,), ["Conv"]),
        ((4,), ["Conv", "Add"]),
        ((1, 4, 4), ["Conv", "Add"]),
        ((2, 4, 1, 1), ["Conv", "Add"]),
    ],
)
def test_only_constants_per_channel_are_biases(
    constant: tuple[int, ...], operators: list[str]
) -> None:
    """`[C]` lies along W, also when W is as long."""
    body = f"a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw) y = Sum(a, k, c)"
    constants = SAME | {"k": weight(*constant, seed=13)}
    folded = merged(_image(body, 4, 4, "4, 4"), constants, x=(2, 4, 4, 4))
    assert [op.replace("Sum", "Add") for op in folded.operators] == operators


@pytest.mark.parametrize(
    ("pad", "opset"),
    [
        ("Pad<pads = [0, 0, 1, 1, 0, 0, 1, 1]>(x)", 9),
        ("Pad(x, pads)", 11),
        ("Pad(x, pads, zero)", 13),
        ("Pad(x, few, , axes)", 18),
    ],
)
def test_zeros_around_a_branch_are_padding(pad: str, opset: int) -> None:
    """As frameworks write it that know no padded Conv."""
    body = f"p = {pad} a = Conv(p, aw, ab) c = Conv(x, cw) y = Add(a, c)"
    constants = AB | {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "zero": np.array(0, np.float32)}
    constants |= {"few": np.array([1, 1, 1, 1]), "axes": np.array([2, -1])}
    folded = merged(_image(body), constants, opset=opset, x=(1, 3, 4, 5))
    assert folded.operators == ["Conv"]
    assert folded.attribute("Conv", "pads") == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "pad",
    ["Pad(x, pads, one)", 'Pad<mode = "edge">(x, pads)', "Pad(x, crop)", "Pad(x, deep)"],
)
def test_other_pads_stay(pad: str) -> None:
    body = f"p = {pad} a = Conv(p, aw, ab) c = Conv(x, cw) y = Add(a, c)"
    constants = conv("a", 4, 3, 3, 3) | conv("c", 4, 3, 1, 1) | {"one": np.array(1, np.float32)}
    constants["pads"] = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    constants["crop"] = np.array([0, 0, 3, 1, 0, 0, -1, 1])
    constants["deep"] = np.array([0, 1, 1, 1, 0, -1, 1, 1])
    folded = merged(_image(body), constants, x=(1, 3, 4, 5))
    assert folded.operators == ["Pad", "Conv", "Conv", "Add"]


def test_a_sum_of_one_conv_and_its_bias() -> None:
    body = "a = Conv(x, cw) y = Sum(k, a)"
    constants = SAME | {"k": bias(4).reshape(4, 1, 1)}
    assert merged(_image(body, 4, 4), constants, x=(1, 4, 3, 3)).operators == ["Conv"]


def test_within_the_body_of_an_if() -> None:
    """Branches of a value of the outer graph merge in the inner one; nothing crosses the border."""
    text = f"""(float[N, 4, H, W] x, bool c) => (float[N, 4, H, W] y) {{
        r = Relu(x)
        y = If(c) <
          then_branch = t () => (float[N, 4, H, W] u) {{
            a = Conv<{PAD}>(r, aw, ab) b = Conv(r, cw) d = Add(a, b) u = Add(d, r) }},
          else_branch = e () => (float[N, 4, H, W] v) {{ f = Conv(r, cw, cb) v = Add(f, r) }}> }}"""
    feeds = {"x": weight(1, 4, 4, 4), "c": np.array(True)}
    result = check_fold(model(text, SAME), [feeds, feeds | {"c": np.array(False)}])
    branch = next(n for n in result.model.graph if n.op_type == "If")
    for name in ("then_branch", "else_branch"):
        assert [n.op_type for n in branch.attributes[name].as_graph()] == ["Conv"]
