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


def _off(*entry: int) -> Callable[[Any], Any]:
    """One entry of the weight is off by a hundredth of a usual one."""

    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def broken(self: Engine, exact: Exact, *rest: Any) -> Any:
            if len(exact.shape) != 4:
                return original(self, exact, *rest)

            def rows(start: int, stop: int) -> np.ndarray:
                found = exact.rows(start, stop).copy()
                if start <= entry[0] < stop:
                    found[(entry[0] - start, *entry[1:])] += 0.01 * np.abs(found).mean()
                return found

            return original(self, replace(exact, rows=rows), *rest)

        return broken

    return mutate


@pytest.mark.parametrize(
    ("motif", "entry"),
    [
        (POINTWISE, (0, 0, 0, 0)),
        (POINTWISE, (735, 719, 0, 0)),
        (PADDED, (249, 0, 0, 0)),
        (PADDED, (3, 239, 2, 1)),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_one_wrong_entry_of_a_large_weight_is_seen(
    motif: Motif, entry: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = motif.model()
    assert bnfold.fold(model, check=False).ledger.batch_norms_after == 0
    monkeypatch.setattr(Engine, "_constant", _off(*entry)(Engine._constant))
    ledger = bnfold.fold(model, check=False).ledger
    assert ledger.batch_norms_after == 1
    assert {r.code for r in ledger.kept[0].refusals} >= {"certificate-failed"}


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
