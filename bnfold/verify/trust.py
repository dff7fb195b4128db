"""Who checks the reference: a float64 reference that no rounding explains is not believed.

If the reference computes something else than the runtime does, the original's own error becomes
large, and with such a budget everything is equivalent. That can be seen: the original and its
neighbours then agree with each other, and all of them stand far away from the reference.

    e_a <= DOUBT * max(spread, floor)   or   e_a <= LEAST ulp

for each set of inputs, and for each channel over all of them. The spread is the root mean square
of (neighbour - original) / scale. A sum that is added up one by one can be worse than its
neighbours show, all of which add it up in the same order; hence `LEAST`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import median_low

import numpy as np
import onnx_ir as ir

from bnfold.float64 import EvaluationError, UnsupportedOperatorError, run_graph
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.feeds import Feed
from bnfold.verify.measure import FAINT, FLOOR_ULP, PRIOR, allowance
from bnfold.verify.records import Doubt
from bnfold.verify.subject import OnnxSubject
from bnfold.verify.tally import Tally

DOUBT = 8.0
"""The original's error may be this many times the spread of its neighbours."""

_FINE_ULP = 2.0**-20

_SHARE = 0.1  # the first operator that is off by this part of the worst one is named


def least(ulp: float) -> float:
    """An error that roundings of this dtype explain whatever the neighbours say."""
    return (128.0 if ulp < _FINE_ULP else 4.0) * ulp


def doubt(
    output: str, own: Tally, spread: Tally, magnitude: Tally, ulp: float, *, is_stepped: bool
) -> Doubt | None:
    """The worst that speaks against an output's reference; None where rounding explains it all.

    Args:
        output: its name.
        own: errors of the original.
        spread: what neighbours are apart from it.
        magnitude: the reference itself, relative to its scale.
        ulp: the gap between 1 and the next number of the output's dtype.
        is_stepped: activations are quantised on the way, so that one set of inputs says nothing.
    """
    floor = FLOOR_ULP * ulp
    found = []
    for feed, sums in own.by_feed.items():
        near = spread.by_feed[feed].rms if feed in spread.by_feed else 0.0
        widened = max(near, floor) * float(allowance(1, np.array(sums.count)))
        found.append(Doubt(output, feed, sums.rms, near, times=sums.rms / widened))
    if is_stepped:
        usual = median_low([each.times for each in found])
        found = [each for each in found if each.times == usual]
    else:
        found += _of_channels(output, own, spread, magnitude, floor)
    beyond = [each for each in found if each.times > DOUBT and each.error > least(ulp)]
    return max(beyond, key=lambda each: each.times, default=None)


def _of_channels(
    output: str, own: Tally, spread: Tally, magnitude: Tally, floor: float
) -> Iterator[Doubt]:
    ours, near, level = own.total(), spread.total(), magnitude.total()
    for axis in ours.by_axis:
        errors, n = ours.rms_along(axis), max(ours.rows, 1)
        apart = near.rms_along(axis) if axis in near.by_axis else np.zeros_like(errors)
        shrunk = np.sqrt((n * apart**2 + PRIOR * near.rms**2) / (n + PRIOR))
        floors = floor * np.maximum(level.rms_along(axis), FAINT)
        times = errors / (allowance(len(errors), np.array(n)) * np.maximum(shrunk, floors))
        top = int(np.argmax(times))
        yield Doubt(output, "", float(errors[top]), float(apart[top]), times=float(times[top]))


def with_operator(found: Doubt, subject: object, feed: Feed, setting: Setting) -> Doubt:
    """The doubt with the first operator at which runtime and reference part, if one does.

    Each operator gets in float64 what it got in the runtime, so that an error has one cause.
    """
    if not isinstance(subject, OnnxSubject):
        return found
    try:
        errors = dict(_local_errors(subject, feed, setting))
    except (EvaluationError, UnsupportedOperatorError, RefusedError, RunError):
        return found  # the graph does not run with everything returned: nothing can be named
    worst = max(errors.values(), default=0.0)
    first = next((node for node, error in errors.items() if error >= _SHARE * worst), None)
    if first is None or not worst:
        return found
    return replace(found, operator=f"{first.op_type} {first.name or first.outputs[0].name!r}")


def _local_errors(
    subject: OnnxSubject, feed: Feed, setting: Setting
) -> Iterator[tuple[ir.Node, float]]:
    """Each node of the main graph with its error where it gets what it got in the runtime."""
    values = _values(subject.model)
    exposed = subject.copy()
    exposed.expose(dict.fromkeys(values))
    runner = exposed.open(replace(setting, level="none"))
    tensors = [name for name in values if name in runner.tensors]
    runs = dict(zip(tensors, runner.run(feed.arrays, tensors), strict=True))
    for node in subject.model.graph:
        own = {v.name for v in node.outputs}
        names = [v.name for v in node.outputs if v.name in runs]
        if not names:
            continue
        known = lambda value, own=own: None if value.name in own else runs.get(value.name)  # noqa: E731
        exact = run_graph(subject.model, feed.arrays, only=names, constants=known)
        yield node, max(_error(runs[name], exact[name]) for name in names)


def _values(model: ir.Model) -> Mapping[str, ir.Value]:
    """What nodes of the main graph make, by name."""
    return {value.name: value for node in model.graph for value in node.outputs if value.name}


def _error(ours: Array, exact: Array) -> float:
    """How far a run is from exact arithmetic, relative to the largest number."""
    if ours.shape != exact.shape:
        return float("inf")
    if is_exact_dtype(ours.dtype):
        return float((ours != exact).mean()) if ours.size else 0.0
    wide = ours.astype(np.float64)
    known = np.isfinite(wide) & np.isfinite(exact)
    largest = float(np.max(np.abs(exact[known]), initial=0.0)) or 1.0
    return float(np.max(np.abs(wide[known] - exact[known]), initial=0.0)) / largest
