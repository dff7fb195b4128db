"""The work of a fold, counted and not timed: three graphs, within 5 % of figures that are here.

A change that makes a fold do less moves the figures down: write the new ones. One that makes it do
more has to say in its commit what for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import bnfold
from benchmarks.growth import FAMILIES, calls_of
from bnfold import model_io
from bnfold.fold.numbers import exact as exacts
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.question import moving

FIGURES = {
    # family: (calls of bnfold's functions, entries of weights read, bytes written)
    "chain": (18_900, 12_416, 24_853),
    "kept": (58_630, 488, 6_299),
    "trunk": (951_613, 19_272, 4_626),
}
NODES = 30
ALLOWED = 0.05


def _counted_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each reading of a tensor's rows gives, from now on."""
    found: list[int] = []
    original = exacts.computed

    def computed(shape: tuple[int, ...], dtype: object, rows: object, **told: object) -> Exact:
        def counted(start: int, stop: int) -> np.ndarray:
            part = rows(start, stop)  # type: ignore[operator]
            found.append(part.size)
            return np.asarray(part)

        return original(shape, dtype, counted, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(exacts, "computed", computed)
    return found


@pytest.mark.parametrize("family", ["chain", "kept", pytest.param("trunk", marks=pytest.mark.slow)])
def test_a_fold_does_no_more_work_than_it_did(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, target = tmp_path / "in.onnx", tmp_path / "out.onnx"
    bnfold.fold(FAMILIES["chain"](3), check=False)  # what is imported late is imported now
    onnx.save(FAMILIES[family](NODES), path)
    entries = _counted_rows(monkeypatch)
    calls = calls_of(lambda: model_io.save(bnfold.fold(path, check=False).model, target))
    found = (calls, sum(entries), target.stat().st_size)
    wanted = FIGURES[family]
    assert all(abs(a - b) <= ALLOWED * b for a, b in zip(found, wanted, strict=True)), found


@pytest.mark.parametrize("allow", [(), ("rectifier",)])
def test_a_way_that_is_too_long_ends_where_it_came_to(
    allow: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch norm can go into the next one; all of them, one behind the other, go too far."""
    monkeypatch.setattr(moving, "_FAR", 40)
    results = []
    calls = [
        calls_of(
            lambda n=n: results.append(bnfold.fold(FAMILIES["kept"](n), allow=allow, check=False))
        )
        for n in (3, 36, 108)
    ]
    assert calls[2] < 4.5 * calls[1], calls
    left = [result.ledger.batch_norms_after for result in results[1:]]
    assert left == ([1, 1] if allow else [18, 54])
