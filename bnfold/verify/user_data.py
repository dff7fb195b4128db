"""The user's own inputs: files or arrays in, feeds that fit the model out."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError

from bnfold.errors import DataError
from bnfold.model_io import require_file
from bnfold.runtime.signature import Array, TensorSpec, numpy_dtype
from bnfold.verify.feeds import Feed

Sample = Mapping[str, npt.ArrayLike]
Data = str | os.PathLike[str] | Sample | Array | Iterable[Sample | Array]

CHUNK = 32
"""Rows fed at once where the batch is dynamic: bounds the memory that activations take."""


def user_feeds(data: Data, specs: Sequence[TensorSpec], samples: int | None) -> list[Feed]:
    """The feeds in the order of the data, at most `samples` of them.

    Long batches are cut into pieces that the model takes. Floats are converted to the input's
    precision, and integers to its width where they fit.

    Raises:
        DataError: something is missing or does not fit; the message names the input, what it
            wants and what it got.
    """
    feeds: list[Feed] = []
    for origin, sample in _samples(data, specs):
        fitted = {spec.name: _fitted(origin, spec, sample) for spec in specs}
        _refuse_strangers(origin, sample, specs)
        for piece in _pieces(fitted, specs):
            problem = next(filter(None, (spec.misfit(piece[spec.name]) for spec in specs)), None)
            if problem is not None:
                raise DataError(f"{origin}: {problem}")
            feeds.append(Feed(f"{len(feeds)}: {origin}", "data", piece))
            if samples is not None and len(feeds) == samples:
                return feeds
    if not feeds:
        raise DataError("the data is empty: there is nothing to compare the models on")
    return feeds


def require_readable(data: Data | None) -> None:
    """Returns where the data is none, is in memory, or is a file or folder of arrays, by its looks.

    Raises:
        DataError: it is missing or something else.
    """
    if not isinstance(data, str | os.PathLike):
        return
    path = Path(data)
    if path.is_dir():
        if not any(path.glob("test_data_set_*")) and not any(path.glob("input_*.pb")):
            raise DataError(f"{path}: has no input_0.pb, and no test_data_set_* with one")
        return
    with _reading(path):
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            loaded.close()


def require_fitting(data: Data | None, specs: Sequence[TensorSpec]) -> None:
    """Returns where the data is none, or gives feeds; what can be read but once is left for later.

    Raises:
        DataError: see `user_feeds`.
    """
    if data is not None and not isinstance(data, Iterator):
        user_feeds(data, specs, samples=None)


def _samples(data: Data, specs: Sequence[TensorSpec]) -> Iterator[tuple[str, Sample]]:
    if isinstance(data, str | os.PathLike):
        yield from _from_path(Path(data), specs)
    elif isinstance(data, Mapping):
        yield "data", data
    elif isinstance(data, np.ndarray):
        yield "data", _only_input(data, specs, "an array")
    elif not isinstance(data, Iterable):
        raise DataError(f"data is a path, arrays by name, or several of those, not {data!r}")
    else:
        for index, item in enumerate(data):
            is_named = isinstance(item, Mapping)
            sample = item if is_named else _only_input(np.asarray(item), specs, "an array")
            yield f"data[{index}]", sample


def _from_path(path: Path, specs: Sequence[TensorSpec]) -> Iterator[tuple[str, Sample]]:
    if path.is_dir():
        yield from _from_folder(path, specs)
        return
    with _reading(path):
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            yield path.name, _only_input(loaded, specs, f"{path.name}, a .npy,")
        else:
            with loaded:
                yield path.name, {name: loaded[name] for name in loaded.files}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong with a file of arrays inside is told in a sentence."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix not in (".npz", ".npy"):
        raise DataError(f"{path}: data is a .npz, a .npy, or a folder of test_data_set_*")
    require_file(path)
    try:
        yield
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as arrays: {error}") from error


def _from_folder(path: Path, specs: Sequence[TensorSpec]) -> Iterator[tuple[str, Sample]]:
    """ONNX test data: `input_0.pb`, `input_1.pb`, ... in `test_data_set_0`, `_1`, ..."""
    folders = sorted(path.glob("test_data_set_*"), key=_number) or [path]
    for folder in folders:
        files = sorted(folder.glob("input_*.pb"), key=_number)
        if not files:
            raise DataError(
                f"{folder}: has no input_0.pb; a test_data_set_* folder has one an input"
            )
        if len(files) != len(specs):
            raise DataError(f"{folder}: has {len(files)} inputs, the model wants {len(specs)}")
        tensors = [_tensor(file) for file in files]
        names = {spec.name for spec in specs}
        is_named = {tensor.name for tensor in tensors} == names
        yield (
            folder.name,
            {
                tensor.name if is_named else spec.name: onnx.numpy_helper.to_array(tensor)
                for tensor, spec in zip(tensors, specs, strict=True)
            },
        )


def _tensor(file: Path) -> onnx.TensorProto:
    require_file(file)
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(file.read_bytes())
    except (DecodeError, OSError) as error:
        raise DataError(f"{file}: is no ONNX tensor: {error}") from error
    return tensor


def _number(path: Path) -> tuple[int, str]:
    digits = path.stem.rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 0, path.name)


def _only_input(array: Array, specs: Sequence[TensorSpec], what: str) -> Sample:
    if len(specs) != 1:
        names = ", ".join(spec.name for spec in specs)
        raise DataError(f"{what} fits one input, the model has {len(specs)}: name them ({names})")
    return {specs[0].name: array}


def _fitted(origin: str, spec: TensorSpec, sample: Sample) -> Array:
    if spec.name not in sample:
        has = ", ".join(sample) or "nothing"
        raise DataError(f"{origin}: input {spec.name!r} ({spec}) is missing; the data has {has}")
    array = np.asarray(sample[spec.name])
    wanted = numpy_dtype(spec.dtype)
    if array.dtype == wanted:
        return array
    if array.dtype.kind == "f" and wanted.kind not in "biuSUO":
        return array.astype(wanted)
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        converted = array.astype(wanted)
        if np.array_equal(converted, array):
            return converted
    return array  # `TensorSpec.misfit` says what is wrong with it


def _refuse_strangers(origin: str, sample: Sample, specs: Sequence[TensorSpec]) -> None:
    names = [spec.name for spec in specs]
    strangers = [name for name in sample if name not in names]
    if strangers:
        has = ", ".join(names)
        raise DataError(f"{origin}: the model has no input {strangers[0]!r}; it has {has}")


def _pieces(sample: dict[str, Array], specs: Sequence[TensorSpec]) -> Iterator[dict[str, Array]]:
    """The sample itself, or slices of the batch axis that all its inputs share."""
    rows = {array.shape[0] for array in sample.values() if array.ndim}
    batches = {spec.dims[0] for spec in specs if spec.dims}
    total = rows.pop() if len(rows) == 1 else 0
    fixed = {batch for batch in batches if isinstance(batch, int)}
    size = CHUNK if not fixed else fixed.pop() if len(batches) == 1 else total
    has_ranks = all(spec.dims is not None for spec in specs)  # else the first axis may be anything
    if not has_ranks or not size or total <= size or (total % size and fixed):
        yield sample
        return
    for start in range(0, total, size):
        yield {name: array[start : start + size] for name, array in sample.items()}
