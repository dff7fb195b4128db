"""Borders that no Conv or ConvTranspose has by itself: what would need them is not merged."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import conv, merged, norm, weight

CONSTANTS = {
    "t4": weight(4, 3, 4, 4, seed=1),
    "t3": weight(4, 3, 3, 3, seed=2),
    "u3": weight(4, 3, 3, 3, seed=3),
    "t2": weight(4, 3, 2, 2, seed=4),
    "u2": weight(4, 3, 2, 2, seed=5),
    "d1": weight(4, 4, 1, 1, seed=6),
    "e1": weight(4, 4, 1, 1, seed=7),
    "d2": weight(4, 4, 2, 2, seed=8),
    "e2": weight(4, 4, 2, 2, seed=9),
    "d3": weight(4, 4, 3, 3, seed=10),
    "columns": weight(6, seed=11),
    "none": np.array([0, 0]),
    "one": np.array([1, 1]),
    "minus": np.array([-1, -1]),
    "far": np.array([99, 99]),
    "space": np.array([2, 3]),
    "before": np.array([0, 0, 1, 1, 0, 0, 0, 0]),
    "behind": np.array([0, 0, 0, 0, 0, 0, 2, 2]),
    **norm("p", 3),
}
UP = "ConvTranspose<strides = [2, 2]>"
UP_AND_1 = "ConvTranspose<strides = [2, 2], output_padding = [1, 1]>"
DOWN = "Conv<strides = [2, 2]>"


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        # a crop on one side
        ("s = Slice(x, one, far, space) a = Conv(s, d1) t = Slice(x, one, far, space) "
         "c = Conv(t, e1) y = Add(a, c)", 5),
        ("s = Slice(x, none, minus, space) a = Conv(s, d1) t = Slice(x, none, minus, space) "
         "c = Conv(t, e1) y = Add(a, c)", 5),
        (f"s = Slice(x, none, minus, space) a = {DOWN}(s, d2) "
         f"t = Slice(x, none, minus, space) c = {DOWN}(t, e2) y = Add(a, c)", 5),
        # a border of zeros behind a ConvTranspose, in front or as wide as its stride
        (f"a = {UP}(x, t2) s = Pad(a, before) c = {UP}(x, u2) t = Pad(c, before) y = Add(s, t)",
         5),
        (f"a = {UP}(x, t2) s = Pad(a, behind) c = {UP}(x, u2) t = Pad(c, behind) y = Add(s, t)",
         5),
        # one narrower than that is output_padding
        (f"a = {UP_AND_1}(x, t3) c = {UP_AND_1}(x, u3) y = Add(a, c)", 1),
        # a crop behind the operator that stays
        (f"a = {UP}(x, t4) s = Slice(a, one, minus, space) c = {UP}(x, t2) y = Add(s, c)", 1),
        # a scale along another axis
        ("a = Conv<pads = [1, 1, 1, 1]>(x, d3) c = Mul(x, columns) y = Add(a, c)", 3),
    ],
)  # fmt: skip
def test_borders(body: str, operators: int) -> None:
    text = f"(float[N, 4, H, 6] x) => (float[N, C, P, Q] y) {{ {body} }}"
    folded = merged(text, CONSTANTS, x=(2, 4, 5, 6))
    assert len(folded.operators) == operators


def test_what_is_told_names_the_sum_that_adds_a_constant() -> None:
    text = """(float[N, 4, H, 6] x) => (float[N, 4, H, 6] y) {
        a = Conv(x, d1) c = Conv(x, e1) s = Add(a, c) t = Sum(s, k) y = Relu(t) }"""
    folded = merged(text, CONSTANTS | {"k": weight(4, 1, 1)}, x=(2, 4, 5, 6))
    (told,) = folded.result.ledger.merges
    assert told == "Conv -> 'a', Conv -> 'c' and Sum -> 't' are one Conv -> 'a'"


def test_what_begins_further_in_is_no_conv() -> None:
    """Each branch crops by itself: their sum would be a Conv with pads below 0."""
    cropped = "Slice(x, inside, last, space)"
    text = f"""(float[N, 4, 6, 7] x) => (float[N, 4, P, Q] y) {{
        s = {cropped} a = Conv(s, aw, ab) t = {cropped} c = Conv(t, cw, cb) y = Add(a, c) }}"""
    constants = conv("a", 4, 4, 1, 1) | conv("c", 4, 4, 1, 1, seed=7)
    bounds = {"inside": np.array([1, 1]), "last": np.array([-1, -1]), "space": np.array([2, 3])}
    assert merged(text, constants | bounds, x=(2, 4, 6, 7)).operators.count("Conv") == 2
