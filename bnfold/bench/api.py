"""`bench`: the one call that measures models against each other."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bnfold.bench.environment import disturbances, doubts, environment
from bnfold.bench.protocol import BLOCK_MS
from bnfold.bench.records import BenchInput, BenchResult, Settings
from bnfold.bench.schedule import Schedule
from bnfold.bench.statistics import CONFIDENCE, MARGIN, RESOLUTION
from bnfold.errors import UsageError
from bnfold.progress import Progress
from bnfold.runtime.sessions import names_of, require_setting

if TYPE_CHECKING:
    import os

    from bnfold.bench.model_files import ModelSource
    from bnfold.verify.user_data import Data


def bench(
    models: ModelSource | Sequence[ModelSource],
    *,
    providers: str | Sequence[str] = ("cpu",),
    threads: int = 1,
    batch: int = 1,
    levels: str | Sequence[str] = ("all", "none"),
    pairs: int = 40,
    seed: int = 0,
    data: Data | None = None,
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    profile: bool = False,
    progress: Progress | None = None,
) -> BenchResult:
    """Every model is compared with the first one, and measured alone in a process of its own.

    Args:
        models: paths or models in memory; the first is the baseline, one alone, in a list or not,
            is only measured.
        providers: "cpu", "cuda"; the first is the headline, one alone may be a plain string.
        threads: threads inside one operator.
        batch: the size of a dynamic first dimension.
        levels: onnxruntime's optimisations, "all", "extended", "basic", "none"; the first is the
            headline, "none" stands for runtimes that optimise little.
        pairs: the number of paired measurements per comparison, fixed beforehand.
        seed: of the random inputs and of the bootstrap.
        data: what to time on, in place of random numbers: arrays by input name, or what
            `bnfold.verify` takes, of which the first set is used.
        dims: sizes of further dynamic dimensions, by name or as "INPUT:AXIS".
        custom_ops: shared libraries with operators for onnxruntime.
        profile: also sum up the time per operator.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        UsageError: a setting, or a dynamic dimension without a size.
        ModelError: a model that cannot be read, does not run, or wants other inputs than the first.
        DataError: `data` that does not fit.
        InconclusiveError: a model with a Loop does not end.
        ProviderUnavailableError: a provider that does not really run here.
    """
    # Imported here: the process that measures one model alone imports this package, but not onnx.
    from bnfold.bench.inputs import InputSizes, given_arrays, make_feeds
    from bnfold.bench.model_files import described, model_files, require_end, same_files
    from bnfold.runtime.engine import Setting

    providers, levels = names_of(providers), names_of(levels)
    settings = _checked(providers, levels, threads=threads, batch=batch, pairs=pairs, seed=seed)
    facts = environment(with_gpu="cuda" in providers)
    libraries = tuple(map(str, custom_ops))
    require_setting(providers, levels, libraries)
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        found = model_files(_several(models), Path(folder))
        given = {} if data is None else given_arrays(found[0], data, batch)
        feeds = make_feeds(found[0], given=given, sizes=InputSizes(batch, dims or {}), seed=seed)
        require_end(found, feeds.arrays, Setting(providers[0], custom_ops=libraries))
        schedule = Schedule(
            found,
            feeds.arrays,
            settings,
            libraries=libraries,
            with_profile=profile,
            progress=progress,
        )
        isolated, comparisons = schedule.isolated(), schedule.comparisons()
        measured = tuple(described(s, is_baseline=s is found[0]) for s in found)
        return BenchResult(
            models=measured,
            inputs=tuple(
                BenchInput(name, array.dtype.name, array.shape, _source(name in given))
                for name, array in feeds.arrays.items()
            ),
            isolated=isolated,
            comparisons=comparisons,
            profiles=schedule.profiles(),
            notes=(
                *same_files(measured),
                *doubts(facts, threads=threads),
                *disturbances(comparisons),
                *feeds.notes,
            ),
            settings=settings,
            environment=facts,
        )


def _several(models: ModelSource | Sequence[ModelSource]) -> Sequence[ModelSource]:
    is_list = isinstance(models, Sequence) and not isinstance(models, str)
    return models if is_list else [models]  # type: ignore[list-item, return-value]


def _source(is_given: bool) -> Literal["random", "given"]:
    return "given" if is_given else "random"


def _checked(
    providers: tuple[str, ...],
    levels: tuple[str, ...],
    *,
    threads: int,
    batch: int,
    pairs: int,
    seed: int,
) -> Settings:
    for name, value, least in (
        ("threads", threads, 1),
        ("batch", batch, 1),
        ("pairs", pairs, 5),
        ("seed", seed, 0),
    ):
        if value < least:
            raise UsageError(f"{name} must be at least {least}, not {value}")
    require_setting(providers, levels)
    return Settings(
        providers=providers,
        levels=levels,
        threads=threads,
        batch=batch,
        pairs=pairs,
        seed=seed,
        block_ms=BLOCK_MS,
        confidence=CONFIDENCE,
        resolution=RESOLUTION,
        margin=MARGIN,
    )
