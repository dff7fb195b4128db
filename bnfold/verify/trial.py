"""Feeds that the original really takes: generated ones are tried, in other shapes if need be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bnfold.errors import DataError
from bnfold.verify.feeds import Bounds, Feed, kind_of, make_feed, symbol_sizes
from bnfold.verify.runtime import RunError
from bnfold.verify.signature import Array, TensorSpec, is_exact_dtype
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
    """
    failed: dict[tuple[int, ...], RunError] = {}
    feeds, runs = [], []
    for index in range(samples):
        kind, batch, turn = kind_of(index)
        for sizes in _shapes(specs, dims, batch, turn):
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
    specs: Sequence[TensorSpec], dims: Mapping[str, int], batch: int, turn: int
) -> Iterator[dict[str, int]]:
    for rows in dict.fromkeys((batch, 1)):
        for step in range(_TURNS):
            yield symbol_sizes(specs, dims, rows, turn + step)
