"""Parameters that name what is written. Each knows the files, and what it may replace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from bnfold.cli import file_kinds
from bnfold.cli.file_type import FileType
from bnfold.cli.paths import require_new_folder, require_target
from bnfold.errors import ModelError, UsageError

STDOUT = "-"


class Target(FileType):
    """A file that is written.

    Attributes:
        noun: what comes to be there, for a sentence.
        is_report: it tells of one run; what an earlier run has left there is stale.
        may_be: the parameter whose file this one may replace.
    """

    noun = "a file"
    is_report = True
    may_be: str | None = None

    def require(self, value: Any) -> None:
        """Returns where it can be written, as far as folders go.

        Raises:
            UsageError: it cannot; the sentence says why.
        """
        self._refuse_stdout(value)
        require_target(value)

    def _refuse_stdout(self, value: Any) -> None:
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
            require_target(Path(value))

    def files(self, value: Any) -> Iterable[Path]:
        """The file, if it is one."""
        return [] if value == STDOUT else [Path(value)]

    def is_ours(self, path: Path, value: Any) -> bool:
        """A record."""
        return file_kinds.is_record(path)


class TargetPage(Target):
    """A page for a browser."""

    noun = "an HTML page"

    def is_ours(self, path: Path, value: Any) -> bool:
        """A page of ours."""
        return file_kinds.is_page(path)


class TargetJUnit(Target):
    """A JUnit report."""

    noun = "a JUnit report"

    def is_ours(self, path: Path, value: Any) -> bool:
        """A JUnit report of ours."""
        return file_kinds.is_junit(path)

    def told_of(self, failure: str) -> str | None:
        """A test case in error."""
        from bnfold.report.ci import junit_error

        return junit_error(failure)


class TargetPlot(Target):
    """A drawing of the timings."""

    noun = "a plot"

    def is_ours(self, path: Path, value: Any) -> bool:
        """A plot of ours."""
        return file_kinds.is_plot(path)


class TargetMarkdown(Target):
    """A report as Markdown."""

    noun = "a Markdown report"

    def is_ours(self, path: Path, value: Any) -> bool:
        """A report of ours."""
        return file_kinds.is_markdown(path)


class TargetTable(Target):
    """A table as CSV."""

    noun = "a CSV table"

    def is_ours(self, path: Path, value: Any) -> bool:
        """A table of ours."""
        return file_kinds.is_table(path)


class TargetState(Target):
    """What a tuning has measured so far; it goes on from there."""

    noun = "the state of a tuning"
    is_report = False

    def is_ours(self, path: Path, value: Any) -> bool:
        """A record of ours; the tuning says whether it is its own."""
        return file_kinds.is_record(path)


class TargetModel(Target):
    """An ONNX model, which may need a second file for its data."""

    noun = "an ONNX model"
    is_report = False

    def __init__(self, may_be: str | None = None) -> None:
        self.may_be = may_be

    def require(self, value: Any) -> None:
        """Returns where it can be written."""
        super().require(value)
        if value.exists() and not value.is_file():
            raise UsageError(f"{value}: is not a regular file; a model needs one")

    def files(self, value: Any) -> Iterable[Path]:
        """The model, and the file beside it for external data."""
        return with_data(value)

    def is_ours(self, path: Path, value: Any) -> bool:
        """A model, or the data of the model that is there."""
        return file_kinds.is_model(path) if path == value else _is_data_of(path, value)


class TargetRunFolder(Target):
    """The folder of a `run`, whose files are those of one run."""

    noun = "a result"
    is_report = False
    MODELS = ("original.onnx", "folded.onnx")
    REPORTS = ("report.json", "report.html")

    def require(self, value: Any) -> None:
        """Returns where the folder is there or can be made."""
        self._refuse_stdout(value)
        require_new_folder(value)

    def files(self, value: Any) -> Iterable[Path]:
        """All that a run may leave."""
        models = [path for name in self.MODELS for path in with_data(value / name)]
        return [*models, *(value / name for name in self.REPORTS)]

    def claimed(self, value: Any) -> Iterable[Path]:
        """The folder too: it is that of one run and nothing else."""
        return [value, *self.files(value)]

    def is_ours(self, path: Path, value: Any) -> bool:
        """What the record of an earlier run in this folder tells of, unchanged since."""
        if path == value:
            return path.is_dir()
        if path.name == "report.html":
            return file_kinds.is_page(path)
        record = value / "report.json"
        if not file_kinds.is_record(record):
            return False
        if path == record:
            return True
        made = {Path(out["path"]).name: out["sha256"] for out in _outputs(record)}
        model = path if path.name in made else path.with_suffix("")
        if model.name not in made:
            return False
        return (path == model or _is_data_of(path, model)) and _sha256(model) == made[model.name]


class TargetSweepFolder(Target):
    """The folder of a `sweep`; which models it gets is for the sweep to say, and to keep free."""

    noun = "a sweep"
    is_report = False
    PAGE = "sweep.html"

    def require(self, value: Any) -> None:
        """Returns where the folder is there or can be made."""
        self._refuse_stdout(value)
        require_new_folder(value)

    def files(self, value: Any) -> Iterable[Path]:
        """Its own files."""
        from bnfold.sweep.journal import NAME

        return [value / NAME, value / self.PAGE]

    def claimed(self, value: Any) -> Iterable[Path]:
        """The folder too."""
        return [value, *self.files(value)]

    def is_ours(self, path: Path, value: Any) -> bool:
        """A folder, an earlier sweep's page, or its record."""
        if path == value:
            return path.is_dir()
        return file_kinds.is_page(path) if path.name == self.PAGE else file_kinds.is_journal(path)


class TargetDataFolder(Target):
    """A folder of test data, `test_data_set_0` and so on."""

    noun = "test data"
    is_report = False

    def require(self, value: Any) -> None:
        """Returns where the folder is new or has no test data."""
        self._refuse_stdout(value)
        require_new_folder(value)
        if any(value.glob("test_data_set_*")):
            raise UsageError(f"{value}: has test data already; name a new folder")

    def files(self, value: Any) -> Iterable[Path]:
        """The folder itself: two results cannot both be it."""
        return [value]

    def is_ours(self, path: Path, value: Any) -> bool:
        """A folder."""
        return path.is_dir()


def with_data(model: Path) -> list[Path]:
    """A model that is written, and the file in which its external data would be."""
    return [model, model.with_name(f"{model.name}.data")]


def _is_data_of(path: Path, model: Path) -> bool:
    from bnfold.model_io import files_of

    try:
        return path in files_of(model)[1:]
    except ModelError:
        return False


def _outputs(record: Path) -> list[dict[str, str]]:
    found = json.loads(record.read_bytes())
    outputs = found.get("outputs", []) if found.get("command") == "run" else []
    return [out for out in outputs if isinstance(out, dict) and {"path", "sha256"} <= out.keys()]


def _sha256(model: Path) -> str:
    from bnfold.model_io import sha256

    try:
        return sha256(model)
    except ModelError:
        return hashlib.sha256(b"").hexdigest()
