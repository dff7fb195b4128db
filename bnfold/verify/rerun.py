"""Feeds that the original really takes: generated ones are tried, in other shapes if need be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import onnx_ir as ir

from bnfold.errors import DataError
from bnfold.runtime.arrays import DOMAINS
from bnfold.runtime.bounds import Bounds
from bnfold.runtime.extents import Extent, chosen_sizes, open_extents, shape_of
from bnfold.runtime.fitting import USUAL
from bnfold.runtime.large_integers import LargeIntegers
from bnfold.runtime.model_fitting import fitting_sizes
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array, TensorSpec, is_exact_dtype
from bnfold.runtime.told_integers import ToldIntegers
from bnfold.verify.feeds import (
    LONG,
    LONGEST,
    SMALL,
    TURNS,
    Draw,
    Feed,
    kind_of,
    make_feed,
    sampled_sizes,
)
from bnfold.verify.ids import outside
from bnfold.verify.non_finite import gives_infinities
from bnfold.verify.subject import Runner
from bnfold.verify.tree_rows import fed_rows, tree_rows

Trial = tuple[Feed, list[Array]]
"""A feed, and the original's outputs on it."""

_REACHING = (
    *(("pixels", 0), ("large", 0), ("negative pixels", 0), ("huge", 0), ("faint", 0)),
    *(("halves", 0), ("normal", LONG)),
)
"""Kinds of sets, and indices of shapes, to try where the usual ones leave something at rest."""

_ROWS = 16

_MANY_ROWS = 4096
"""As many rows are tried last: of ten normal numbers one in 250 rows has one below 1e-3."""

_FITTED = 6000  # of trials of sizes that fit what a constant fixes

_SEEN_ROWS = 1024

_EXTRA = 1000  # their index starts here

CLIMBING = 2000  # and here that of sets that a search finds

_LARGE, _SIZED, _CHOSEN = 3000, 4000, 5000  # of large integers, other extents, and chosen ones

_OUTSIDE, _LEFT = 7000, 8000  # of ids outside of their tables, and of those not drawn yet

_SETS_OF_IDS = 8

_OFFSETS = 9000  # of maps with brighter and darker channels

_TREES = 11_000  # of rows that meet the leaves of trees

_TURNING = 10_000  # of loops that turn more often

_SETS_OF_OFFSETS, _ROWS_OF_OFFSETS = 4, 4

_MOST = 1 << 23  # numbers in a set of sizes that are chosen here: 3 x 1024 x 1024 fit

_EXTENTS = (2, 3, 4, 5, 6, 8, 16, 17, 24, 32, 48, 63)
"""Extents for all open axes behind the batch: strides up to 32 make 1 of some of them."""


def _finite(trial: Trial | None) -> Iterator[Trial]:
    """The set, where there is one and the original is finite on it."""
    if trial is not None and is_finite(trial[1]):
        yield trial


@dataclass
class Maker:
    """Makes feeds for a graph up, and remembers what it did not take.

    A graph may take fewer shapes than its symbolic dimensions promise (a U-Net wants multiples of
    its stride, a Reshape may have the batch built in), so shapes that fail give way to others. It
    may be defined on a part of the numbers only (Log, Sqrt, Asin), so numbers that give NaN or Inf
    give way to others too.

    Attributes:
        runner: the original.
        specs: its inputs.
        seed: of the numbers.
        dims: sizes of open extents, by name or place.
        bounds: where integers are drawn from: those of all sets, those of some, those of others.
        told: how integers are drawn in some sets, and where the graph takes none of those.
        large: which integers may be any.
        is_narrow: there is half precision in it, of which huge numbers are almost the largest.
        placed: the original with places, see `runtime.model_fitting`; None for a module.
        infinite: by kind, a set that gave way to another as the original gives infinities on it.
    """

    runner: Runner
    specs: Sequence[TensorSpec]
    seed: int
    dims: Mapping[str, int]
    bounds: tuple[Bounds, Bounds, Bounds]
    told: ToldIntegers = field(default_factory=dict)
    large: LargeIntegers = field(default_factory=LargeIntegers)
    is_narrow: bool = False
    placed: Callable[[], tuple[ir.Model, Runner]] | None = None
    infinite: dict[str, Feed] = field(default_factory=dict)
    _extents: Sequence[Extent] = field(init=False)
    _failed: dict[tuple[int, ...], RunError] = field(default_factory=dict)
    _domains: tuple[str, ...] = tuple(DOMAINS)
    _has_run: bool = False
    _is_fitted: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where an input has no rank."""
        self._extents = open_extents(self.specs)

    def sets(self, samples: int) -> list[Trial]:
        """At most so many feeds with the original's outputs on each.

        Raises:
            DataError: the original runs on none of the shapes.
            UsageError: `dims` has what is no dynamic dimension.
        """
        found = [trial for i in range(samples) if (trial := self._set(i, *kind_of(i))) is not None]
        if not found and self._failed:
            why = next(iter(self._failed.values()))
            raise DataError(f"no inputs could be made up ({why}); give data, or pin dimensions")
        return found

    def reaching(self) -> Iterator[Trial]:
        """Sets of numbers that reach further than the usual ones, where the original is finite.

        Rows of a few numbers come in larger batches: one row seldom meets more than one side.
        """
        has_maps = any(spec.dims is None or len(spec.dims) > 2 for spec in self.specs)
        sets = [
            (i, kind, 1 if has_maps else _ROWS, turn)
            for i, (kind, turn) in enumerate(_REACHING)
            if not (self.is_narrow and kind == "huge")
        ]
        if not has_maps:
            sets.append((len(_REACHING) + 1, "normal", _MANY_ROWS, 0))
        for i, kind, rows, turn in sets:
            yield from _finite(self._set(_EXTRA + i, kind, rows, turn))

    def with_offsets(self) -> Iterator[Trial]:
        """Sets of maps whose channels are brighter or darker as a whole, as pictures are.

        What a mean of random pixels hides, deep units wake by.
        """
        if any(spec.dims is None or len(spec.dims) > 2 for spec in self.specs):
            for index in range(_OFFSETS, _OFFSETS + _SETS_OF_OFFSETS):
                yield from _finite(self._set(index, "offset", _ROWS_OF_OFFSETS, 0))

    def many_rows(self, most: int) -> Iterator[Trial]:
        """A set of hundreds of small rows, by which a faint channel is seen in many numbers.

        At most so many.
        """
        sizes = sampled_sizes(self._extents, self.dims, 1, SMALL)
        rows = min(most, _SEEN_ROWS, _MOST // max(1, self._numbers(sizes)))
        yield from _finite(self._set(_EXTRA + 100, "normal", rows, SMALL))

    def small(self) -> tuple[Feed, bool] | None:
        """A small set, and whether its inputs have one batch, of 1 here, which may be anything."""
        trial = self._set(CLIMBING, "normal", 1, SMALL)
        if trial is None or not is_finite(trial[1]):
            return None
        sizes = sampled_sizes(self._extents, self.dims, _ROWS, SMALL)
        return trial[0], all(sizes.get(f"{spec.name}:0") == _ROWS for spec in self.specs)

    def with_large_integers(self) -> Iterator[Trial]:
        """Sets with integers that narrower types do not hold, where the graph takes that."""
        base = self._set(_LARGE, "normal", _ROWS, 0) if self.large.names else None
        if base is None:
            return
        rngs = [np.random.default_rng([self.seed, _LARGE, index]) for index in range(3)]
        drawn = {
            "large integers": self.large.anywhere(base[0].arrays, rngs[0], is_signed=True),
            "large integers from 0 up": self.large.anywhere(
                base[0].arrays, rngs[1], is_signed=False
            ),
            "large integers side by side": self.large.together(base[0].arrays, rngs[2]),
        }
        for index, (name, arrays) in enumerate(drawn.items()):
            trial = self.tried(name, "integers", arrays, _LARGE + index)
            if trial is not None:
                yield trial

    def with_ids_outside(self, tables: Mapping[str, int]) -> Iterator[Trial]:
        """Sets with ids outside of the tables that inputs index, where the graph takes that."""
        base = self._set(_OUTSIDE, "normal", _ROWS, 0) if tables else None
        if base is None:
            return
        for place, (name, rows) in enumerate(tables.items()):
            rng = np.random.default_rng([self.seed, _OUTSIDE, place])
            kinds = outside(base[0].arrays[name], rows, rng)
            for index, (words, sets) in enumerate(kinds, _OUTSIDE + 2 * place):
                named = f"ids of {name!r} {words}"
                fed = ({**base[0].arrays, name: array} for array in sets)
                trials = (self.tried(named, "ids", arrays, index) for arrays in fed)
                trial = next(filter(None, trials), None)
                if trial is not None:
                    yield trial

    def with_ids_left(self, left: Mapping[str, Array], most_rows: int) -> Iterator[Trial]:
        """Sets that draw the rows of tables which no set has drawn: a few, of at most so many rows.

        Args:
            left: the ids of those rows, by input.
            most_rows: of a set, where its batch is open.
        """
        one = self._set(_LEFT, "normal", 1, SMALL) if left else None
        if one is None:
            return
        held = max(1, min(one[0].arrays[name].size for name in left))
        rows = -(-max(ids.size for ids in left.values()) // held)
        base = self._set(_LEFT, "normal", min(rows, most_rows), SMALL) or one
        if min(base[0].arrays[name].size for name in left) * _SETS_OF_IDS < rows * held:
            base = self._set(_LEFT, "normal", min(rows, most_rows), LONGEST) or base
        for index in range(_SETS_OF_IDS):
            arrays = dict(base[0].arrays)
            for name, ids in left.items():
                size, kind = arrays[name].size, arrays[name]
                part = ids[index * size : (index + 1) * size]
                if part.size:
                    arrays[name] = np.resize(part, kind.shape).astype(kind.dtype)
            if all(arrays[name] is base[0].arrays[name] for name in left):
                return
            trial = self.tried("ids that no set has", "ids", arrays, _LEFT + index)
            if trial is not None:
                yield trial

    @property
    def extents(self) -> Sequence[Extent]:
        """Those that are open, and that the caller has not sized."""
        return [e for e in self._extents if not {e.place, e.label} & self.dims.keys()]

    def with_sizes(self, chosen: Sequence[Mapping[str, int]]) -> Iterator[Trial]:
        """Sets of these sizes, by place, as far as the original takes them."""
        for index, some in enumerate(chosen):
            sizes = chosen_sizes(self._extents, {**self.dims, **some}, partial(_behind_two_rows, 2))
            if self._numbers(sizes) > _MOST:
                continue
            yield from _finite(self._drawn(sizes, "normal", _CHOSEN + index))

    def with_tree_rows(self, models: Sequence[ir.Model]) -> Iterator[Trial]:
        """Sets of rows that meet the leaves of decision trees, see `tree_rows`."""
        rng = np.random.default_rng([self.seed, _TREES])
        index = _TREES
        for columns, rows in tree_rows(models, rng):
            base = self._set(_TREES, "normal", len(rows), SMALL) if len(rows) else None
            if base is None:
                continue
            count = max(1, min(len(base[0].arrays[c.input]) for c in columns))
            for start in range(0, min(len(rows), _SETS_OF_IDS * count), count):
                fed = fed_rows(columns, rows[start : start + count], base[0].arrays)
                trial = self.tried("rows that meet leaves", "trees", fed, index)
                index += 1
                if trial is not None:
                    yield trial

    def with_turns(self, chosen: Sequence[Mapping[str, int]]) -> Iterator[Trial]:
        """Sets with these numbers for whole inputs, which say how often loops turn."""
        base = self._set(_TURNING, "normal", 2, SMALL) if chosen else None
        if base is None:
            return
        for index, some in enumerate(chosen, _TURNING):
            fed = {n: np.full_like(base[0].arrays[n], turns) for n, turns in some.items()}
            trial = self.tried("more turns of a loop", "turns", {**base[0].arrays, **fed}, index)
            if trial is not None:
                yield trial

    def with_other_extents(self) -> Iterator[Trial]:
        """Sets of all extents behind the batch that may come to 1 somewhere, small ones first."""
        if all(extent.axis == 0 for extent in self._extents):
            return
        for index, size in enumerate(_EXTENTS):
            sizes = chosen_sizes(self._extents, self.dims, partial(_behind_two_rows, size))
            if tuple(sizes.values()) not in self._failed:
                yield from _finite(self._drawn(sizes, "normal", _SIZED + index))

    def tried(self, name: str, kind: str, arrays: Mapping[str, Array], index: int) -> Trial | None:
        """The arrays as a set; None where the original does not take them, or is not finite."""
        with suppress(RunError):
            run = self.runner.run(arrays)
            feed = Feed(f"{index}: {name}", kind, arrays, (self.seed, index))
            return (feed, run) if is_finite(run) else None
        return None

    def again(self, feed: Feed) -> Trial | None:
        """The feed with other numbers in the same shapes; None where the original fails on them."""
        sizes = {
            extent.place: feed.arrays[extent.input].shape[extent.axis] for extent in self._extents
        }
        return self._drawn(sizes, "normal", _EXTRA + len(_REACHING))

    def _set(self, index: int, kind: str, batch: int, turn: int) -> Trial | None:
        trial = self._of_usual_sizes(index, kind, batch, turn)
        if trial is None and not self._has_run and not self._is_fitted:
            self._is_fitted = True
            self._fit()
            trial = self._of_usual_sizes(index, kind, batch, turn)
        return trial

    def _fit(self) -> None:
        """Open extents have sizes with which the graph runs, if such are found.

        A constant further in may fix them: a Reshape to 9216 numbers behind H x W, or a Gemm. The
        batch stays open where it may be another one.
        """
        start = {extent.label: 16 if extent.axis else 1 for extent in self.extents}
        found = list(self._fitting(start)) if start else []
        if found:
            fixed = {
                e.label for e in self.extents if e.axis or found[0][e.label] == found[-1][e.label]
            }
            self.dims = {**self.dims, **{label: found[0][label] for label in fixed}}

    def _fitting(self, start: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
        """Sizes of all open extents; of a module, those behind the batch are alike."""
        if self.placed is not None:
            model, runner = self.placed()
            yield from fitting_sizes(model, self.extents, start, replace(self, runner=runner)._run)
            return
        behind = [extent.label for extent in self.extents if extent.axis]
        tried = ({**start, **dict.fromkeys(behind, size)} for size in USUAL if behind)
        first = next((sizes for sizes in tried if self._takes(sizes)), None)
        if first is not None:
            yield first
            others = {**dict.fromkeys(start, 2), **{label: first[label] for label in behind}}
            if self._takes(others):
                yield others

    def _takes(self, chosen: Mapping[str, int]) -> bool:
        """Whether the graph runs at such sizes."""
        with suppress(RunError, DataError):
            self._run(chosen)
            return True
        return False

    def _run(self, chosen: Mapping[str, int]) -> None:
        """Runs the graph at such sizes, once.

        Raises:
            RunError: it does not take them.
            DataError: they come to too many numbers.
        """
        sizes = chosen_sizes(self._extents, {**self.dims, **chosen}, lambda _: 1)
        if self._numbers(sizes) > _MOST:
            raise DataError(f"{sizes} come to more numbers than are tried")
        if self._drawn(sizes, "normal", _FITTED) is None:
            raise self._failed[tuple(sizes.values())]

    def _numbers(self, sizes: Mapping[str, int]) -> int:
        """How many all inputs of these sizes have."""
        return sum(math.prod(shape_of(spec, sizes)) for spec in self.specs)

    def _of_usual_sizes(self, index: int, kind: str, batch: int, turn: int) -> Trial | None:
        for rows in dict.fromkeys((batch, 1)):
            steps = range(TURNS)
            choices = [sampled_sizes(self._extents, self.dims, rows, turn + i) for i in steps]
            # Five open axes of 64 are a billion numbers, and no image.
            small = [sizes for sizes in choices if self._numbers(sizes) <= _MOST]
            for sizes in small or choices:
                key = tuple(sizes.values())
                if key in self._failed:
                    continue
                trial = self._drawn(sizes, kind, index)
                if trial is not None:
                    return trial
        return None

    def _drawn(self, sizes: Mapping[str, int], kind: str, index: int) -> Trial | None:
        """A feed on which the original is finite, if there is one; else one on which it runs."""
        first: Trial | None = None
        for domain in self._domains:
            for bounds, told in self._integers_of(index):
                draw = Draw(kind, index, self.seed, bounds, domain, told)
                feed = make_feed(self.specs, sizes, draw)
                try:
                    run = self.runner.run(feed.arrays)
                except RunError as error:
                    failure = error
                    continue
                self._has_run = True
                if is_finite(run):
                    if kind == "normal":  # the graph's domain, and not that of large numbers
                        self._domains = tuple(dict.fromkeys((domain, *self._domains)))
                    return feed, run
                if gives_infinities(run):
                    self.infinite.setdefault(kind, feed)
                first = first or (feed, run)
            if first is None:
                self._failed[tuple(sizes.values())] = failure
                return None
        self._domains = self._domains[:1]  # none helps
        return first

    def _integers_of(self, index: int) -> list[tuple[Bounds, ToldIntegers]]:
        """How to draw integers for a set, in the order in which that is tried."""
        usual, *wide = self.bounds
        chosen = {1: wide[0], 2: wide[1]}.get(index % 3, usual)
        by_graph: list[tuple[Bounds, ToldIntegers]] = [(chosen, {})]
        if chosen != usual:
            by_graph.append((usual, {}))
        if not self.told:
            return by_graph
        as_told = (usual, self.told)
        return [as_told, *by_graph] if index and index % 3 == 0 else [*by_graph, as_told]


def _behind_two_rows(size: int, extent: Extent) -> int:
    return size if extent.axis else 2


def is_finite(run: Sequence[Array]) -> bool:
    """Whether each float output of a run is finite everywhere."""
    return all(
        bool(np.isfinite(array.astype(np.float64)).all())
        for array in run
        if not is_exact_dtype(array.dtype)
    )


def has_numbers(runs: Sequence[Sequence[Array]]) -> bool:
    """Whether each float output is finite somewhere, or empty: else nothing can be compared."""
    return all(
        any(bool(np.isfinite(array.astype(np.float64)).any()) for array in output if array.size)
        or not any(array.size for array in output)
        for output in zip(*runs, strict=True)
        if not is_exact_dtype(output[0].dtype)
    )
