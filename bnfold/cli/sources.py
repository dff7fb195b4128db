"""Parameters that name what is read. Each knows the files that stand behind its value."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from bnfold.cli.file_type import FileType
from bnfold.errors import ModelError


class Source(FileType):
    """A value that is read; none of its files may be written to by the same command."""

    def files(self, value: Any) -> Iterable[Path]:
        """Every file that is read for this value, as far as that can be told beforehand."""
        return [value]


class SourceFile(Source):
    """A file of weights, or a library."""


class SourceModel(Source):
    """An ONNX model, with its external data."""

    def files(self, value: Any) -> Iterable[Path]:
        """The model and its external data; of what is no model, the file alone."""
        from bnfold.model_io import files_of

        try:
            return files_of(value)
        except ModelError:
            return [value]


class SourceData(Source):
    """A file of arrays, or a folder of test data."""

    def files(self, value: Any) -> Iterable[Path]:
        """The file; or the folder with its test data."""
        return [value, *value.glob("*.pb"), *value.glob("test_data_set_*/*.pb")]


class SourceInput(Source):
    """`NAME:SHAPE` or `NAME:F.npy`."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it was written."""
        return value

    def files(self, value: Any) -> Iterable[Path]:
        """The file that it names, if it names one."""
        _, _, file = value.partition(":")
        return [Path(file)] if file else []


class SourceNetwork(Source):
    """An ONNX model, a .pt2 program, or code: `path/file.py:factory`, `package.module:factory`."""

    name = "text"

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


def _files_of_module(name: str) -> Iterator[Path]:
    """Where Python would find the module and the packages around it; nothing is imported."""
    parts = name.split(".")
    for folder in [Path.cwd(), *map(Path, sys.path)]:
        for depth in range(1, len(parts) + 1):
            there = folder.joinpath(*parts[:depth])
            for file in (there.with_suffix(".py"), there / "__init__.py"):
                if file.is_file():
                    yield file
