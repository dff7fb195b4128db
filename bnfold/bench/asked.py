"""What was asked of a measurement, checked before anything is opened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bnfold.bench.protocol import BLOCK_MS
from bnfold.bench.records import Settings
from bnfold.bench.statistics import CONFIDENCE, MARGIN, RESOLUTION
from bnfold.errors import UsageError
from bnfold.peers.optimised import known

PAIRS = 40
PROCESSES = 9
LEVELS = ("all", "none")
FEWEST_PAIRS = 5

_MOST = 2**31 - 1  # of a count, as onnxruntime holds it


def each_of(numbers: int | Sequence[int] | None) -> tuple[int, ...]:
    """The numbers, each once; none where nothing was said."""
    if numbers is None:
        return ()
    return tuple(dict.fromkeys([numbers] if isinstance(numbers, int) else numbers))


def checked(
    *,
    providers: Sequence[str],
    levels: Sequence[str] | None,
    threads: tuple[int, ...],
    batch: tuple[int, ...],
    pairs: int | None,
    duration: float | None,
    processes: int | None,
    warm_up: int,
    streams: int,
    inter_threads: int,
    session_options: Mapping[str, str],
    seed: int,
    against: Sequence[str] = (),
    floor: bool = False,
    cuda_graph: bool = False,
) -> Settings:
    """The settings, each name and number once; the usual ones where nothing was said.

    Raises:
        UsageError: one of them makes no sense.
    """
    levels = LEVELS if levels is None else levels
    processes = PROCESSES if processes is None else processes
    _require_names(providers, levels)
    least = [
        *(("threads", value, 1) for value in threads),
        *(("batch", value, 1) for value in batch),
        ("pairs", PAIRS if pairs is None else pairs, FEWEST_PAIRS),
        ("processes", processes, 1),
        ("warm_up", warm_up, 0),
        ("streams", streams, 0),
        ("inter_threads", inter_threads, 1),
        ("seed", seed, 0),
    ]
    for name, value, lowest in least:
        if value < lowest:
            raise UsageError(f"{name} must be at least {lowest}, not {value}")
        if value > _MOST and name != "seed":  # NumPy takes a seed of any length
            raise UsageError(f"{name} must be at most {_MOST}, not {value}")
    if pairs is not None and duration is not None:
        raise UsageError("pairs and duration both say how long to measure: give one of them")
    if duration is not None and not (duration > 0 and math.isfinite(duration)):
        raise UsageError(f"duration must be a number of seconds above 0, not {duration:g}")
    _require_graph(providers, streams, cuda_graph)
    return Settings(
        providers=tuple(providers),
        levels=tuple(levels),
        threads=threads or (1,),
        batch=batch,
        pairs=None if duration is not None else PAIRS if pairs is None else pairs,
        duration_s=duration,
        processes=processes,
        warm_up=warm_up,
        streams=streams,
        inter_threads=inter_threads,
        session_options=tuple((str(k), str(v)) for k, v in session_options.items()),
        seed=seed,
        block_ms=BLOCK_MS,
        confidence=CONFIDENCE,
        resolution=RESOLUTION,
        margin=MARGIN,
        against=known(against),
        floor=floor,
        cuda_graph=cuda_graph,
    )


def _require_graph(providers: Sequence[str], streams: int, cuda_graph: bool) -> None:
    """Returns where CUDA graphs are not asked for, or can be."""
    if cuda_graph and tuple(providers) != ("cuda",):
        raise UsageError("CUDA graphs are of the provider 'cuda': ask for that one alone")
    if cuda_graph and streams:
        raise UsageError("a CUDA graph has the addresses of one run: leave the streams out")


def _require_names(providers: Sequence[str], levels: Sequence[str]) -> None:
    from bnfold.runtime import engine
    from bnfold.runtime.sessions import engine_errors

    for values, what in ((providers, "provider"), (levels, "optimisation level")):
        if not values:
            raise UsageError(
                f"no {what} in {values!r}: providers and levels are lists of at least one name"
            )
    with engine_errors():
        for level in levels:
            engine.require_level(level)
    for provider in providers:
        if provider not in engine.PROVIDERS:
            known = ", ".join(engine.PROVIDERS)
            raise UsageError(f"unknown provider {provider!r}: choose from {known}")
