"""How far apart two answers may be, in terms of rounding.

    error(ONNX) <= FACTOR * max(error(torch), FLOOR_ULP * ulp(output scale))      for each output

Both errors are measured against the module in float64. A fixed tolerance would let a dropped
epsilon through in a small network and raise false alarms in a deep one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from bnfold.errors import ModelsDifferError
from bnfold.export.answers import Array

FACTOR = 10.0
FLOOR_ULP = 16.0
EXACT = 1e-9  # relative to the output scale, for answers that were computed without rounding


class Explained(enum.Enum):
    """What explains a deviation: torch's own rounding, some ulps, or nothing in float64."""

    TORCH_ERROR = enum.auto()
    ULPS = enum.auto()
    NOTHING = enum.auto()


@dataclass(frozen=True)
class Errors:
    """The largest deviations on one output, its largest magnitude, and whether all was finite."""

    error: float
    torch_error: float
    scale: float
    finite: bool


def errors_of(
    output: str, reference: Array, rounded: Array, answer: Array, *, explained: Explained
) -> Errors:
    """The deviations of one output of the graph and of the module from the reference.

    Args:
        output: its name.
        reference: what the module answers in float64.
        rounded: what the module answers in its own precision.
        answer: what the graph answers.
        explained: which deviations are no difference.

    Raises:
        ModelsDifferError: shape, values or non-finite places differ beyond rounding.
    """
    if answer.shape != reference.shape:
        raise ModelsDifferError(
            f"output {output} has shape {list(answer.shape)} in the exported graph and "
            f"{list(reference.shape)} in the module"
        )
    if answer.dtype.kind not in "fc":
        return _exact_errors(output, reference, rounded, answer)
    same_precision = reference if explained is Explained.NOTHING else rounded
    finite = np.isfinite(answer)
    if not np.array_equal(finite, np.isfinite(same_precision)):
        raise ModelsDifferError(f"output {output}: NaN or infinity in other places than in torch")
    compared = finite & np.isfinite(reference)
    exact = reference[compared].astype(np.float64)
    scale = float(np.abs(exact).max(initial=0))
    error = _largest(answer[compared], exact)
    torch_error = _largest(rounded[compared], exact)
    allowed = FLOOR_ULP * float(np.finfo(answer.dtype).eps) * scale
    if explained is Explained.TORCH_ERROR:
        allowed = max(torch_error, allowed)
    budget = EXACT * scale if explained is Explained.NOTHING else FACTOR * allowed
    if error > budget:
        raise ModelsDifferError(
            f"output {output} of the exported graph is off by {error:.3g}; rounding explains "
            f"{budget:.3g} (torch itself is off by {torch_error:.3g})"
        )
    return Errors(error, torch_error, scale, bool(compared.all()))


def _largest(values: Array, exact: Array) -> float:
    return float(np.abs(values.astype(np.float64) - exact).max(initial=0))


def _exact_errors(output: str, reference: Array, rounded: Array, answer: Array) -> Errors:
    """Integers and booleans: right when they are what torch says in either precision."""
    wrong = int(np.count_nonzero((answer != rounded) & (answer != reference)))
    if wrong:
        raise ModelsDifferError(f"output {output}: {wrong} of {answer.size} values differ")
    return Errors(0.0, 0.0, float(np.abs(answer.astype(np.float64)).max(initial=0)), True)
