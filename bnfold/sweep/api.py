"""The entry point: many models, one result, resumable."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import starmap
from pathlib import Path, PurePosixPath
from typing import Any

from bnfold import arguments
from bnfold.bench.asked import FEWEST_PAIRS
from bnfold.errors import UsageError
from bnfold.fold.rules import allowed
from bnfold.logs import logged
from bnfold.progress import Progress
from bnfold.runtime.sessions import require_setting
from bnfold.sweep.finding import found
from bnfold.sweep.journal import Journal
from bnfold.sweep.one_model import ModelJob, SweepSettings
from bnfold.sweep.records import Outcome, SweepResult
from bnfold.sweep.stores import is_url, path_in_url
from bnfold.sweep.timed import Timed, speed_page
from bnfold.sweep.workers import Done, run_here, run_on


@logged
def sweep(
    models: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
    verify: bool = True,
    samples: int | None = None,
    seed: int = 0,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    bench: bool = False,
    pairs: int | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    progress: Progress | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> SweepResult:
    """Every model is folded, verified and written, each with a page; one that fails stops no other.

    A folder that cannot be looked into is a failure of its own, after those of the models.

    A sweep that was stopped goes on where it was: what `output` has of a model with the same
    content, settings and version is kept. Failures are tried again.

    Timed is at the end, one model after another and on this machine, whatever has folded them: two
    measurements at once would disturb each other, and figures of several machines are no column.

    Args:
        models: paths, folders (every .onnx below), patterns such as "zoo/**/*.onnx", or URLs and
            patterns of a store that fsspec knows.
        output: the folder for the folded models, by their paths below the folder that all models
            share; and for `sweep.jsonl`, a line for each.
        allow: priced rewrites that each fold may use; see `bnfold.fold`.
        skip: rules to leave alone in each model.
        verify: compare each folded model with its original first; a different one is not written.
        samples: sets of made-up inputs for each; see `bnfold.verify`.
        seed: of these inputs, and of the timing.
        custom_ops: shared libraries with operators for onnxruntime.
        bench: time each folded model against its original, as `bnfold.bench` does.
        pairs: the number of paired measurements; see `bnfold.bench`.
        workers: processes on this machine; default: one for each core, fewer where memory is short.
        executor: where to run in place of these: any `concurrent.futures.Executor` whose workers
            see the same files.
        force: replace files in `output` that no sweep has written.
        progress: called with (done, total, what) for each model.
        on_outcome: called with each outcome as it comes, in whatever order; once more when it is
            timed.

    Raises:
        UsageError: nothing fits a pattern, a store cannot be opened, a target is an input,
            another's target or somebody's file, or `allow` has an unknown name.
        MissingDependencyError: a URL, and fsspec, or what it needs for that store, is not there.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers={workers}: at least one is needed")
    if pairs is not None:
        _require_pairs(pairs, bench)
    names = _paths(models)
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder")
    journal = Journal(folder)
    past = journal.past()
    # A pattern may find the folder of the results too.
    results = {os.path.realpath(target) for target in past.targets}
    looked = found(names)
    sources = [
        source
        for source in looked.models
        if is_url(source) or os.path.realpath(source) not in results
    ]
    libraries = tuple(
        str(Path(library).absolute()) for library in arguments.paths("custom_ops", custom_ops)
    )
    require_setting(["cpu"], ["none"], libraries)
    settings = SweepSettings(_words(allow), _words(skip), verify, samples, seed, libraries)
    allowed(settings.allow)
    jobs = [
        ModelJob(source, target, settings, past.outcomes.get(source))
        for source, target in zip(sources, _targets(sources, folder), strict=True)
    ]
    _require_free(jobs, past.targets, is_forced=force)
    folder.mkdir(parents=True, exist_ok=True)
    journal.begin(job.target for job in jobs)
    outcomes: dict[int, Outcome] = {}
    steps = 0

    def done(index: int, outcome: Outcome) -> None:
        nonlocal steps
        steps += 1
        outcomes[index] = outcome if bench else replace(outcome, speed=None)
        journal.add(replace(outcomes[index], is_kept=False))
        if on_outcome is not None:
            on_outcome(outcomes[index])
        if progress is not None:
            progress(steps, len(jobs) * (2 if bench else 1), outcome.source)

    if executor is None:
        run_here(jobs, workers, done)
    else:
        run_on(executor, jobs, done)
    if bench:
        _time(outcomes, pairs, settings, done)
    in_order = [outcomes[index] for index in range(len(jobs))]
    now = {outcome.source: replace(outcome, is_kept=False) for outcome in in_order}
    others = [outcome for name, outcome in past.outcomes.items() if name not in now]
    left = (str(job.target) for job in jobs if str(job.target) in past.targets and _is_left(job))
    journal.finish([*others, *now.values()], left)
    closed = starmap(_failure, looked.closed.items())
    return SweepResult((*in_order, *closed), tuple(_orphans(others)))


def _orphans(others: Iterable[Outcome]) -> Iterator[str]:
    for outcome in others:
        is_gone = not is_url(outcome.source) and not os.path.lexists(outcome.source)
        if is_gone and outcome.target is not None and Path(outcome.target).exists():
            yield outcome.target


def _failure(folder: str, reason: str) -> Outcome:
    return Outcome(folder, None, "failed", reason, exit_code=UsageError.exit_code)


def _time(
    outcomes: Mapping[int, Outcome], pairs: int | None, settings: SweepSettings, done: Done
) -> None:
    """Each model that has been folded is timed, in a process of its own, and no two at once."""
    folded = sorted(index for index, outcome in outcomes.items() if outcome.target is not None)
    seed, libraries = settings.seed, settings.custom_ops
    timed = [Timed(outcomes[index], pairs, seed, libraries) for index in folded]
    run_here(timed, 1, lambda place, outcome: done(folded[place], outcome))


def _require_pairs(pairs: int, bench: bool) -> None:
    if not bench:
        raise UsageError("pairs are of the timing: ask for bench too")
    if pairs < FEWEST_PAIRS:
        raise UsageError(f"pairs must be at least {FEWEST_PAIRS}, not {pairs}")


def _paths(models: Any) -> list[str]:
    several = isinstance(models, Iterable) and not isinstance(models, str | bytes)
    names = list(models) if several else [models]
    for name in names:
        if not isinstance(name, str | os.PathLike):
            kind = type(name).__name__
            raise UsageError(f"models are paths, patterns or URLs, not {kind}")
    return [os.fspath(name) for name in names]


def _words(given: str | Collection[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _targets(sources: Sequence[str], folder: Path) -> list[Path]:
    """Where each goes: at its path below the folder that all share."""
    paths = [
        path_in_url(source)
        if is_url(source)
        else PurePosixPath(Path(os.path.realpath(source)).as_posix())
        for source in sources
    ]
    shared = os.path.commonpath([path.parent for path in paths]) if paths else ""
    targets = [folder / path.relative_to(shared).with_suffix(".onnx") for path in paths]
    for path, count in Counter(path for target in targets for path in _files(target)).items():
        if count > 1:
            raise UsageError(f"{path}: several of the models would be written there")
    return targets


def _files(target: Path) -> tuple[Path, ...]:
    """What a sweep writes for one model, its external data excepted: the model, and its pages."""
    return target, target.with_suffix(".html"), speed_page(target)


def _is_left(job: ModelJob) -> bool:
    """Whether something of the model stands in the folder, its page for one."""
    return any(path.exists() for path in _files(job.target))


def _require_free(jobs: Sequence[ModelJob], ours: set[str], *, is_forced: bool) -> None:
    """Returns where every target is free, or an earlier sweep's.

    Raises:
        UsageError: one is an input, or a file of somebody else.
    """
    inputs = {os.path.realpath(job.source) for job in jobs if not is_url(job.source)}
    for job in jobs:
        files = _files(job.target)
        for target in (*files, job.target.with_name(f"{job.target.name}.data")):
            if os.path.realpath(target) in inputs:
                raise UsageError(f"{target}: this is one of the models, and would be lost")
        if is_forced or str(job.target) in ours:
            continue
        for target in files:
            if target.exists():
                raise UsageError(
                    f"{target}: is there already, and no sweep has written it; name a new folder, "
                    "or replace it with --force"
                )
