"""What every source of data says of itself, and gives."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnfold.errors import MissingDependencyError

SPLIT_SEED = 20


@dataclass(frozen=True)
class Table:
    """Examples `inputs [N, ...]` in float32 with their `labels [N]` (int64)."""

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Table:
        return Table(self.inputs[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Source:
    """Where data comes from, and its examples: those held out, and the rest.

    Attributes:
        name: as recipes and `--data` spell it.
        shape: of one example.
        origin: who made it, and which package ships it.
        licence: of the data.
        read: gives what is held out, and the rest, in an order that never changes.
    """

    name: str
    shape: tuple[int, ...]
    origin: str
    licence: str
    read: Callable[[], tuple[Table, Table]]


def shuffled(table: Table) -> Table:
    """The examples in the one order that splits are made from."""
    # RandomState's streams are frozen by numpy's policy; those of default_rng may change.
    return table[np.random.RandomState(SPLIT_SEED).permutation(len(table))]


def folder_of(package: str, install: str) -> Path:
    """Where an installed package lies; it is not imported.

    Raises:
        MissingDependencyError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            f"the package {package}, which ships this data, is not installed: {install}"
        )
    return Path(spec.submodule_search_locations[0])
