"""Feeds that the original really takes: generated ones are tried, in other shapes if need be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bnfold.errors import DataError
from bnfold.runtime.bounds import Bounds
from bnfold.runtime.extents import Extent, open_extents
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array, TensorSpec, is_exact_dtype
from bnfold.verify.feeds import Feed, kind_of, make_feed, sampled_sizes
from bnfold.verify.subject import Runner

_TURNS = 6


def generated_feeds(
    runner: Runner,
    specs: Sequence[TensorSpec],
    *,
    samples: int,
    seed: int,
    dims: Mapping[str, int],
    bounds: Bounds,
) -> tuple[list[Feed], list[list[Array]]]:
    """At most `samples` feeds with the original's outputs on each.

    A graph may take fewer shapes than its symbolic dimensions promise (a U-Net wants multiples of
    its stride, a Reshape may have the batch built in), so shapes that fail give way to others.

    Raises:
        DataError: the original runs on none of the shapes.
        UsageError: an input has no rank, or `dims` has what is no dynamic dimension.
    """
    failed: dict[tuple[int, ...], RunError] = {}
    feeds, runs = [], []
    extents = open_extents(specs)
    for index in range(samples):
        kind, batch, turn = kind_of(index)
        for sizes in _shapes(extents, dims, batch, turn):
            key = tuple(sizes.values())
            if key in failed:
                continue
            feed = make_feed(specs, sizes, kind=kind, index=index, seed=seed, bounds=bounds)
            try:
                runs.append(runner.run(feed.arrays))
            except RunError as error:
                failed[key] = error
                continue
            feeds.append(feed)
            break
    if not feeds and failed:
        why = next(iter(failed.values()))
        raise DataError(f"no inputs could be made up ({why}); give data, or pin dimensions")
    return feeds, runs


def is_finite(run: Sequence[Array]) -> bool:
    """Whether each float output of a run is finite everywhere."""
    return all(
        bool(np.isfinite(array.astype(np.float64)).all())
        for array in run
        if not is_exact_dtype(array.dtype)
    )


def has_numbers(runs: Sequence[Sequence[Array]]) -> bool:
    """Whether each float output is finite somewhere: else there is nothing to compare."""
    return all(
        any(bool(np.isfinite(array.astype(np.float64)).any()) for array in output if array.size)
        for output in zip(*runs, strict=True)
        if not is_exact_dtype(output[0].dtype)
    )


def _shapes(
    extents: Sequence[Extent], dims: Mapping[str, int], batch: int, turn: int
) -> Iterator[dict[str, int]]:
    for rows in dict.fromkeys((batch, 1)):
        for step in range(_TURNS):
            yield sampled_sizes(extents, dims, rows, turn + step)
