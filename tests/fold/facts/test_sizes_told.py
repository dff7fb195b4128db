"""Sizes that constants tell, however they come about, and those that follow from a total."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

SIZES: dict[str, Array] = {
    "two": np.array([2]),
    "three": np.array([3]),
    "last": np.array([5, 5]),
    "same": np.array([0]),
    "halves": np.array([3, 3], np.int32),
    "axes": np.array([2, 3], np.int32),
    "flat": np.array([6]),
    "minus": np.array([-1]),
}
# (what makes m of a Conv's output [N, 6, 5, 5])
BEHIND = [
    "s = Concat<axis = 0>(same, flat, last) m = Reshape(a, s)",
    "i = Identity(minus) s = Concat<axis = 0>(same, flat, i) r = Reshape(a, s) "
    "t = Concat<axis = 0>(same, flat, last) m = Reshape(r, t)",
    "k = Cast<to = 7>(axes) m = ReduceMean(a, k)",
    "k = Cast<to = 7>(axes) u = Identity(k) r = ReduceMean(a, u) q = Squeeze(r, u) "
    "m = Unsqueeze(q, u)",
    "s = Cast<to = 7>(halves) p, q = Split<axis = 1>(a, s) m = Concat<axis = 1>(p, q)",
    "s = Concat<axis = 0>(three, three) p, q = Split<axis = 1>(a, s) m = Concat<axis = 1>(q, p)",
]


@pytest.mark.parametrize("text", BEHIND)
def test_sizes_come_through_constant_operators(text: str) -> None:
    body = (
        f"(float[N,3,5,5] x) => (float y) {{ a = Conv(x, w) {text} b = BN(m, n) y = Sigmoid(b) }}"
    )
    constants = {"w": weight(6, 3, 1, 1), **norm("n", 6), **SIZES}
    result = fold_checked(model(body, constants), x=(2, 3, 5, 5))
    assert verdicts(result) == {"b": "backward"}


def test_a_split_may_have_hundreds_of_parts() -> None:
    count = 140
    parts = ", ".join(f"p{i}" for i in range(count))
    text = f"a = Conv(x, w) b = BN(a, n) {parts} = Split<axis = 1>(b, sizes) "
    text += "".join(f"r{i} = Relu(p{i}) " for i in range(count))
    text += f"y = Sum({', '.join(f'r{i}' for i in range(count))})"
    constants = {
        "w": weight(count, 3, 1, 1),
        "sizes": np.ones(count, np.int64),
        **norm("n", count),
    }
    parsed = model(f"(float[N,3,2,2] x) => (float y) {{ {text} }}", constants)
    assert "BatchNormalization" not in kinds_of(fold_checked(parsed, x=(2, 3, 2, 2)))


@pytest.mark.parametrize(
    ("rows", "dims", "shape", "verdict"),
    [
        (36, "N,4,H,W", (2, 4, 3, 3), "forward"),
        (32, "N,4,L", (2, 4, 8), "forward"),
        (48, "N,4,H,W", (2, 4, 3, 4), "forward"),  # no two equal sizes have 12 numbers
        (38, "N,4,H,W", (2, 4, 3, 3), "reshape-mixes"),  # 4 does not divide it: nothing runs
    ],
)
def test_a_matrix_behind_a_flatten_tells_how_often_a_channel_comes(
    rows: int, dims: str, shape: tuple[int, ...], verdict: str
) -> None:
    text = "r = Relu(x) b = BN(r, n) f = Flatten(b) y = Gemm(f, w)"
    parsed = model(
        f"(float[{dims}] x) => (float y) {{ {text} }}", {"w": weight(rows, 2), **norm("n", 4)}
    )
    runs = {} if verdict == "reshape-mixes" else {"x": shape}
    result = fold_checked(parsed, **runs) if runs else bnfold.fold(parsed, check=False)
    assert verdict in verdicts(result)["b"].split()
