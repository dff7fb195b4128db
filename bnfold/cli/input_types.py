"""Parameters that name what is read. Each knows the files that stand behind its value."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from bnfold.cli.file_type import FileType
from bnfold.errors import ModelError, UsageError, nearest
from bnfold.torch_files import SUFFIXES, torch_file

NETWORKS = (".py", ".pt2")


class InputType(FileType):
    """A value that is read; none of its files may be written to by the same command."""

    def require(self, value: Any) -> None:
        """Returns where there may be something to read, as far as a look at names tells.

        Raises:
            UsageError: there is not; the sentence says what may be meant.
        """
        require_there(Path(value))

    def files(self, value: Any) -> Iterable[Path]:
        """Every file that is read for this value, as far as that can be told beforehand."""
        return [value]

    def records(self, value: Any) -> list[dict[str, Any]]:
        """What a record keeps of them: path, size and hash."""
        from bnfold.report.envelope import file_record

        return [file_record(file) for file in self.files(value) if file.is_file()]


class SourceFile(InputType):
    """A file of weights, or a library."""

    def require(self, value: Any) -> None:
        """Returns where it is a file, and no folder."""
        if value.is_dir():
            raise UsageError(f"{value}: is a folder; name a file in it")
        require_there(value)


class SourceModel(InputType):
    """An ONNX model, with its external data."""

    def require(self, value: Any) -> None:
        """Returns where it may be a model; code and weights are told what they are for."""
        if not value.exists() or value.suffix != ".onnx":
            refuse_network(str(value))
        require_there(value)

    def files(self, value: Any) -> Iterable[Path]:
        """The model and its external data; of what is no model, the file alone."""
        from bnfold.model_io import files_of

        try:
            return files_of(value)
        except ModelError:
            return [value]

    def records(self, value: Any) -> list[dict[str, Any]]:
        """The model; its hash covers the external data."""
        from bnfold.report.envelope import model_record

        return [model_record(value)]


class SourceFleet(InputType):
    """Models by paths, folders, patterns or URLs."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it was written."""
        return value

    def require(self, value: Any) -> None:
        """Returns where something fits it; a store is asked later."""
        if "://" not in value and not list(self.files(value)):
            require_there(Path(value))

    def files(self, value: Any) -> Iterable[Path]:
        """Every model that fits and is in a folder here, with its external data."""
        from bnfold.sweep.finding import in_folders

        paths = [] if "://" in value else map(Path, in_folders(value))
        return [file for path in paths for file in SourceModel().files(path)]


class SourceData(InputType):
    """A file of arrays, or a folder of test data."""

    def require(self, value: Any) -> None:
        """Returns where there are arrays; whether they fit is asked once the model is known."""
        super().require(value)
        from bnfold.verify.user_data import require_readable

        require_readable(value)

    def files(self, value: Any) -> Iterable[Path]:
        """The file; or the folder with its test data."""
        return [value, *value.glob("*.pb"), *value.glob("test_data_set_*/*.pb")]


class SourceInput(InputType):
    """`NAME:SHAPE` or `NAME:F.npy`."""

    name = "text"

    def require(self, value: Any) -> None:
        """Returns where no file is meant, or one that is there."""
        file = value.partition(":")[2] or value
        if file.endswith(".npy"):
            SourceFile().require(Path(file))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it was written."""
        return value

    def files(self, value: Any) -> Iterable[Path]:
        """The file that it names, if it names one."""
        return [Path(value.partition(":")[2] or value)]


class SourceNetwork(InputType):
    """An ONNX model, a .pt2 program, or code: `path/file.py:factory`, `package.module:factory`."""

    name = "text"

    def require(self, value: Any) -> None:
        """Returns where it is code, or a file that is there."""
        place, colon, _ = value.rpartition(":")
        file = place if colon and place.endswith(".py") else value
        if Path(file).suffix in (".onnx", *NETWORKS, *SUFFIXES):
            require_there(Path(file))
        if Path(file).suffix not in NETWORKS:
            require_no_torch_file(Path(file))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it was written."""
        return value

    def files(self, value: Any) -> Iterable[Path]:
        """The model with its data, the program, or the files of the code that it names."""
        if Path(value).exists():
            return SourceModel().files(Path(value))
        place, colon, _ = value.rpartition(":")
        if not colon or not place:
            return []
        return [Path(place)] if place.endswith(".py") else _files_of_module(place)

    def records(self, value: Any) -> list[dict[str, Any]]:
        """The model; or each file of the program or the code."""
        is_model = Path(value).is_file() and not value.endswith(".pt2")
        return SourceModel().records(Path(value)) if is_model else super().records(value)


def require_there(path: Path) -> None:
    """Returns where there is such a file, with something in it to read, or such a folder.

    Raises:
        UsageError: there is not; a file with a name like it is told.
        DataError: it is empty, a pipe or a device, or must not be read.
    """
    if path.exists():
        from bnfold.model_io import require_file

        if not path.is_dir():
            require_file(path)
        return
    alike: dict[str, str] = {}
    if path.parent.is_dir():
        alike = {p.stem: p.name for p in path.parent.iterdir() if _is_like(p, path)}
    near = nearest(path.stem, alike)
    meant = "" if near is None else f"; did you mean '{path.with_name(alike[near])}'?"
    raise UsageError(f"{path}: no such file{'' if path.suffix else ' or folder'}{meant}")


def _is_like(other: Path, path: Path) -> bool:
    return other.suffix == path.suffix and other.name != path.name  # a link to nothing is there


def require_no_torch_file(path: Path) -> None:
    """Returns where the file is none that torch has written.

    Raises:
        UsageError: it is; the sentence has its kind, and what to do with it.
    """
    found = torch_file(path)
    if found is not None:
        raise UsageError(found.as_network)


def refuse_network(name: str) -> None:
    """Returns where the name is not that of torch code, a program or weights.

    Raises:
        UsageError: it is one of these, with the commands that take it.
    """
    place, colon, factory = name.rpartition(":")
    suffix = Path(name).suffix
    if suffix not in NETWORKS:
        require_no_torch_file(Path(name))
    is_code = bool(colon and place and factory.isidentifier())
    if not is_code and suffix not in NETWORKS:
        return
    spec = f"{name}:FACTORY" if suffix == ".py" else name
    raise UsageError(
        f"{name} is {'a program' if suffix == '.pt2' else 'code'} and not an ONNX model; "
        f"'bnfold run {spec} -o DIR' exports, folds, verifies and times it, "
        f"'bnfold export {spec} -o OUT.onnx' writes the model"
    )


def _files_of_module(name: str) -> Iterator[Path]:
    """Where Python would find the module and the packages around it; nothing is imported."""
    parts = name.split(".")
    for folder in [Path.cwd(), *map(Path, sys.path)]:
        for depth in range(1, len(parts) + 1):
            there = folder.joinpath(*parts[:depth])
            for file in (there.with_suffix(".py"), there / "__init__.py"):
                if file.is_file():
                    yield file
