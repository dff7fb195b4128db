"""Inputs written as ONNX test data, to replay a verification elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import onnx

from bnfold.errors import UsageError
from bnfold.runtime.signature import Array, TensorSpec
from bnfold.verify.feeds import Feed


def save_feeds(
    folder: str | os.PathLike[str],
    feeds: Sequence[Feed],
    outputs: Sequence[TensorSpec],
    runs: Sequence[Sequence[Array]],
) -> None:
    """`folder` has a `test_data_set_<i>` for each feed: its inputs, and the original's outputs.

    Raises:
        UsageError: the folder cannot be written, or has test data already.
    """
    root = Path(folder)
    if any(root.glob("test_data_set_*")):
        raise UsageError(f"{root}: has test data already; name a new folder")
    try:
        for index, (feed, run) in enumerate(zip(feeds, runs, strict=True)):
            target = root / f"test_data_set_{index}"
            target.mkdir(parents=True)
            _write(target, "input", list(feed.arrays), list(feed.arrays.values()))
            _write(target, "output", [spec.name for spec in outputs], run[: len(outputs)])
    except OSError as error:
        raise UsageError(f"{root}: cannot be written: {error.strerror}") from error


def _write(folder: Path, what: str, names: Sequence[str], arrays: Sequence[Array]) -> None:
    for index, (name, array) in enumerate(zip(names, arrays, strict=True)):
        tensor = onnx.numpy_helper.from_array(array, name)
        (folder / f"{what}_{index}.pb").write_bytes(tensor.SerializeToString())
