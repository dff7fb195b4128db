"""A scale by channel passes MaxUnpool only where each value comes back to its own channel."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import Array, model, norm, verdicts, weight

PLACES = np.random.default_rng(0).permutation(2 * 3 * 16)[:24].reshape(2, 3, 2, 2)
IN_PLACE = np.array([1, 3, 12, 14]).reshape(2, 2) + 16 * np.arange(6).reshape(2, 3, 1, 1)
CONSTANTS: dict[str, Array] = {
    **norm("n", 3, signs=True),
    "nb": np.zeros(3, np.float32),
    "nm": np.zeros(3, np.float32),
    "w": weight(2, 3, 1, 1),
    "places": PLACES,
    "in_place": IN_PLACE,
    "packed": np.arange(24).reshape(2, 3, 2, 2),
    "four": np.array([2, 3, 4, 4]),
    "eight": np.array([2, 3, 8, 8]),
    "wider": np.array([2, 6, 4, 4]),
    "low": np.array(-1.0, np.float32),
}
TWO = "kernel_shape = [2, 2], strides = [2, 2]"
UNPOOL = f"MaxUnpool<{TWO}>"


def unpooling(pool: str, unpool: str, x: str = "N, 3, 4, 4", constants: object = None) -> object:
    """A batch norm without a shift between a pool and its MaxUnpool, and a Conv behind."""
    return model(
        f"(float[{x}] x) => (float[] y) "
        f"{{ {pool} q = Tanh(p) b = BN(q, n) u = {unpool} y = Conv(u, w) }}",
        CONSTANTS if constants is None else constants,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("pool", "unpool", "x", "shapes"),
    [
        (f"p, i = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, i)", "N, 3, 4, 4", [(2, 3, 4, 4)]),
        (
            f"p, i = MaxPool<{TWO}>(x) s = Shape(x)",
            f"{UNPOOL}(b, i, s)",
            "N, 3, H, W",
            [(2, 3, 4, 6), (1, 3, 5, 7)],
        ),
        (
            f"p, i = MaxPool<{TWO}>(x) z = Abs(x) s = Shape(z)",
            f"{UNPOOL}(b, i, s)",
            "N, 3, H, W",
            [(2, 3, 5, 6)],
        ),
        (f"p, i = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, i, four)", "2, 3, 4, 4", [(2, 3, 4, 4)]),
        (
            f"p, i = MaxPool<{TWO}, ceil_mode = 1>(x) s = Shape(x)",
            f"{UNPOOL}(b, i, s)",
            "N, 3, 4, 6",
            [(2, 3, 4, 6)],
        ),
        (
            "p, i = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x)",
            f"{UNPOOL}(b, i)",
            "N, 3, 4, 4",
            [(3, 3, 4, 4)],
        ),
        (f"p = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, in_place)", "2, 3, 4, 4", [(2, 3, 4, 4)]),
        (
            "p, i = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x)",
            "MaxUnpool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(b, i)",
            "N, 3, 5, 5",
            [(2, 3, 5, 5)],
        ),
        (
            "p, i = MaxPool<kernel_shape = [2, 2]>(x)",
            "MaxUnpool<kernel_shape = [2, 2]>(b, i)",
            "N, 3, 4, 4",
            [(2, 3, 4, 4)],
        ),
    ],
)
def test_a_scale_passes_where_indices_stay_in_their_channels(
    pool: str, unpool: str, x: str, shapes: list[tuple[int, ...]]
) -> None:
    _agree(unpooling(pool, unpool, x), shapes, "forward")


@pytest.mark.parametrize(
    ("pool", "unpool", "x", "shapes"),
    [
        # odd extents: the output is larger or smaller than the input of the pool
        (
            f"p, i = MaxPool<{TWO}, ceil_mode = 1>(x)",
            f"{UNPOOL}(b, i)",
            "N, 3, H, W",
            [(2, 3, 4, 6), (1, 3, 5, 5)],
        ),
        (f"p, i = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, i)", "N, 3, H, W", [(1, 3, 4, 4)]),
        (f"p, i = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, i)", "N, 3, 5, 5", []),
        (f"p, i = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, i, eight)", "2, 3, 4, 4", [(2, 3, 4, 4)]),
        # a maximum of nothing lies anywhere
        (
            "p, i = MaxPool<kernel_shape = [2, 2], dilations = [2, 2], pads = [1, 1, 1, 1], "
            "strides = [2, 2]>(x) s = Shape(x)",
            f"{UNPOOL}(b, i, s)",
            "N, 3, H, W",
            [],
        ),
        (f"p, i = MaxPool<{TWO}>(x) j = Abs(i)", f"{UNPOOL}(b, j)", "N, 3, 4, 4", [(2, 3, 4, 4)]),
        (
            f"p, i = MaxPool<{TWO}>(x) s = Shape<start = 0>(x)",
            f"{UNPOOL}(b, i, s)",
            "N, 3, H, W",
            [(2, 3, 4, 4)],
        ),
        # in place for sizes that are open, and for another number of channels
        (
            f"p = MaxPool<{TWO}>(x) s = Shape(x)",
            f"{UNPOOL}(b, in_place, s)",
            "2, 3, H, W",
            [(2, 3, 4, 4)],
        ),
        (
            f"p = MaxPool<{TWO}>(x) s = Shape(x)",
            f"{UNPOOL}(b, packed, s)",
            "2, 3, 4, W",
            [(2, 3, 4, 4)],
        ),
        (f"p = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, in_place, wider)", "2, 3, 4, 4", []),
        # in columns: they are positions in another picture
        (
            f"p, i = MaxPool<{TWO}, storage_order = 1>(x)",
            f"{UNPOOL}(b, i)",
            "N, 3, 4, 4",
            [(2, 3, 4, 4)],
        ),
        # positions in another value, or in nothing that is known
        (
            f"p = MaxPool<{TWO}>(x) d = MaxPool<kernel_shape = [2, 1], strides = [2, 1]>(x) "
            "o, i = MaxPool<kernel_shape = [1, 2], strides = [1, 2]>(d)",
            f"{UNPOOL}(b, i)",
            "N, 3, 4, 4",
            [(2, 3, 4, 4)],
        ),
        (f"p = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, places)", "2, 3, 4, 4", [(2, 3, 4, 4)]),
    ],
)
def test_a_scale_stays_where_an_index_may_be_one_of_another_channel(
    pool: str, unpool: str, x: str, shapes: list[tuple[int, ...]]
) -> None:
    _agree(unpooling(pool, unpool, x), shapes, "flat-indices")


def test_indices_that_are_fed_may_lie_anywhere() -> None:
    text = (
        "(float[2,3,2,2] x, int64[2,3,2,2] i) => (float[] y) "
        f"{{ b = BN(x, n) u = {UNPOOL}(b, i) y = Conv(u, w) }}"
    )
    result = bnfold.fold(model(text, CONSTANTS))
    assert "flat-indices" in next(iter(verdicts(result).values()))


def test_sizes_that_are_fed_may_be_any() -> None:
    text = (
        "(float[2,3,4,4] x, int64[4] s) => (float[] y) "
        f"{{ p, i = MaxPool<{TWO}>(x) q = Tanh(p) b = BN(q, n) u = {UNPOOL}(b, i, s) "
        "y = Conv(u, w) }"
    )
    result = bnfold.fold(model(text, CONSTANTS))
    assert not result.ledger.bugs
    assert "flat-indices" in next(iter(verdicts(result).values()))


@pytest.mark.parametrize("scale", [0.5, -2.0])
def test_one_number_for_all_channels_passes_whatever_the_indices(scale: float) -> None:
    alike = {"ng": np.full(3, scale, np.float32), "nv": np.ones(3, np.float32)}
    parsed = unpooling(
        f"p = MaxPool<{TWO}>(x)", f"{UNPOOL}(b, places)", "2, 3, 4, 4", {**CONSTANTS, **alike}
    )
    _agree(parsed, [(2, 3, 4, 4)], "forward")


def _agree(parsed: object, shapes: list[tuple[int, ...]], verdict: str) -> None:
    """The batch norm went so, and onnxruntime computes the same."""
    assert isinstance(parsed, onnx.ModelProto)
    result = bnfold.fold(parsed)
    assert not result.ledger.bugs
    assert verdict in next(iter(verdicts(result).values())).split()
    for shape in shapes:
        feeds = {"x": np.random.default_rng(1).normal(size=shape).astype(np.float32)}
        old, new = run_runtime(parsed, feeds), run_runtime(result.to_proto(), feeds)
        assert old is not None and new is not None
        np.testing.assert_allclose(new[0], old[0], rtol=0, atol=1e-5 * np.abs(old[0]).max())
