"""Everything that a measurement goes through: runtimes, settings, and inputs of each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from bnfold.bench.handed import write_archive
from bnfold.bench.inputs import Arrays, InputSizes, MadeFeeds, given_arrays, make_feeds
from bnfold.bench.interpreter import Interpreter, another_python, this_python
from bnfold.bench.model_files import ModelFile
from bnfold.bench.place import Fed, MeasuringPlace, stored
from bnfold.bench.records import BenchInput, Runtime, Settings
from bnfold.errors import UsageError
from bnfold.runtime.engine import Setting
from bnfold.verify.user_data import Data


class Grid:
    """The places to measure in, with what they are; the headline's come first.

    Attributes:
        runtimes: the Pythons that measure.
        places: each setting on each runtime, for each batch.
        inputs: as they are fed, for each batch.
        arrays: those of the first batch.
        notes: what had to be assumed.
    """

    def __init__(
        self,
        subjects: Sequence[ModelFile],
        asked: Settings,
        folder: Path,
        libraries: tuple[str, ...],
        pythons: tuple[str, ...],
        data: Data | None,
        dims: Mapping[str, int],
    ) -> None:
        """Makes the inputs and asks each Python for its versions.

        Raises:
            UsageError: a Python that cannot measure, a size that is missing or said twice.
            DataError: data that does not fit.
        """
        found = [another_python(path) for path in dict.fromkeys(pythons)] or [this_python()]
        self.runtimes = _named(found, is_own=not pythons)
        self.inputs: tuple[BenchInput, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.arrays: Arrays = {}
        all_fed = self._all_fed(subjects[0], asked, folder, data, dims)
        archive = write_archive(folder)
        self.places = [
            MeasuringPlace(runtime.path, archive, runtime.name if pythons else "", setting, fed)
            for provider in asked.providers
            for level in asked.levels
            for runtime in self.runtimes
            for threads in asked.threads
            for fed in all_fed
            for setting in [
                Setting(
                    provider,
                    level,
                    threads,
                    libraries,
                    inter_threads=asked.inter_threads,
                    session_options=asked.session_options,
                    cuda_graph=asked.cuda_graph,
                )
            ]
        ]

    def _all_fed(
        self,
        subject: ModelFile,
        asked: Settings,
        folder: Path,
        data: Data | None,
        dims: Mapping[str, int],
    ) -> list[Fed]:
        found: list[Fed] = []
        shapes: dict[tuple[tuple[int, ...], ...], int] = {}
        for batch in asked.batch or (None,):
            given = {} if data is None else given_arrays(subject, data, batch or 1)
            feeds = make_feeds(subject, given=given, sizes=InputSizes(batch, dims), seed=asked.seed)
            size = batch if batch is not None else _leading(feeds)
            key = tuple(array.shape for array in feeds.arrays.values())
            if key in shapes:
                raise UsageError(
                    f"batch {shapes[key]} and batch {size} are the same to {subject.name}: its "
                    f"inputs are fixed at {', '.join(str(list(shape)) for shape in key)}"
                )
            self.arrays = self.arrays if shapes else feeds.arrays
            shapes[key] = size
            found.append(stored(feeds.arrays, folder / f"feeds{size}.npz", batch=size))
            self.inputs += tuple(
                BenchInput(name, array.dtype.name, array.shape, _source(name in given), size)
                for name, array in feeds.arrays.items()
            )
            self.notes = tuple(dict.fromkeys((*self.notes, *feeds.notes)))
        return found


def _named(found: Sequence[Interpreter], *, is_own: bool) -> tuple[Runtime, ...]:
    """The runtimes, named by their version; by their path where that tells them not apart."""
    names = [f"onnxruntime {one.onnxruntime}" for one in found]
    return tuple(
        Runtime(
            name=name if names.count(name) == 1 or is_own else f"{name} ({one.path})",
            path=one.path,
            python=one.python,
            onnxruntime=one.onnxruntime,
            numpy=one.numpy,
        )
        for name, one in zip(names, found, strict=True)
    )


def _leading(feeds: MadeFeeds) -> int:
    """The size of the first dimension of the first input that has one."""
    ranked = [array for array in feeds.arrays.values() if np.ndim(array)]
    return int(ranked[0].shape[0]) if ranked else 1


def _source(is_given: bool) -> Literal["random", "given"]:
    return "given" if is_given else "random"
