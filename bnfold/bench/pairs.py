"""Pairs from several processes, as comparisons that are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bnfold.bench.quad import Quad
from bnfold.bench.records import Settings
from bnfold.bench.rows import Comparison
from bnfold.bench.statistics import FEWEST_PROCESSES, judge, ratio_interval, sentence

if TYPE_CHECKING:
    from bnfold.bench.model_files import ModelFile
    from bnfold.bench.place import MeasuringPlace

PAIRS_IN_A_PROCESS = 4


def measure_processes(
    place: MeasuringPlace,
    subjects: Sequence[ModelFile],
    settings: Settings,
    *,
    on_share: Callable[[float], None] = lambda share: None,
) -> list[Comparison]:
    """Each further subject against the first one there; `on_share` is told how far it is.

    Raises:
        ModelError: a model does not load or run there.
    """
    shares = shared_out(settings)
    reports = []
    for i, pairs in enumerate(shares):
        details = {
            "pairs": pairs,
            "seconds": None if settings.duration_s is None else settings.duration_s / len(shares),
            "warm_up": settings.warm_up,
            # Processes far apart: within one, each rival adds its place to the seed.
            "seed": settings.seed + 1009 * i,
        }

        def on_step(done: int, total: int, before: int = i) -> None:
            on_share((before + done / max(total, 1)) / len(shares))

        reports.append(place.ask("pairs", subjects, details, on_step=on_step))
    null = _joined(report["null"] for report in reports)
    processes = tuple(len(report["null"]) for report in reports)
    return [
        _judged(place, subjects, i, settings, reports, null, processes)
        for i in range(len(subjects) - 1)
    ]


def shared_out(settings: Settings) -> list[int | None]:
    """The pairs of each process; None where each finds out how many fit into its time.

    So few pairs that they do not reach for `FEWEST_PROCESSES` are measured in one.
    """
    if settings.pairs is None:
        return [None] * settings.processes
    count = min(settings.processes, settings.pairs // PAIRS_IN_A_PROCESS)
    if count < min(FEWEST_PROCESSES, settings.processes):
        count = 1
    each, more = divmod(settings.pairs, count)
    return [each + (i < more) for i in range(count)]


def fewer_processes(settings: Settings) -> tuple[str, ...]:
    """A sentence where so few pairs go into fewer processes than were asked for."""
    used = len(shared_out(settings))
    if used == settings.processes:
        return ()
    return (
        f"{settings.pairs} pairs are measured in {used} process{'es' if used > 1 else ''}, not in "
        f"{settings.processes}: each takes {PAIRS_IN_A_PROCESS} pairs or more, and below "
        f"{FEWEST_PROCESSES} processes there is no interval over them",
    )


def _judged(
    place: MeasuringPlace,
    subjects: Sequence[ModelFile],
    i: int,
    settings: Settings,
    reports: Sequence[dict[str, Any]],
    null_quads: tuple[Quad, ...],
    processes: tuple[int, ...],
) -> Comparison:
    quads = _joined(report["candidates"][i] for report in reports)
    null = ratio_interval(null_quads, seed=settings.seed, processes=processes)
    ratio = ratio_interval(quads, seed=settings.seed, processes=processes)
    verdict, reason = judge(ratio, null)
    shares = [report["interrupted"] for report in reports]
    return Comparison(
        **place.row,
        baseline=subjects[0].name,
        candidate=subjects[i + 1].name,
        verdict=verdict,
        sentence=sentence(verdict, ratio),
        reason=reason,
        ratio=ratio,
        null=null,
        runs_per_block=sorted(report["runs_per_block"] for report in reports)[len(reports) // 2],
        quads=quads,
        null_quads=null_quads,
        interrupted=None if None in shares else sum(shares) / len(shares),
        processes=processes,
    )


def _joined(parts: Any) -> tuple[Quad, ...]:
    return tuple(Quad(quad["order"], tuple(quad["ms"])) for part in parts for quad in part)
