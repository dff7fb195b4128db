"""Every operator that onnxruntime has too, called with attributes and shapes drawn at random."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from bnfold.float64 import run_op
from tests.float64.drawn.case import Case, Dice
from tests.float64.drawn.runtime import Refused, run_case
from tests.float64.drawn.table import CASES

FLOATS = (np.float16, np.float32, np.float64)


def difference(op: str, case: Case) -> str | None:
    """What is wrong with our outputs; None if nothing is.

    Raises:
        Refused: onnxruntime does not run the case.
    """
    theirs = run_case(op, case)
    ours = run_op(
        op,
        case.inputs,
        case.attributes,
        opset=case.opset,
        n_outputs=case.n_outputs,
        domain=case.domain,
    )
    if len(ours) != len(theirs):
        return f"{len(ours)} outputs, not {len(theirs)}"
    for mine, their in zip(ours, theirs, strict=True):
        found = _one_output(mine, their, case.tolerance)
        if found:
            return found
    return None


def _one_output(mine: np.ndarray, their: np.ndarray, tolerance: float) -> str | None:
    if mine.shape != their.shape:
        return f"shape {mine.shape}, not {their.shape}"
    if their.dtype not in FLOATS:
        if mine.dtype != their.dtype:
            return f"dtype {mine.dtype}, not {their.dtype}"
        wrong = int((mine != their).sum())
        return f"{wrong} of {their.size} differ" if wrong else None
    if mine.dtype != np.float64:
        return f"dtype {mine.dtype}, not float64"
    finite = np.abs(their[np.isfinite(their)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    with np.errstate(all="ignore"):
        same = np.isclose(
            mine.astype(their.dtype), their, rtol=tolerance, atol=tolerance * scale, equal_nan=True
        )
    return None if same.all() else f"{int((~same).sum())} of {same.size} are off"


def draw_many(op: str, count: int) -> tuple[int, list[str]]:
    """How many draws onnxruntime ran, and the differences found in them."""
    ran, wrong = 0, []
    for number in range(count):
        case = CASES[op](Dice([zlib.crc32(op.encode()), number]))
        try:
            found = difference(op, case)
        except Refused:
            continue
        ran += 1
        if found:
            shapes = [None if x is None else x.shape for x in case.inputs]
            wrong.append(f"draw {number}, {shapes}, {dict(case.attributes)}: {found}")
    return ran, wrong


@pytest.mark.parametrize("op", CASES)
def test_an_operator_drawn_at_random_is_what_the_runtime_computes(op):
    ran, wrong = draw_many(op, 8)
    assert not wrong, "\n".join(wrong)
    assert ran >= 2


@pytest.mark.slow
@pytest.mark.parametrize("op", CASES)
def test_an_operator_drawn_a_thousand_times_is_what_the_runtime_computes(op):
    ran, wrong = draw_many(op, 1000)
    assert not wrong, "\n".join(wrong[:20])
    assert ran >= 250


def test_the_document_says_how_many_operators_are_drawn():
    text = Path(__file__).parents[2].joinpath("docs/float64-reference.md").read_text("utf-8")
    assert f"Another test calls {len(CASES)} operators" in text
