"""A rewrite proves itself when it is made: the region before and after, in float64.

Both are run with unrounded constants on small random inputs whose values have both signs and whose
sizes reach the borders. Equal to 1e-10 of the output's scale, or the rewrite is not made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from bnfold.errors import BnfoldError
from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.plan import Plan
from bnfold.fold.proof.region import Region, region_of
from bnfold.fold.proof.trial import CertificateError, Sizes, run_region

_TOLERANCE = 1e-10
_ROUNDING = 1e-15
_SMALL = 7  # no extent in space becomes smaller
_LARGE = 12  # a static extent in space above this is made smaller first
_EXTENTS = (16, 64, 224)  # of the model's inputs, where small sizes do not fit
_DOES_NOT_RUN = (BnfoldError, ValueError, IndexError, ZeroDivisionError, CertificateError)


def certify(plan: Plan, facts: Facts) -> str | None:
    """Why the plan is wrong; None where before and after agree.

    Raises:
        CertificateError: the region could not be run.
    """
    region = region_of(plan, facts)
    tried: list[str] = []
    for sizes in _sizes(region, facts):
        feeds: dict[ir.Value, Constant] = {}
        try:
            before = run_region(region, facts, feeds, sizes)
        except _DOES_NOT_RUN as error:
            tried.append(str(error))
            continue
        try:
            after = run_region(region, facts, feeds, sizes, plan)
        except _DOES_NOT_RUN as error:
            if sizes.is_shrunken:
                continue  # a constant map has the size that the graph states
            return f"the rewritten region does not run: {error}"
        return _difference(region, before, after)
    raise CertificateError("; ".join(dict.fromkeys(tried)))


def _difference(
    region: Region, before: Mapping[ir.Value, Constant], after: Mapping[ir.Value, Constant]
) -> str | None:
    largest = max((_largest(array) for array in before.values()), default=0.0)
    for value in region.leaves:
        old, new = before[value], after[value]
        if old.shape != new.shape:
            return f"'{value.name}' changes its shape from {old.shape} to {new.shape}"
        if old.dtype.kind != "f":
            if not np.array_equal(old, new):
                return f"'{value.name}' changes"
            continue
        finite = np.isfinite(old)
        if not np.array_equal(old[~finite], new[~finite], equal_nan=True):
            raise CertificateError(f"'{value.name}' is not finite before, and differs after")
        scale = _largest(old)
        error = float(np.max(np.abs(new[finite] - old[finite]), initial=0.0))
        # where all of it cancels, what is left is the rounding of what went in
        if not error <= max(_TOLERANCE * scale, _ROUNDING * largest):
            return f"'{value.name}' is off by {error:.3g} where the largest value is {scale:.3g}"
    return None


def _largest(array: Constant) -> float:
    numbers = array[np.isfinite(array)] if array.dtype.kind == "f" else np.zeros(0)
    return float(np.max(np.abs(numbers), initial=0.0))


def _sizes(region: Region, facts: Facts) -> Iterator[Sizes]:
    """Sizes to try, the cheapest first: small ones may not fit each other, or a stated constant."""
    yield Sizes(facts, _shrinking(region, facts))
    yield Sizes(facts, 1)
    for extent in _EXTENTS:
        yield Sizes(facts, 1, facts.concrete_dims(extent))


def _shrinking(region: Region, facts: Facts) -> int:
    """What all static extents in space can be divided by, and stay larger than a kernel."""
    spatial = [
        d
        for value in region.enters
        for d in (facts.dims(value) or ())[2:]
        if isinstance(d, int) and d > 1
    ]
    if not spatial or max(spatial) <= _LARGE:
        return 1
    fits = [f for f in range(1, min(spatial)) if min(spatial) // f >= _SMALL]
    return max((f for f in fits if all(d % f == 0 for d in spatial)), default=1)
