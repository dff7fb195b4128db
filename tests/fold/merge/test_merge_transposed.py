"""ConvTranspose as a branch of a sum, before and behind other convolutions, and in a Concat."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import Array, bias, merged, norm, weight

UP4 = "strides = [2, 2], pads = [1, 1, 1, 1]"
UP2 = "strides = [2, 2]"
PAD = "pads = [1, 1, 1, 1]"
CONSTANTS: dict[str, Array] = {
    "t4": weight(4, 3, 4, 4, seed=1),
    "t3": weight(4, 3, 3, 3, seed=2),
    "t2": weight(4, 3, 2, 2, seed=3),
    "t1": weight(4, 3, 1, 1, seed=4),
    "row": weight(4, 3, 1, 4, seed=5),
    "column": weight(4, 3, 4, 1, seed=6),
    "wide": weight(4, 4, 2, 2, seed=7),
    "g2": weight(4, 2, 4, 4, seed=8),
    "g4": weight(4, 1, 2, 2, seed=9),
    "s3": weight(4, 4, 3, 3, seed=10),
    "c3": weight(3, 4, 3, 3, seed=11),
    "c1": weight(3, 4, 1, 1, seed=12),
    "d1": weight(4, 4, 1, 1, seed=13),
    "d3": weight(4, 4, 3, 3, seed=14),
    "b": bias(3),
    "b4": bias(4, seed=15),
    "k": weight(3, 1, 1, seed=16),
    "one": np.array([1, 1]),
    "minus": np.array([-1, -1]),
    "space": np.array([2, 3]),
    **norm("p", 3, signs=True),
    **norm("q", 3, seed=8),
    **norm("r", 4, signs=True, seed=9),
}


def _text(body: str, size: str = "H, W") -> str:
    return f"(float[N, 4, {size}] x) => (float[N, C, P, Q] y) {{ {body} }}"


def test_batch_norms_behind_transposed_branches() -> None:
    """A large and a small window, each with its batch norm, are the large one."""
    body = f"""[up] a = ConvTranspose<{UP4}>(x, t4, b) [bn4] e = BN(a, p)
        c = ConvTranspose<{UP2}>(x, t2) [bn2] d = BN(c, q) s = Add(e, d) y = Relu(s)"""
    folded = merged(_text(body), CONSTANTS, x=(2, 4, 5, 6))
    assert folded.operators == ["ConvTranspose", "Relu"]
    assert folded.node("ConvTranspose").name == "up"
    assert folded.attribute("ConvTranspose", "kernel_shape") == [4, 4]
    assert folded.attribute("ConvTranspose", "pads") == [1, 1, 1, 1]
    assert folded.rules == {"bn4": "backward", "bn2": "backward"}


SUMS = {
    "dilated": f"a = ConvTranspose<{UP4}>(x, t4) "
    f"c = ConvTranspose<{UP4}, dilations = [3, 3]>(x, t2) y = Add(a, c)",
    "taken-away": f"a = ConvTranspose<{UP4}>(x, t4, b) "
    f"c = ConvTranspose<{UP2}>(x, t2, b) y = Sub(c, a)",
    "a-constant": f"a = ConvTranspose<{UP4}>(x, t4) y = Sum(a, k)",
    "output-padding": f"a = ConvTranspose<{UP4}, output_padding = [1, 1]>(x, t3, b) "
    f"c = ConvTranspose<{UP2}, output_padding = [1, 1]>(x, t1) d = BN(c, p) y = Add(a, d)",
    "auto-valid": f"a = ConvTranspose<{UP4}>(x, t4) "
    f'c = ConvTranspose<{UP2}, auto_pad = "VALID">(x, t2) y = Add(a, c)',
    "auto-same": f"a = ConvTranspose<{UP2}>(x, t2) "
    f'c = ConvTranspose<{UP2}, auto_pad = "SAME_LOWER">(x, t4) y = Add(a, c)',
    "a-pointwise-behind": f"a = ConvTranspose<{UP4}>(x, t4) "
    f"c = ConvTranspose<{UP2}>(x, wide, b4) d = Conv(c, c1) e = BN(d, p) y = Add(a, e)",
    "a-pointwise-before": f"a = ConvTranspose<{UP4}>(x, t4) c = Conv(x, d1) "
    f"d = ConvTranspose<{UP2}>(c, t2) e = BN(d, p) y = Add(a, e)",
    "cropped": f"a = ConvTranspose<{UP4}>(x, t4) c = ConvTranspose<{UP2}>(x, t4) "
    "d = Slice(c, one, minus, space) y = Add(a, d)",
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_transposed_branches_are_one(name: str) -> None:
    assert merged(_text(SUMS[name]), CONSTANTS, x=(2, 4, 5, 6)).operators == ["ConvTranspose"]


def test_transposed_branches_in_groups() -> None:
    body = f"""a = ConvTranspose<group = 2, {UP4}>(x, g2) c = BN(a, r)
        d = ConvTranspose<group = 4, {UP2}>(x, g4, b4) y = Add(c, d)"""
    folded = merged(_text(body), CONSTANTS, x=(2, 4, 5, 6))
    assert folded.operators == ["ConvTranspose"]
    assert folded.attribute("ConvTranspose", "group") == 2


@pytest.mark.parametrize("join", ["s = Add(a, c) t = Add(s, e)", "t = Sum(e, c, a)"])
def test_by_strides_of_1_a_transposed_one_is_a_conv(join: str) -> None:
    """Beside a Conv and x itself, in either order."""
    body = f"""a = Conv<{PAD}>(x, d3) c = ConvTranspose<{PAD}>(x, s3, b4) e = BN(x, r)
        {join} y = Relu(t)"""
    (kind, relu) = merged(_text(body), CONSTANTS, x=(2, 4, 5, 6)).operators
    assert kind in ("Conv", "ConvTranspose") and relu == "Relu"


@pytest.mark.parametrize(("axes", "size"), [("2", "L"), ("2, 2, 2", "D, H, W")])
def test_other_numbers_of_axes(axes: str, size: str) -> None:
    rank = axes.count(",") + 1
    constants = {
        "t": weight(4, 3, *[4] * rank), "u": weight(4, 3, *[2] * rank, seed=3), **norm("p", 3)
    }  # fmt: skip
    pads = ", ".join(["1"] * 2 * rank)
    body = f"""a = ConvTranspose<strides = [{axes}], pads = [{pads}]>(x, t)
        c = ConvTranspose<strides = [{axes}]>(x, u) d = BN(c, p) y = Add(d, a)"""
    out = ", ".join("PQR"[:rank])
    text = f"(float[N, 4, {size}] x) => (float[N, 3, {out}] y) {{ {body} }}"
    assert merged(text, constants, x=(2, 4, *range(3, 3 + rank))).operators == ["ConvTranspose"]


@pytest.mark.parametrize("opset", [7, 11, 13, 22])
def test_every_version_of_the_operators(opset: int) -> None:
    body = f"""a = ConvTranspose<{UP4}>(x, t4, b) c = BN(a, p)
        d = ConvTranspose<{UP2}>(x, t2) y = Add(c, d)"""
    folded = merged(_text(body), CONSTANTS, opset=opset, x=(2, 4, 5, 6))
    assert folded.operators == ["ConvTranspose"]


KEPT = {
    "other-values": f"r = Relu(x) a = ConvTranspose<{UP2}>(x, t2) c = ConvTranspose<{UP2}>(r, t2) "
    "y = Add(a, c)",
    "more-work": "a = ConvTranspose<strides = [2, 2], pads = [0, 1, 0, 1], output_padding = [1, 0]>"
    "(x, row) c = ConvTranspose<strides = [2, 2], pads = [1, 0, 1, 0], output_padding = [0, 1]>"
    "(x, column) y = Add(a, c)",
    "a-bias-before": f"a = ConvTranspose<{UP4}>(x, t4) c = Conv(x, d1, b4) "
    f"d = ConvTranspose<{UP2}>(c, t2) y = Add(a, d)",
    "an-odd-rest": f"a = ConvTranspose<{UP4}>(x, t4) "
    f'c = ConvTranspose<{UP2}, auto_pad = "SAME_UPPER">(x, t3) y = Add(a, c)',
    "a-computed-weight": f"a = ConvTranspose<{UP2}>(x, t2) m = Mul(t2, f) "
    f"c = ConvTranspose<{UP2}>(x, m) y = Add(a, c)",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in KEPT if name != "a-computed-weight"])
def test_what_is_no_sum_of_transposes_stays(name: str) -> None:
    folded = merged(_text(KEPT[name]), CONSTANTS, x=(2, 4, 5, 6))
    assert folded.operators.count("ConvTranspose") == 2


def test_a_weight_that_is_computed_stays() -> None:
    text = _text(KEPT["a-computed-weight"]).replace(" x)", " x, float[1] f)", 1)
    folded = merged(text, CONSTANTS, x=(2, 4, 5, 6), f=(1,))
    assert folded.operators.count("ConvTranspose") == 2


def test_outputs_that_agree_for_one_size_only_stay() -> None:
    """Of one entry both windows make something that can be added, by broadcasting."""
    body = f"a = ConvTranspose<{UP2}>(x, t2) c = ConvTranspose<{UP2}>(x, t1) y = Add(a, c)"
    folded = merged(_text(body), CONSTANTS, x=(2, 4, 1, 1))
    assert folded.operators == ["ConvTranspose", "ConvTranspose", "Add"]


def test_a_branch_that_the_caller_reads_stays() -> None:
    body = f"a = ConvTranspose<{UP4}>(x, t4) c = ConvTranspose<{UP2}>(x, t2) y = Add(a, c)"
    text = _text(body).replace(" y)", " y, float[N, C, P, Q] a)", 1)
    folded = merged(text, CONSTANTS, x=(2, 4, 5, 6))
    assert folded.operators == ["ConvTranspose", "ConvTranspose", "Add"]


ROWS = {
    "a-window-behind": (f"a = ConvTranspose<{UP2}>(x, wide) y = Conv<{PAD}>(a, c3, b)",
                        "ConvTranspose"),
    "behind-a-bias": (f"a = ConvTranspose<{UP2}>(x, wide, b4) y = Conv<{PAD}>(a, c3)",
                      "ConvTranspose Conv"),
    "a-bias-and-nothing-padded": ("a = Conv(x, d1, b4) y = ConvTranspose<pads = [2, 2, 2, 2]>"
                                  "(a, t3, b)", "ConvTranspose"),
    "behind-a-crop": (f"a = ConvTranspose<{UP4}>(x, s3) y = Conv<{PAD}>(a, c3)",
                      "ConvTranspose Conv"),
    "two": (f"a = ConvTranspose<{UP2}>(x, wide) y = ConvTranspose<{UP2}>(a, t2, b)",
            "ConvTranspose"),
    "behind-a-window": (f"a = Conv(x, d3) y = ConvTranspose<{UP2}>(a, t2)", "Conv ConvTranspose"),
    "behind-a-stride": (f"a = ConvTranspose<{UP2}>(x, wide) y = Conv<{UP2}>(a, c3)",
                        "ConvTranspose Conv"),
    "in-groups": (f"a = ConvTranspose<group = 4, {UP2}>(x, g4) y = Conv<group = 4>(a, depth)",
                  "ConvTranspose"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_one_behind_the_other(name: str) -> None:
    text, kept = ROWS[name]
    constants = {**CONSTANTS, "depth": weight(4, 1, 1, 1, seed=17)}
    assert merged(_text(text), constants, x=(2, 4, 5, 6)).operators == kept.split()


def test_parts_of_a_concat() -> None:
    body = f"""a = ConvTranspose<{UP2}>(x, t2) c = ConvTranspose<{UP2}>(x, wide, b4)
        d = Concat<axis = 1>(c, a) y = BN(d, z)"""
    folded = merged(_text(body), {**CONSTANTS, **norm("z", 7)}, x=(2, 4, 5, 6))
    assert folded.operators == ["ConvTranspose"]


def test_parts_of_a_concat_of_which_one_is_in_groups() -> None:
    """As one they would multiply by the zeros between the groups."""
    body = f"""a = ConvTranspose<{UP2}>(x, t2) c = ConvTranspose<group = 4, {UP2}>(x, g4)
        y = Concat<axis = 1>(c, a)"""
    folded = merged(_text(body), CONSTANTS, x=(2, 4, 5, 6))
    assert folded.operators == ["ConvTranspose", "ConvTranspose", "Concat"]
