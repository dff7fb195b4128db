"""`bench`: the one call that measures models against each other."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfold import arguments
from bnfold.bench.asked import checked, each_of
from bnfold.bench.environment import device_facts, disagreements, disturbances, doubts, environment
from bnfold.bench.pairs import fewer_processes
from bnfold.bench.records import BenchResult
from bnfold.bench.schedule import Schedule
from bnfold.bench.sparing import sparing
from bnfold.errors import UsageError
from bnfold.logs import logged
from bnfold.progress import Progress
from bnfold.runtime.sessions import require_setting

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike

    from bnfold.bench.int8 import Int8
    from bnfold.bench.model_files import ModelFile
    from bnfold.bench.since import Earlier
    from bnfold.model_io import ModelSource
    from bnfold.verify.feeds import Feed
    from bnfold.verify.user_data import Data


@logged
def bench(
    models: ModelSource | Sequence[ModelSource],
    *,
    providers: str | Sequence[str] = ("cpu",),
    threads: int | Sequence[int] = 1,
    batch: int | Sequence[int] | None = None,
    levels: str | Sequence[str] | None = None,
    pairs: int | None = None,
    duration: float | None = None,
    processes: int | None = None,
    warm_up: int = 3,
    streams: int = 0,
    inter_threads: int = 1,
    session_options: Mapping[str, str] | None = None,
    pythons: Sequence[str | os.PathLike[str]] = (),
    seed: int = 0,
    data: Data | None = None,
    int8: Data | None = None,
    labels: ArrayLike | None = None,
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    against: str | Sequence[str] = (),
    floor: bool = False,
    exported: ModelSource | None = None,
    baseline: str | os.PathLike[str] | None = None,
    cuda_graph: bool = False,
    profile: bool = False,
    progress: Progress | None = None,
) -> BenchResult:
    """Every model is compared with the first one, and measured alone in processes of its own.

    Args:
        models: paths or models in memory; the first is the baseline, one alone, in a list or not,
            is only measured.
        providers: "cpu", "cuda"; the first is the headline, one alone may be a plain string.
        threads: threads inside one operator; several numbers are measured one after the other.
        batch: the size of a dynamic first dimension, or several; 1 where nothing else says.
        levels: onnxruntime's optimisations, "all", "extended", "basic", "none"; the first is the
            headline, "none" stands for runtimes that optimise little; "all" and "none", and of
            models from 1 GiB on "none" alone, as each session at "all" holds weights of its own.
        pairs: the number of paired measurements per comparison, fixed beforehand; 40, and of models
            from 1 GiB on as many as fit into a minute, three at least.
        duration: seconds of paired measurements per comparison, in place of `pairs`; how many that
            is, each process finds out before it measures.
        processes: how many processes the pairs are spread over, at most; 9, and of models from
            1 GiB on one.
        warm_up: runs before the first one that is timed.
        streams: so many threads run a model at once, and its throughput is told; 0 for none.
        inter_threads: threads for operators side by side; more than one runs them so.
        session_options: further entries of onnxruntime's session configuration.
        pythons: interpreters with an onnxruntime of their own to measure with, in place of this
            one; a model that one of them does not load is a row of its own.
        seed: of the random inputs and of the bootstrap.
        data: what to time on, in place of random numbers: arrays by input name, or what
            `bnfold.verify` takes, of which the first set is used.
        int8: calibration data, in the forms of `data`: all models are quantised with it by
            onnxruntime's static quantiser (QDQ, per channel), timed so, and compared with the
            float baseline on it.
        labels: the class of each row of `int8`, for the share of rows that are right.
        dims: sizes of further dynamic dimensions, by name or as "INPUT:AXIS".
        custom_ops: shared libraries with operators for onnxruntime.
        against: other optimisers, "ort", "onnxsim", "onnxslim", "onnxoptimizer", "onnxscript",
            "openvino": each takes the first model, and is timed in the same pairs. One that is not
            installed, fails, or changes what the model computes is told in `peers`.
        floor: also time the first model with its batch norms deleted, which is what a perfect fold
            could reach; `taxes` tells how much of what they cost is gone.
        exported: the same network as its exporter writes it by default, timed beside the others.
        baseline: the JSON record of an earlier measurement: `since` holds each figure against the
            one of then. One of another machine or runtime is told in a note, and not compared.
        cuda_graph: the provider "cuda" launches a run as one captured graph.
        profile: also sum up the time per operator.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        UsageError: a setting, a dynamic dimension without a size, or a Python that cannot measure.
        ModelError: a model that cannot be read, does not run, or wants other inputs than the first.
        DataError: `data` that does not fit, or a `baseline` that is no such record.
        InconclusiveError: a model with a Loop does not end.
        ProviderUnavailableError: a provider that does not really run.
    """
    # Imported here: these need onnx, and whoever only reads a record does without.
    from bnfold.bench.contenders import contenders
    from bnfold.bench.floor import taxes
    from bnfold.bench.grid import Grid
    from bnfold.bench.model_files import described, model_files, require_end, same_files
    from bnfold.bench.since import earlier
    from bnfold.runtime.engine import Setting
    from bnfold.typed.room import require_room_to_open
    from bnfold.verify.user_data import user_feeds

    if labels is not None and int8 is None:
        raise UsageError("labels are of the rows of the int8 data: give that too")
    asked = checked(
        providers=arguments.names("providers", providers),
        levels=None if levels is None else arguments.names("levels", levels),
        threads=each_of(threads),
        batch=each_of(batch),
        pairs=pairs,
        duration=duration,
        processes=processes,
        warm_up=warm_up,
        streams=streams,
        inter_threads=inter_threads,
        session_options=session_options or {},
        seed=seed,
        against=arguments.names("against", against),
        floor=floor,
        cuda_graph=cuda_graph,
    )
    given = {"levels": levels, "processes": processes, "pairs": pairs or duration}
    said = [name for name, value in given.items() if value is not None]
    before = None if baseline is None else earlier(baseline)
    libraries = arguments.paths("custom_ops", custom_ops)
    if not pythons:
        require_setting(asked.providers, asked.levels, libraries)
    facts = environment(with_gpu="cuda" in asked.providers)
    with tempfile.TemporaryDirectory(prefix="bnfold-") as name:
        folder = Path(name)
        knows_more = bool(libraries or pythons)  # another runtime may have operators of its own
        found = model_files(_several(models), folder, has_custom_ops=knows_more)
        sizes_bytes = [model.size_bytes for model in found]
        asked = sparing(asked, found[0].name, max(sizes_bytes), said)
        if not pythons:
            twin = sizes_bytes[:1] if len(sizes_bytes) > 1 else []
            require_room_to_open([*twin, *sizes_bytes], asked.levels, found[0].name)
        grid = Grid(found, asked, folder, libraries, tuple(map(str, pythons)), data, dims or {})
        provider = "cpu" if pythons else asked.providers[0]
        require_end(found, grid.arrays, Setting(provider, custom_ops=libraries))
        calibration = None if int8 is None else user_feeds(int8, found[0].inputs, samples=None)
        joined = contenders(
            found,
            folder,
            against=asked.against,
            with_floor=floor,
            exported=exported,
            in_int8=int8 is not None,
            dims=dims or {},
            custom_ops=libraries,
        )
        quantised = (
            None
            if calibration is None
            else _quantised(joined.subjects, calibration, labels, folder)
        )
        timed = joined.subjects if quantised is None else quantised.subjects
        schedule = Schedule(
            timed,
            grid.places,
            asked,
            with_profile=profile,
            is_elsewhere=bool(pythons),
            progress=progress,
        )
        schedule.run()
        measured = tuple(map(described, timed))
        lowest = next((subject.name for subject in timed if subject.role == "floor"), "")
    isolated, comparisons = tuple(schedule.isolated), tuple(schedule.comparisons)
    found_now = BenchResult(
        models=measured,
        inputs=grid.inputs,
        isolated=isolated,
        comparisons=comparisons,
        profiles=tuple(schedule.profiles),
        failed=tuple(schedule.failed),
        runtimes=grid.runtimes,
        notes=(
            *same_files(measured),
            *doubts(facts, threads=max(asked.threads)),
            *disturbances(comparisons),
            *disagreements(comparisons, isolated),
            *device_facts(isolated),
            *(() if processes is None else fewer_processes(asked)),
            *grid.notes,
            *joined.notes,
            *(() if quantised is None else quantised.notes),
        ),
        int8=() if quantised is None else quantised.accuracies,
        taxes=taxes(comparisons, lowest),
        peers=joined.peers,
        settings=asked,
        environment=facts,
    )
    return found_now if before is None else _beside(before, found_now)


def _beside(before: Earlier, now: BenchResult) -> BenchResult:
    from bnfold.bench.since import missing, obstacles, since

    held = replace(now, since=since(before, now))
    return replace(held, notes=(*held.notes, *obstacles(before, now), *missing(before, held)))


def _quantised(
    found: Sequence[ModelFile], data: Sequence[Feed], labels: ArrayLike | None, folder: Path
) -> Int8:
    from bnfold.bench.int8 import in_int8

    return in_int8(
        found,
        [feed.arrays for feed in data],
        None if labels is None else np.asarray(labels),
        folder,
    )


def _several(models: ModelSource | Sequence[ModelSource]) -> Sequence[ModelSource]:
    is_list = isinstance(models, Sequence) and not isinstance(models, str)
    found: Any = models if is_list else [models]
    return list(found)
