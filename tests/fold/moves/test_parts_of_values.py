"""Slice, Gather, Split and Concat: which part it is, and what is said where nobody knows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

_NUMBERS: dict[str, Array] = {
    "zero": np.array([0]), "one": np.array([1]), "two": np.array([2]), "four": np.array([4]),
    "seven": np.array([7]), "minus": np.array([-1]), "lowest": np.array([-9]),
    "both": np.array([1, 2]), "starts": np.array([0, 0]), "ends": np.array([4, 3]),
    "all": np.array([0, 0, 0]), "far": np.array([9, 9, 3]), "last": np.array([-1, 0]),
    "grid": np.array([[0, 2], [1, 1]]), "number": np.array(1), "turned": np.array([3, 2, 1, 0]),
    "half": np.array(0.5, np.float32),
    "w": weight(4, 4, 1), "u": weight(3, 4, 1, seed=2), "k": weight(3, 4, 1, 1, seed=3),
    "v": weight(4, 3), **norm("n", 4), **norm("m", 6),
}  # fmt: skip
_FED = {"i": np.array([0, 2]), "j": np.array([[0, 2], [1, 1]]), "e": np.array([3])}


def _verdict(inputs: str, text: str) -> str:
    """Where its batch norm went, or why it stayed."""
    parsed = model(f"(float{inputs}) => (float y) {{ {text} }}", _NUMBERS)
    names = {info.name for info in parsed.graph.input}
    random = np.random.default_rng(1).normal(size=(2, 4, 7)).astype(np.float32)
    feeds = {name: array for name, array in ({"x": random} | _FED).items() if name in names}
    (found,) = verdicts(check_fold(parsed, [feeds])).values()
    return found


_AFTER = "t = Tanh(x) b = BN(t, n) {} z = Conv(s, {}) y = Sigmoid(z)"
_BEFORE = "a = Conv(x, w) {} b = BN(s, n) y = Sigmoid(b)"


@pytest.mark.parametrize(
    ("part", "weight_name"),
    [
        ("s = Slice(b, zero, e, two)", "u"),
        ("s = Gather<axis = 2>(b, i)", "u"),
        ("s = Gather<axis = 2>(b, j)", "k"),
        ("s = Gather<axis = 2>(b, grid)", "k"),
        ("s = Gather<axis = 2>(b, last)", "u"),
    ],
)
def test_a_part_of_another_axis_lets_an_affine_pass_forward(part: str, weight_name: str) -> None:
    inputs = "[N,4,T] x, int64[1] e, int64[2] i, int64[2,2] j"
    assert _verdict(inputs, _AFTER.format(part, weight_name)) == "forward"


@pytest.mark.parametrize(
    "part",
    [
        "s = Slice(a, zero, e, two)",
        "s = Slice(a, minus, lowest, two, minus)",
        "s = Slice(a, zero, four, two)",
        "s = Slice(a, starts, ends, both)",
        "s = Gather<axis = 2>(a, i)",
        "s = Gather<axis = 2>(a, j)",
        "s = Gather<axis = 2>(a, last)",
        "s = Gather<axis = 2>(a, number)",
        "s = Gather<axis = 1>(a, turned)",
    ],
)
@pytest.mark.parametrize("length", ["T", "7"])
def test_a_part_of_another_axis_lets_an_affine_pass_backward(part: str, length: str) -> None:
    inputs = f"[N,4,{length}] x, int64[1] e, int64[2] i, int64[2,2] j"
    assert _verdict(inputs, _BEFORE.format(part)) == "backward"


@pytest.mark.parametrize(
    "text",
    [
        _AFTER.format("s = Slice(b, zero, e, one)", "u"),
        _AFTER.format("s = Slice(b, all, f)", "u"),
        _AFTER.format("s = Slice(b, starts, g, both)", "u"),
        _AFTER.format("s = Gather<axis = 1>(b, h)", "u"),
        "a = Conv(x, w) s = Gather<axis = 1>(a, h) b = BN(s, n) y = Sigmoid(b)",
        "a = Conv(x, w) s = Gather<axis = 1>(a, o) b = BN(s, n) y = Sigmoid(b)",
        "a = Gemm(c, v) s = Gather<axis = 0>(a, h) t = Transpose<perm = [1, 0]>(s) "
        "b = BN(t, n) y = Sigmoid(b)",
    ],
)
def test_which_channels_are_taken_has_to_be_known(text: str) -> None:
    inputs = "[N,4,7] x, float[5,4] c, int64[1] e, int64[3] f, int64[2] g, int64[4] h, int64[4,2] o"
    parsed = model(f"(float{inputs}) => (float y) {{ {text} }}", _NUMBERS)
    used = {name for node in parsed.graph.node for name in node.input}
    for info in list(parsed.graph.input):
        if info.name not in used:
            parsed.graph.input.remove(info)
    (found,) = verdicts(check_fold(parsed, [])).values()
    assert "dynamic-indices" in found.split()


def test_a_scale_of_a_part_is_no_scale_of_the_rest() -> None:
    """A number times two of four channels goes into two rows of the weight."""
    text = "a = Conv(x, w) p = Slice(a, zero, two, one) q = Slice(a, two, four, one) "
    text += "b = Mul(p, half) r = Sigmoid(b) t = Relu(q) y = Concat<axis = 1>(r, t)"
    parsed = model(f"(float[N,4,7] x) => (float[N,4,7] y) {{ {text} }}", _NUMBERS)
    assert "Mul" not in kinds_of(fold_checked(parsed, x=(2, 4, 7)))


@pytest.mark.parametrize("part", ["Slice(t, zero, four, one)", "Gather<axis = 1>(t, turned)"])
def test_channels_of_an_unknown_number_are_not_told_one_by_one(part: str) -> None:
    text = f"t = Tanh(x) s = {part} b = BN(s, n) y = Sigmoid(b)"
    parsed = model(f"(float[N,C,7] x) => (float y) {{ {text} }}", _NUMBERS)
    (found,) = verdicts(fold_checked(parsed, x=(2, 6, 7))).values()
    assert "shape-unknown" in found.split()


def test_channels_that_are_taken_twice_take_what_both_ask() -> None:
    """Of four rows the first goes to channel 0 and 2, the second to channel 1, twice."""
    text = "a = Conv(x, w) s = Gather<axis = 1>(a, grid) b = BN(s, l) y = Sigmoid(b)"
    parsed = model(f"(float[N,4,7] x) => (float y) {{ {text} }}", _NUMBERS | norm("l", 2))
    assert list(verdicts(fold_checked(parsed, x=(2, 4, 7))).values()) == ["backward"]


@pytest.mark.parametrize("order", ["a, t", "t, a"])
@pytest.mark.parametrize(
    "text",
    [
        "a = Conv(z, w) t = Tanh(x) c = Concat<axis = 1>({}) b = BN(c, m) y = Sigmoid(b)",
        "s = Tanh(z) a = BN(s, n) t = Tanh(x) c = Concat<axis = 1>({}) y = Conv(c, long)",
    ],
)
def test_how_wide_the_parts_of_a_concat_are_has_to_be_known(text: str, order: str) -> None:
    inputs = "(float[N,C,7] x, float[N,4,7] z) => (float y)"
    parsed = model(f"{inputs} {{ {text.format(order)} }}", _NUMBERS | {"long": weight(3, 6, 1)})
    found = verdicts(fold_checked(parsed, x=(2, 2, 7), z=(2, 4, 7)))
    assert "shape-unknown" in " ".join(found.values()).split()


def test_how_wide_the_parts_of_a_split_are_has_to_be_known() -> None:
    text = "p, q = Split<axis = 1, num_outputs = 2>(x) b = BN(p, n) "
    text += "r = Sigmoid(b) s = Sigmoid(q) y = Concat<axis = 1>(r, s)"
    parsed = model(f"(float[N,C,7] x) => (float y) {{ {text} }}", _NUMBERS)
    found = verdicts(fold_checked(parsed, x=(2, 8, 7)))
    assert "shape-unknown" in found["b"].split()
