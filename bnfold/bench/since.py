"""What was measured now beside an earlier record: over time, on one machine and runtime.

Sessions of days apart are in no pair, so that a change has to be larger to count. Of a model alone,
the interval goes from the lowest to the highest of its processes' medians, then and now; of a pair
it is that of the ratio. With a the earlier figure and b the one of now, as times,

    a / b  lies between  a.low / b.high  and  a.high / b.low

and it counts where all of that lies beyond `MARGIN`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnfold.bench.records import BenchResult
from bnfold.bench.rows import Comparison, Interval, Isolated, Since, Verdict
from bnfold.bench.statistics import MARGIN, sentence
from bnfold.errors import DataError
from bnfold.model_io import require_file
from bnfold.record import SCHEMA_VERSION, read_as

_MACHINE = (
    ("cpu", "processor"),
    ("cores_usable", "number of cores"),
    ("os", "system"),
    ("gpu", "GPU"),
)
_SETTINGS = (
    ("session_options", "set of session options"),
    ("inter_threads", "number of threads for operators"),
    ("cuda_graph", "use of CUDA graphs"),
)


@dataclass(frozen=True)
class Earlier:
    """An earlier measurement, and what a sentence calls it."""

    name: str
    result: BenchResult


def earlier(source: str | os.PathLike[str]) -> Earlier:
    """The measurement in a record of `bench` or `run`.

    Raises:
        DataError: there is none, or none of this version.
    """
    path = Path(source)
    require_file(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: this is no JSON that can be read") from error
    part = _measurement(found)
    if not isinstance(part, Mapping) or part.get("record") != "bench":
        raise DataError(f"{path}: this is no record of a measurement; bench --json writes one")
    if part.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{path}: this record is of another version of bnfold")
    return Earlier(str(path), read_as(BenchResult, part, where=str(path)))


def _measurement(found: Any) -> Any:
    if not isinstance(found, Mapping) or "command" not in found:
        return found
    result = found.get("result")
    if found["command"] == "run" and isinstance(result, Mapping):
        return result.get("bench")
    return result


def obstacles(then: Earlier, now: BenchResult) -> tuple[str, ...]:
    """Sentences on why the figures cannot be held against each other; none where they can."""
    before, settings = then.result, (then.result.settings, now.settings)
    asked = [
        ("runtime", _runtimes(before), _runtimes(now)),
        *((what, before.environment.get(key), now.environment.get(key)) for key, what in _MACHINE),
        *((what, *(getattr(one, key) for one in settings)) for key, what in _SETTINGS),
    ]
    return tuple(
        f"{then.name} is of another {what} ({_said(old)}, here {_said(here)}): its times are "
        "not held against these"
        for what, old, here in asked
        if old != here
    )


def _runtimes(result: BenchResult) -> tuple[str, ...]:
    return tuple(f"onnxruntime {r.onnxruntime}, Python {r.python}" for r in result.runtimes)


def _said(value: Any) -> str:
    listed = "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return listed or "none"


def since(then: Earlier, now: BenchResult) -> tuple[Since, ...]:
    """Each figure that both have, of models of one name, on inputs of one shape, in one place."""
    if obstacles(then, now):
        return ()
    fed = _shapes(then.result), _shapes(now)
    alone = {(row.model, row.where): row for row in then.result.isolated}
    pairs = {(row.candidate, row.where): row for row in then.result.comparisons}
    found: list[Since] = []
    for one in now.isolated:
        old = alone.get((one.model, one.where))
        if old is not None and fed[0].get(one.batch) == fed[1].get(one.batch):
            found.append(_row(one, one.model, "alone", _spread(old), _spread(one), is_time=True))
    for pair in now.comparisons:
        known = pairs.get((pair.candidate, pair.where))
        is_same = known is not None and known.baseline == pair.baseline
        if known is not None and is_same and fed[0].get(pair.batch) == fed[1].get(pair.batch):
            found.append(
                _row(pair, pair.candidate, "pairs", known.ratio, pair.ratio, is_time=False)
            )
    return tuple(found)


def missing(then: Earlier, now: BenchResult) -> Iterator[str]:
    """Sentences on models of now that have nothing to be held against."""
    if obstacles(then, now):
        return
    known = {row.model for row in now.since}
    for model in now.models:
        if model.role in ("baseline", "candidate") and model.name not in known:
            yield f"{then.name} has nothing of {model.name} on these inputs in this place"


def _shapes(result: BenchResult) -> dict[int, set[tuple[str, str, tuple[int, ...]]]]:
    found: dict[int, set[tuple[str, str, tuple[int, ...]]]] = {}
    for row in result.inputs:
        found.setdefault(row.batch, set()).add((row.name, row.dtype, row.shape))
    return found


def _spread(row: Isolated) -> Interval:
    """The median and the medians of the processes that are furthest apart."""
    medians = row.medians_ms or (row.median_ms,)
    return Interval(row.median_ms, min(*medians, row.median_ms), max(*medians, row.median_ms))


def _row(
    where: Isolated | Comparison,
    model: str,
    what: str,
    then: Interval,
    now: Interval,
    *,
    is_time: bool,
) -> Since:
    old, new = (then, now) if is_time else (now, then)  # of a ratio, more is less time
    change = Interval(old.estimate / new.estimate, old.low / new.high, old.high / new.low)
    verdict = _verdict(change)
    return Since(
        provider=where.provider, level=where.level, threads=where.threads, batch=where.batch,
        runtime=where.runtime, model=model, what=what, then=then, now=now, change=change,
        verdict=verdict, sentence=sentence(verdict, change),
    )  # fmt: skip


def _verdict(change: Interval) -> Verdict:
    if change.low > MARGIN:
        return "faster"
    if change.high < 1 / MARGIN:
        return "slower"
    is_even = change.low >= 1 / MARGIN and change.high <= MARGIN
    return "no difference" if is_even else "inconclusive"
