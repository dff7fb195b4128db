"""A Conv over all of space, what lays it flat and a Gemm: when that is one Gemm."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import Array, conv, merged, weight

GEMM = {"w": weight(4, 5, seed=3), "b": weight(5, seed=4)}
SHAPES: dict[str, Array] = {
    "rest": np.array([0, -1]),
    "batch": np.array([-1, 4]),
    "space": np.array([2, 3]),
    "one": np.array([1]),
}


def operators(
    body: str,
    constants: dict[str, Array],
    size: tuple[int, ...] = (3, 2),
    declared: str = "",
    n: int = 3,
    channels: int = 3,
) -> list[str]:
    """What is left of the graph for an x [N, C, *size], which computes what it did before."""
    dims = declared or ", ".join(map(str, size))
    text = f"(float[N, {channels}, {dims}] x) => (float[P, Q] y) {{ {body} }}"
    return merged(text, SHAPES | GEMM | constants, x=(n, channels, *size)).operators


@pytest.mark.parametrize("bias", ["", ", ab"])
@pytest.mark.parametrize(
    "flat",
    [
        "Flatten(a)",
        "Flatten<axis = -3>(a)",
        "Reshape(a, rest)",
        "Reshape(a, batch)",
        "Squeeze(a, space)",
    ],
)
@pytest.mark.parametrize(
    "gemm",
    [
        "Gemm(f, w)",
        "Gemm(f, w, b)",
        "Gemm<alpha = 0.5, beta = 2.0>(f, w, b)",
        "Gemm<transB = 1>(f, v, b)",
    ],
)
def test_it_is_one_gemm(bias: str, flat: str, gemm: str) -> None:
    constants = conv("a", 4, 3, 3, 2) | {"v": weight(5, 4, seed=5)}
    body = f"a = Conv(x, aw{bias}) f = {flat} y = {gemm}"
    assert operators(body, constants) == ["Flatten", "Gemm"]


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("size", [(4,), (1, 3), (1, 2, 2)])
def test_of_any_number_of_axes_and_samples(size: tuple[int, ...], n: int) -> None:
    body = "a = Conv(x, aw, ab) f = Flatten(a) y = Gemm(f, w, b)"
    assert operators(body, conv("a", 4, 3, *size), size, n=n) == ["Flatten", "Gemm"]


@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
def test_of_one_position_strides_say_nothing(strides: list[int]) -> None:
    body = f"a = Conv<strides = {strides}>(x, aw, ab) f = Flatten(a) y = Gemm(f, w, b)"
    assert operators(body, conv("a", 4, 3, 3, 2)) == ["Flatten", "Gemm"]


def test_one_channel_is_told_from_no_other_axis() -> None:
    constants = {**conv("a", 1, 3, 3, 2), "w": weight(1, 5)}
    body = "a = Conv(x, aw, ab) f = Flatten<axis = 2>(a) y = Gemm(f, w)"
    assert operators(body, constants) == ["Conv", "Flatten", "Gemm"]  # it would be more work
    constants = {**conv("a", 1, 3, 3, 2), "w": weight(1, 1)}
    assert operators(body, constants) == ["Flatten", "Gemm"]


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        # how much of space it sees is not known, or one row is left
        ("a = Conv(x, aw, ab) f = Flatten(a) y = Gemm(f, w)", "H, 2"),
        ("a = Conv(x, aw, ab) f = Flatten(a) y = Gemm(f, w)", "H, W"),
        # the one position lies over the border, or sees every other channel
        (
            "a = Conv<pads = [1, 0, 1, 0], strides = [5, 1]>(x, aw) f = Flatten(a) y = Gemm(f, w)",
            "",
        ),
        (
            "a = Conv<pads = [0, 1, 0, 0], strides = [1, 5]>(x, aw) f = Flatten(a) y = Gemm(f, w)",
            "",
        ),
        # rows of numbers, one for each sample, are no bias
        ("a = Conv(x, aw) f = Flatten(a) y = Gemm(f, w, c)", ""),
        # others read what is between
        (
            "a = Conv(x, aw) f = Flatten(a) g = Gemm(f, w) r = Sigmoid(f) y = Gemm(r, w, g)",
            "",
        ),
        # something else stands between or is no Gemm
        ("a = Conv(x, aw) r = Relu(a) f = Flatten(r) y = Gemm(f, w)", ""),
        ("a = Conv(x, aw) f = Flatten(a) y = MatMul(f, w)", ""),
    ],
)
def test_what_stays_two(body: str, declared: str) -> None:
    constants = {**conv("a", 4, 3, 3, 2), "c": weight(3, 5)}
    assert "Conv" in operators(body, constants, declared=declared)


def test_where_samples_are_columns_it_stays() -> None:
    """As many samples as channels here, of which the shape tells nothing."""
    body = "a = Conv(x, aw) f = Flatten(a) y = Gemm<transA = 1>(f, w)"
    assert operators(body, conv("a", 4, 3, 3, 2), n=4) == ["Conv", "Flatten", "Gemm"]


def test_groups_see_a_part_of_the_channels() -> None:
    body = "a = Conv<group = 2>(x, aw) f = Flatten(a) y = Gemm(f, w)"
    assert operators(body, conv("a", 4, 2, 3, 2), channels=4) == ["Conv", "Flatten", "Gemm"]


def test_a_transposed_convolution_is_none_over_all_of_space() -> None:
    body = "a = ConvTranspose(x, aw) f = Flatten(a) y = Gemm(f, w)"
    constants = {"aw": weight(3, 4, 1, 1)}
    assert operators(body, constants, (1, 1)) == ["ConvTranspose", "Flatten", "Gemm"]


def test_more_positions_than_one_are_no_row_of_channels() -> None:
    """Reshaped to rows of as many numbers as there are channels, these lie across positions."""
    body = "a = Conv(x, aw) f = Reshape(a, batch) y = Gemm(f, w)"
    assert operators(body, conv("a", 4, 3, 2, 2)) == ["Conv", "Reshape", "Gemm"]


@pytest.mark.parametrize(("outputs", "merges"), [(8, True), (9, True), (10, False)])
def test_it_is_no_more_work(outputs: int, merges: bool) -> None:
    """6 * 18 + 6 * outputs multiplications become 18 * outputs."""
    body = "a = Conv(x, aw) f = Flatten(a) y = Gemm(f, w)"
    found = operators(body, {**conv("a", 6, 3, 3, 2), "w": weight(6, outputs)})
    assert ("Conv" not in found) == merges
