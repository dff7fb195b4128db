"""`bnfold.verify`: two models in, a verdict with its evidence out."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from bnfold import arguments
from bnfold.logs import logged
from bnfold.model_io import ModelSource
from bnfold.progress import Progress
from bnfold.runtime.blas_threads import one_blas_thread
from bnfold.runtime.bounds import table_sizes
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import require_setting
from bnfold.verify.comparing import ComparisonJob, FirstRuns
from bnfold.verify.drawn_ids import DrawnIds
from bnfold.verify.further import (
    compare_further,
    compare_without_casts,
    compare_without_steps,
    fed_nan,
    look_at,
)
from bnfold.verify.half import half_of
from bnfold.verify.inner_decisions import with_decisions
from bnfold.verify.levels import LEVELS, usual_levels
from bnfold.verify.pairing import TorchCode, pair
from bnfold.verify.reach import is_near_0
from bnfold.verify.records import Verification
from bnfold.verify.rerun import has_numbers
from bnfold.verify.save_data import save_feeds
from bnfold.verify.structure import difference_sentence
from bnfold.verify.subject import OnnxSubject
from bnfold.verify.user_data import Data

if TYPE_CHECKING:
    import torch


@logged
@one_blas_thread()
def verify(
    a: ModelSource | torch.nn.Module,
    b: ModelSource,
    *,
    data: Data | None = None,
    samples: int | None = None,
    seed: int = 0,
    providers: str | Sequence[str] = ("cpu",),
    levels: str | Sequence[str] | None = None,
    dims: Mapping[str, int] | None = None,
    names: Mapping[str, str] | None = None,
    repair: str | Collection[str] = (),
    as_dtype: str | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    save_data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    weights_key: str | None = None,
    trust: bool = False,
    progress: Progress | None = None,
) -> Verification:
    """Whether `b` computes what `a` computes, up to the rounding that `a` itself has.

    Args:
        a: the original: a path, a ModelProto, an onnx_ir.Model, a torch module, or what
            `bnfold.export` takes (`package.module:factory`, `file.py:factory`, a .pt2 program).
        b: the other model, as ONNX.
        data: inputs to compare on: a .npz, a .npy, a folder of `test_data_set_*`, arrays by name,
            or an iterable of those. Without it, inputs are made up from the graph and the seed.
        samples: how many sets of inputs at most. By default 8 made-up ones, with more that are
            looked for where these reach too little; or all of the data.
        seed: of the made-up inputs and of the original's neighbours.
        providers: "cpu", "cuda"; each is judged by itself, one alone may be a plain string.
        levels: of the runtime's optimisations, "none", "basic", "extended", "all"; each is judged
            by itself too. "none" and "all", and of models from 1 GiB on "none" alone, as
            onnxruntime takes twice their weights to open them at "all".
        dims: sizes of dynamic dimensions of made-up inputs, by name or as "INPUT:AXIS".
        names: what inputs and outputs of `a` are called in `b`, where that is something else.
        repair: mistakes of an exporter that are mended in `a` first, by name, as `fold` takes them:
            what a repaired fold is compared with.
        as_dtype: "float16" or "bfloat16": `b` is a half-precision copy of `a`, and may be off by
            what the rounding of `a` to that costs.
        custom_ops: shared libraries with operators for onnxruntime.
        save_data: a folder to write the inputs and the original's outputs to.
        weights: of `a`, where that is torch code: a `.safetensors` or `.pt` file.
        weights_key: which set of weights in that file, where several fit: "model_ema".
        trust: a `.pt2` program may run code of its author, which reading one does; without, it is
            refused.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        ModelError: a model is malformed, or the weights do not fit it.
        DataError: the data does not fit; the message names the input.
        UsageError: a setting, a repair or a dynamic dimension that there is not; a program that
            nobody trusts; weights for what has its own; `as_dtype` for what is no ONNX model in
            float32.
        ProviderUnavailableError: a provider does not run here.
    """
    if samples is not None:
        samples = arguments.whole("samples", samples, least=1)
    seed = arguments.whole("seed", seed, least=0)
    begun = perf_counter()
    libraries = arguments.paths("custom_ops", custom_ops)
    providers = arguments.names("providers", providers)
    levels = None if levels is None else arguments.names("levels", levels)
    require_setting(providers, LEVELS if levels is None else levels, libraries)
    models = pair(
        a,
        b,
        has_custom_ops=bool(libraries),
        code=TorchCode(weights, weights_key, trust),
        names=arguments.by_name("names", names or {}),
        repair=frozenset(arguments.names("repair", repair)),
        half=None if as_dtype is None else half_of(as_dtype),
    )
    levels = usual_levels(models) if levels is None else levels
    job = ComparisonJob(
        models,
        Setting(providers[0], levels[0], custom_ops=libraries, for_values=True),
        levels,
        seed,
        progress,
        DrawnIds(
            table_sizes(models.onnx_models[0].model, models.inputs),
            table_sizes(models.onnx_models[0].model, models.inputs, kinds="f"),
        ),
    )
    found = _compared(
        job,
        providers,
        levels,
        data=data,
        samples=samples,
        dims=arguments.by_name("dims", dims or {}),
        save_data=save_data,
    )
    return replace(found, seconds=perf_counter() - begun)


def _compared(
    job: ComparisonJob,
    providers: Sequence[str],
    levels: Sequence[str],
    *,
    data: Data | None,
    samples: int | None,
    dims: Mapping[str, int],
    save_data: str | os.PathLike[str] | None,
) -> Verification:
    models = job.pair
    fatal = difference_sentence(models.structure)
    if fatal is not None:
        return job.unmeasured("different", fatal)
    random = models.randomness()
    if random is not None:
        return job.unmeasured(
            "inconclusive",
            f"{random} draws random numbers in every run, so not even the original agrees with "
            "itself; export the model for inference",
        )
    if isinstance(models.original, OnnxSubject):
        models.original.require_room_for_sessions(levels)
    if data is None:
        job = job.with_ranks(dims)
    first = job.on_generated(samples, dims) if data is None else job.on_data(data, samples)
    if save_data is not None:
        save_feeds(save_data, first.feeds, models.returned, first.runs)
    if models.original.is_random(first.feeds[0].arrays):
        return job.unmeasured(
            "inconclusive", f"{models.original.name} answers differently each time (it is random)"
        )
    if not has_numbers(first.runs):
        reason = "the original itself gives only NaN or Inf on these inputs; give it other data"
        feeds = tuple(feed.row() for feed in first.feeds)
        return replace(job.unmeasured("inconclusive", reason), feeds=feeds)
    first = job.with_scores(first)
    found = with_decisions(job, job.compare(first, is_user_data=data is not None), first)
    found = compare_without_casts(job, compare_without_steps(job, found, first), first)
    if found.is_equivalent and data is None and samples is None:
        found = fed_nan(job, compare_further(job, found, first, dims), first)
    elif found.is_followed:
        look_at(job, first)
    for provider in providers[1:]:
        if found.is_equivalent:
            found = job.compare_on(provider, first, found, is_user_data=data is not None)
    return job.covered(but_for_rest(found, first), is_user_data=data is not None)


def but_for_rest(found: Verification, first: FirstRuns) -> Verification:
    """What was found; inconclusive, where all that agrees, or does not, may be outputs at rest.

    One that never moves says nothing of what makes it, and a difference there is one, unless the
    original has 0 there and the other model next to that: nobody knows of what that is rounding.
    """
    bad = [row for row in found.outputs if not row.is_within]
    is_open = bad and all(row.name in first.resting_at_0 and is_near_0(row) for row in bad)
    if not first.resting or not (found.is_equivalent or is_open):
        return found
    at_rest = ", ".join(map(repr, first.resting))
    reason = (
        f"output {at_rest} is the same on all inputs that were made up, so they tell nothing of "
        "what makes it; give data on which it changes"
    )
    return replace(found, verdict="inconclusive", reason=reason, location=None)
