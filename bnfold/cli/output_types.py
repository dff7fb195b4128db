"""Parameters that name what is written. Each knows the files, and what it may replace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from bnfold.cli import file_kinds
from bnfold.cli.file_type import FileType
from bnfold.cli.paths import file_path, require_target
from bnfold.errors import ModelError, UsageError

STDOUT = "-"


class Target(FileType):
    """A file that is written.

    Attributes:
        noun: what comes to be there, for a sentence.
        is_report: it tells of one run; what an earlier run has left there is stale.
        is_folder: it is a folder of several files.
        may_be: the parameter whose file this one may replace.
    """

    noun = "a file"
    is_report = True
    is_folder = False
    may_be: str | None = None

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value as the command gets it: a path."""
        return Path(value) if self.is_folder else file_path(str(value))

    def require(self, value: Any) -> None:
        """Returns where it can be written, as far as folders go.

        Raises:
            UsageError: it cannot; the sentence says why.
        """
        self.refuse_stdout(value)
        require_target(value)

    def refuse_stdout(self, value: Any) -> None:
        """Returns where the value is not `-`.

        Raises:
            UsageError: it is.
        """
        if str(value) == STDOUT:
            raise UsageError(f"'-': {self.noun} does not go to stdout; name a file or folder")

    def files(self, value: Any) -> Iterable[Path]:
        """Every file that is written, or may be."""
        return [value]

    def claimed(self, value: Any) -> Iterable[Path]:
        """What nothing else may be written to."""
        return self.files(value)

    def is_ours(self, path: Path, value: Any) -> bool:
        """Whether the file at `path`, one of `files`, is of the kind that comes to be there."""
        raise NotImplementedError

    def told_of(self, failure: str) -> str | None:
        """What the file says where the work has failed; None where it has no words for it."""
        return None


class TargetRecord(Target):
    """JSON, in a file or on stdout."""

    noun = "a JSON record"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text: `-` is stdout."""
        return value

    def require(self, value: Any) -> None:
        """Returns where it can be written."""
        if value != STDOUT:
            require_target(file_path(value))

    def files(self, value: Any) -> Iterable[Path]:
        """The file, if it is one."""
        return [] if value == STDOUT else [Path(value)]

    def is_ours(self, path: Path, value: Any) -> bool:
        """A record."""
        return file_kinds.is_record(path)


class TargetText(Target):
    """A file of one kind, which is told by what it holds.

    Args:
        noun: what comes to be there.
        is_kind: whether what is at a path is of that kind, and ours.
        told_of: what the file says of a failure, where it has words for it.
        is_report: it tells of one run.
    """

    def __init__(
        self,
        noun: str,
        is_kind: Callable[[Path], bool],
        *,
        told_of: Callable[[str], str] | None = None,
        is_report: bool = True,
    ) -> None:
        self.noun = noun
        self.is_report = is_report
        self._is_kind = is_kind
        self._told_of = told_of

    def is_ours(self, path: Path, value: Any) -> bool:
        """Whether it is of the kind."""
        return self._is_kind(path)

    def told_of(self, failure: str) -> str | None:
        """What the kind says of it."""
        return None if self._told_of is None else self._told_of(failure)


def _junit_error(failure: str) -> str:
    from bnfold.report.junit import junit_error

    return junit_error(failure)


PAGE = TargetText("an HTML page", file_kinds.is_page)
JUNIT = TargetText("a JUnit report", file_kinds.is_junit, told_of=_junit_error)
PLOT = TargetText("a plot", file_kinds.is_plot)
MARKDOWN = TargetText("a Markdown report", file_kinds.is_markdown)
TABLE = TargetText("a CSV table", file_kinds.is_table)
STATE = TargetText("the state of a tuning", file_kinds.is_record, is_report=False)


class TargetModel(Target):
    """An ONNX model, which may need a second file for its data."""

    noun = "an ONNX model"
    is_report = False

    def __init__(self, may_be: str | None = None) -> None:
        self.may_be = may_be

    def require(self, value: Any) -> None:
        """Returns where it can be written.

        Raises:
            UsageError: it cannot; the sentence says why.
        """
        super().require(value)
        if value.exists() and not value.is_file():
            raise UsageError(f"{value}: is not a regular file; a model needs one")

    def files(self, value: Any) -> Iterable[Path]:
        """The model, and the file beside it for external data."""
        return with_data(value)

    def is_ours(self, path: Path, value: Any) -> bool:
        """A model, or the data of the model that is there."""
        return file_kinds.is_model(path) if path == value else is_data_of(path, value)


def with_data(model: Path) -> list[Path]:
    """A model that is written, and the file in which its external data would be."""
    return [model, model.with_name(f"{model.name}.data")]


def is_data_of(path: Path, model: Path) -> bool:
    """Whether the file holds external data of the model."""
    from bnfold.model_io import files_of

    try:
        return path in files_of(model)[1:]
    except ModelError:
        return False
