"""What the models are fed: the caller's arrays, else random ones of the right type and shape."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnfold.bench.model_files import ModelFile
from bnfold.errors import DataError, ModelError, UsageError
from bnfold.runtime.arrays import make_array
from bnfold.runtime.extents import Extent, chosen_sizes, open_extents, ranked, shape_of
from bnfold.runtime.signature import TensorSpec, numpy_dtype
from bnfold.runtime.told_integers import as_told
from bnfold.verify.user_data import Data, user_feeds

IMAGE_SIDE = 224
"""Height and width of an image input that leaves them open: what images are usually timed at."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class InputSizes:
    """Sizes of dynamic dimensions: `batch` for a first one that `dims` does not name, or 1.

    `dims` is keyed by the dimension's name ("length") or its place ("x:2").
    """

    batch: int | None
    dims: Mapping[str, int]


@dataclass(frozen=True)
class MadeFeeds:
    """Arrays for every input, and a sentence for each thing that had to be assumed."""

    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...]


def make_feeds(subject: ModelFile, *, given: Arrays, sizes: InputSizes, seed: int) -> MadeFeeds:
    """Arrays that the model can be run on; the same seed gives the same arrays.

    Args:
        subject: the model whose inputs are filled.
        given: arrays to use as they are; they must fit.
        sizes: of the dynamic dimensions.
        seed: of the random numbers.

    Raises:
        UsageError: a dimension has no size, or a size has no dimension.
        DataError: a given array does not fit.
        ModelError: an input is no tensor of numbers or booleans.
    """
    for spec in subject.inputs:
        _require_plain(subject, spec)
    arrays = {name: np.asarray(array) for name, array in given.items()}
    _require_fitting(subject, arrays)
    inputs = ranked(subject.inputs, sizes.dims)
    made = [spec for spec in inputs if spec.name not in arrays]
    batch = 1 if sizes.batch is None else sizes.batch
    notes = [note for spec in made for note in _fixed_batch(spec, batch)]
    # Those of given arrays come last: they are there to be named by `dims`, and decide nothing.
    rest = [spec for spec in inputs if spec.name in arrays and spec.dims is not None]
    extents = open_extents([*made, *rest])
    known = chosen_sizes(extents, sizes.dims, _choice(batch, set(arrays), notes))
    _require_one_batch(extents, known, sizes)
    rng = np.random.default_rng(seed)
    for spec in made:
        bounds = subject.bounds.get(spec.name, (0, 1))
        arrays[spec.name] = make_array(spec, shape_of(spec, known), "normal", rng, bounds)
    told = {spec.name: subject.told[spec.name] for spec in made if spec.name in subject.told}
    if told:
        arrays = as_told(arrays, told, rng)
        notes.append(f"integers as in the export: {', '.join(told)}")
    return MadeFeeds({spec.name: arrays[spec.name] for spec in subject.inputs}, tuple(notes))


def given_arrays(subject: ModelFile, data: Data, batch: int) -> Mapping[str, np.ndarray]:
    """The arrays by input name: as they are where they are named, else the first set of the data.

    Of that set, `batch` rows where the batch is dynamic and there are as many.

    Raises:
        DataError: the data cannot be read or does not fit.
    """
    if isinstance(data, Mapping):
        return {name: np.asarray(array) for name, array in data.items()}
    arrays = user_feeds(data, subject.inputs, samples=1)[0].arrays
    is_dynamic = all(spec.dims and not isinstance(spec.dims[0], int) for spec in subject.inputs)
    if is_dynamic and len({len(array) for array in arrays.values()}) == 1:
        return {name: array[:batch] for name, array in arrays.items()}
    return arrays


def _require_plain(subject: ModelFile, spec: TensorSpec) -> None:
    """Returns for a type of NumPy's own, which onnxruntime takes from NumPy."""
    dtype = None if spec.dtype == "string" else numpy_dtype(spec.dtype)
    if dtype is None or dtype.kind not in "fiub" or dtype.isbuiltin != 1:
        raise ModelError(
            f"{subject.name}: input {spec.name!r} is {spec.dtype}; "
            "bench feeds tensors of NumPy's own numbers and booleans"
        )


def _require_fitting(subject: ModelFile, given: Arrays) -> None:
    specs = {spec.name: spec for spec in subject.inputs}
    for name, array in given.items():
        if name not in specs:
            has = ", ".join(map(repr, specs))
            raise DataError(f"{subject.name}: it has no input {name!r}; it has {has}")
        problem = specs[name].misfit(array)
        if problem is not None:
            raise DataError(f"{subject.name}: {problem}")


def _choice(batch: int, given: Collection[str], notes: list[str]) -> Callable[[Extent], int]:
    """What an extent is that the caller does not size; an assumption is noted."""

    def choose(extent: Extent) -> int:
        if extent.axis == 0 or extent.input in given:
            return batch
        if extent.rank == 4 and extent.axis >= 2:
            notes.append(
                f"input {extent.input!r} leaves {extent.label!r} open: {IMAGE_SIDE} assumed"
            )
            return IMAGE_SIDE
        raise UsageError(
            f"input {extent.input!r} leaves dimension {extent.label!r} open; "
            "give it a size, or an array for this input"
        )

    return choose


def _require_one_batch(
    extents: Sequence[Extent], known: Mapping[str, int], sizes: InputSizes
) -> None:
    """Returns where `dims` gives no batch, or the one that was asked for."""
    for extent in extents:
        is_sized = extent.name in sizes.dims or extent.place in sizes.dims
        size = known[extent.place]
        if sizes.batch is not None and extent.axis == 0 and is_sized and size != sizes.batch:
            raise UsageError(
                f"batch {sizes.batch} and {extent.label} = {size} contradict each other: both are "
                f"the first dimension of input {extent.input!r}"
            )


def _fixed_batch(spec: TensorSpec, batch: int) -> list[str]:
    first = spec.dims[0] if spec.dims else None
    if not isinstance(first, int) or batch in (1, first):
        return []
    return [
        f"input {spec.name!r} fixes its first dimension at {first}: batch {batch} does not apply"
    ]
