"""A weight that is too large for a small picture is proven all the same: a fault in one entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold import model_io
from bnfold.fold.edit.engine import Engine
from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.proof.lean import lean_extent

POINTWISE = Motif(
    "pointwise",
    "(float[N,720,H,W] x) => (float[N,736,P,Q] y) { a = Conv(x, w) b = BN(a, n) y = Sigmoid(b) }",
    {"w": (736, 720, 1, 1), "n": Norm(736)},
    "",
)
PADDED = Motif(
    "padded",
    """(float[N,240,56,56] x) => (float[N,250,56,56] y)
       { a = Conv<pads = [1, 1, 1, 1]>(x, w) b = BN(a, n) y = Sigmoid(b) }""",
    {"w": (250, 240, 3, 3), "n": Norm(250)},
    "",
)


PRODUCT = Motif(
    "product",
    "(float[1,700] x) => (float[1,800] y) { a = Gemm(x, w) b = BN(a, n) y = Sigmoid(b) }",
    {"w": (700, 800), "n": Norm(800)},
    "",
)
BEHIND_RELU = Motif(
    "behind Relu",
    "(float[1,700] x) => (float[1,800] y) { r = Relu(x) b = BN(r, n) y = Gemm(b, w, c) }",
    {"w": (700, 800), "c": (800,), "n": Norm(700)},
    "",
)
BEFORE_RELU = Motif(
    "before Relu",
    "(float[N,T,300] x) => (float[N,T,400] y) "
    "{ a = MatMul(x, w) r = Relu(a) m = Mul(r, s) y = Sigmoid(m) }",
    {"w": (300, 400), "s": np.linspace(0.5, 2, 400, dtype=np.float32)},
    "",
)
SMALL_PRODUCT = Motif(
    "small product",
    "(float[1,60] x) => (float[1,70] y) { r = Relu(x) b = BN(r, n) y = Gemm(b, w, c) }",
    {"w": (60, 70), "c": (70,), "n": Norm(60)},
    "",
)
WIDE = Motif(
    "wide kernel",
    "(float[N,2,H,W] x) => (float[N,2,P,Q] y) "
    "{ a = Conv<pads = [15, 15, 15, 15]>(x, w) b = BN(a, n) y = Sigmoid(b) }",
    {"w": (2, 2, 31, 31), "n": Norm(2)},
    "",
)


def _off(part: float, entry: tuple[int, ...], is_seen: list[bool]) -> Callable[[Any], Any]:
    """One entry of the weight is off by a part of what a usual one is."""

    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def broken(self: Engine, exact: Exact, *rest: Any) -> Any:
            if len(exact.shape) != len(entry):
                return original(self, exact, *rest)
            is_seen.append(True)
            usual = np.abs(exact.rows(0, 1)).mean()  # the same however many rows are read

            def rows(start: int, stop: int) -> np.ndarray:
                found = exact.rows(start, stop).copy()
                if start <= entry[0] < stop:
                    found[(entry[0] - start, *entry[1:])] += part * usual
                return found

            return original(self, replace(exact, rows=rows), *rest)

        return broken

    return mutate


@pytest.mark.parametrize("part", [pytest.param(1e-3, marks=pytest.mark.slow), 1e-5])
@pytest.mark.parametrize(
    ("motif", "entry"),
    [
        (POINTWISE, (0, 0, 0, 0)),
        (POINTWISE, (735, 719, 0, 0)),
        pytest.param(PADDED, (249, 0, 0, 0), marks=pytest.mark.slow),  # the next one's convolution
        (PADDED, (3, 239, 2, 1)),
        (PRODUCT, (0, 0)),
        (PRODUCT, (699, 799)),
        (BEHIND_RELU, (17, 0)),
        (BEHIND_RELU, (699, 799)),
        (BEFORE_RELU, (17, 399)),
        *[(SMALL_PRODUCT, (row, 69)) for row in (0, 10, 20, 30, 40, 59)],
        (WIDE, (1, 0, 0, 30)),
        (WIDE, (0, 1, 15, 0)),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_one_wrong_entry_of_a_weight_is_seen(
    motif: Motif, entry: tuple[int, ...], part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a thousandth of an entry, and by a hundred-thousandth."""
    seen: list[bool] = []
    monkeypatch.setattr(Engine, "_constant", _off(part, entry, seen)(Engine._constant))
    ledger = bnfold.fold(motif.model(), check=False).ledger
    assert seen
    assert not ledger.folded
    assert any("off by" in bug for bug in ledger.bugs)


@pytest.mark.parametrize(
    "motif",
    [POINTWISE, PADDED, PRODUCT, BEHIND_RELU, BEFORE_RELU, SMALL_PRODUCT, WIDE],
    ids=lambda motif: motif.name,
)
def test_what_is_right_is_proven(motif: Motif) -> None:
    ledger = bnfold.fold(motif.model()).ledger
    assert ledger.folded
    assert not ledger.bugs


@pytest.mark.parametrize(
    ("weight", "attributes", "extent"),
    [
        ((8, 8, 3, 3), "", None),
        ((736, 720, 1, 1), "", 3),
        ((250, 240, 3, 3), "", 3),
        ((250, 240, 3, 3), "<dilations = [1, 3]>", 7),
        ((128, 180, 5, 5), "<strides = [2, 1]>", 6),
    ],
)
def test_values_are_small_but_every_kernel_lies_within(
    weight: tuple[int, ...], attributes: str, extent: int | None
) -> None:
    """Where no weight is large, values are as they always are."""
    text = f"(float[N,{weight[1]},H,W] x) => (float[N,M,P,Q] y) {{ y = Conv{attributes}(x, w) }}"
    model = model_io.load(Motif("one", text, {"w": weight}, "").model())
    assert lean_extent(list(model.graph), Facts(model)) == extent
