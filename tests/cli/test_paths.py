"""Whatever a path leads to, one sentence says what is wrong with it, at once and before any work.

The options are taken from click's own parameters: one that is added tomorrow is tried too. Each is
tried in a process that is ended after a while, as what is wrong here is to wait.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bnfold.cli import main
from bnfold.cli.group import COMMANDS
from bnfold.cli.input_types import InputType, SourceData, SourceInput, SourceNetwork
from bnfold.cli.output_folders import TargetDataFolder, TargetRunFolder, TargetSweepFolder
from bnfold.cli.output_types import Target
from bnfold.errors import BnfoldError
from bnfold.model_io import load
from tests.cli.test_claims import FRESH, SOURCES, command

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

PATIENCE_S = 60
PLACES: dict[type, tuple[str, str, str]] = {  # what stands before the file, its suffix, what after
    InputType: ("", ".onnx", ""),
    SourceInput: ("x:", ".npy", ""),
    SourceData: ("", ".npy", ""),
    SourceNetwork: ("", ".py", ":build"),
}
FOLDERS = (TargetRunFolder, TargetSweepFolder, TargetDataFolder)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a named pipe": (os.mkfifo, "is a named pipe"),
    "a socket": (_socket, "is a socket"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "a link to itself": (lambda path: path.symlink_to(path), "no such file|symbolic links"),
    "an empty file": (Path.touch, "is empty"),
    "nothing": (lambda path: None, "no such file"),
    "no permission": (lambda path: (path.write_bytes(b"x"), path.chmod(0)), "permission denied"),
}
NOWHERE = [("/proc/bad", "folder cannot be written|no file can be made"), ("n" * 255, "too long")]
UNWRITABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a named pipe": (os.mkfifo, "named pipe"),
    "a socket": (_socket, "a socket"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "a link into no folder": (lambda path: path.symlink_to("no/where"), "no file can be made"),
    "a folder": (Path.mkdir, "this is a folder"),
}


@dataclass(frozen=True)
class Tried:
    """A command line, what its sentence has to name, and what it has to say."""

    line: list[str]
    file: str
    what: str


def of_kind(name: str, kind: type) -> list[click.Parameter]:
    return [p for p in command(name).params if isinstance(p.type, kind)]


def line(name: str, tried: click.Parameter, text: str) -> list[str]:
    """A command line whose models are no models, so that all work would end in a word on those."""
    args = [name]
    for p in command(name).params:
        value = text if p is tried else None
        if value is None and (p.required or (name, p.name) == ("fold", "output")):
            is_source = isinstance(p.type, InputType)
            value = SOURCES[type(p.type)][0].file if is_source else FRESH[p.type.noun]
        if value is not None:
            args += [value] if isinstance(p, click.Argument) else [p.opts[-1], value]
    return args


def wrongly_answered(trials: list[Tried]) -> list[tuple[list[str], str]]:
    """Those that did not end at once with exit code 2 and such a sentence, with what was said.

    In a process of its own, for which the modes of files hold though it may be root's.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _give_up_power()
            with os.fdopen(writing, "w", buffering=1) as file:
                for trial in trials:
                    signal.alarm(PATIENCE_S)
                    result = CliRunner().invoke(main, trial.line)
                    file.write(json.dumps([result.exit_code, result.stdout, result.stderr]) + "\n")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        answers = [json.loads(answer) for answer in file]
    os.waitpid(child, 0)
    answers += [[None, "", "no answer"]] * (len(trials) - len(answers))
    return [
        (trial.line, f"{trial.what!r} is not in {answer}")
        for trial, answer in zip(trials, answers, strict=True)
        if not _is_refusal(trial, *answer)
    ]


def _is_refusal(trial: Tried, code: int | None, stdout: str, stderr: str) -> bool:
    is_one_line = stderr.startswith("bnfold: ") and stderr.count("\n") == 1 and not stdout
    is_told = trial.file in stderr and re.search(trial.what, stderr) is not None
    return code == 2 and is_one_line and is_told


def _give_up_power() -> None:
    head, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(head, none) == 0


@pytest.fixture
def files(place, model):
    for examples in SOURCES.values():
        for example in examples:
            (place / example.file).parent.mkdir(exist_ok=True)
            (place / example.file).write_bytes(b"no model, no code, no array")
    return place


def bad_paths(files, makes, suffix):
    """A path for each of the kinds, with what is to be said of it."""
    for number, (make, what) in enumerate(makes.values()):
        path = Path(f"bad{number}{suffix}")
        make(path)
        yield str(path), what


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "sweep"])  # tells a table
def test_what_cannot_be_read_is_told_at_once(files, name):
    paths = {}
    for suffix in {suffix for _, suffix, _ in PLACES.values()}:
        paths[suffix] = list(bad_paths(files, UNREADABLE, suffix))
    trials = []
    for parameter in of_kind(name, InputType):
        before, suffix, after = PLACES.get(type(parameter.type), PLACES[InputType])
        told = parameter.opts[-1] + " " if isinstance(parameter, click.Option) else ""
        trials += [
            Tried(line(name, parameter, f"{before}{file}{after}"), f"{told}{file}: ", what)
            for file, what in paths[suffix]
        ]
    assert wrongly_answered(trials) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_what_cannot_be_written_is_told_before_any_work(files, name):
    paths = [*bad_paths(files, UNWRITABLE, ""), *NOWHERE]
    trials = [
        Tried(line(name, parameter, file), file[:4], f"{what}|folder" if is_folder else what)
        for parameter in of_kind(name, Target)
        for is_folder in [isinstance(parameter.type, FOLDERS)]
        for file, what in paths
        if not is_folder or not Path(file).is_dir()
    ]
    assert trials
    assert wrongly_answered(trials) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_name_that_ends_as_that_of_a_folder_names_no_file(files, name):
    """As a path, `new/` is `new`: a file would come to be where a folder was meant."""
    trials = [
        Tried(line(name, parameter, "new/"), "new/: ", "path of a folder; name a file")
        for parameter in of_kind(name, Target)
        if not isinstance(parameter.type, FOLDERS)
    ]
    assert wrongly_answered(trials) == []
    assert not Path("new").exists()


def test_a_pipe_within_a_folder_of_results_is_told_of(files):
    trials = []
    for name, inner in (("run", "report.json"), ("sweep", "sweep.jsonl")):
        (files / name).mkdir()
        os.mkfifo(files / name / inner)
        trials.append(Tried([name, "net.onnx", "-o", name], inner, "named pipe"))
    assert wrongly_answered(trials) == []


def test_a_report_may_go_to_a_pipe_that_a_shell_has_opened(files):
    reading, writing = os.pipe()
    result = files.call("inspect", "good.onnx", "--junit", f"/dev/fd/{writing}")
    os.close(writing)
    with os.fdopen(reading) as file:
        assert file.read().startswith("<?xml")
    assert result.exit_code == 0


def test_nothing_is_left_of_a_look_whether_a_file_can_be_made(files):
    before = files.content()
    assert files.call("inspect", "net.onnx", "--json", "new.json").exit_code == 2
    assert files.content() == before


def test_a_library_whose_name_onnxruntime_cannot_open_is_refused(files):
    library = Path(os.fsdecode(b"caf\xe9.so"))
    library.write_bytes(b"x")
    args = ["bench", "good.onnx", "--custom-ops", str(library)]
    assert wrongly_answered([Tried(args, "caf", "UTF-8")]) == []


@pytest.mark.parametrize("name", ["pipe", "pipe.safetensors", "pipe.pt"])
def test_a_pipe_is_not_waited_for_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    """Its name says nothing of a model: whether torch has written it is not asked of a pipe."""
    os.mkfifo(tmp_path / name)
    for arguments in (["fold", name, "-o", "o.onnx"], ["inspect", name], ["bench", name]):
        done = subprocess.run(
            [sys.executable, "-m", "bnfold", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert f"{name}: is a named pipe" in done.stderr
    with pytest.raises(BnfoldError, match="named pipe"):
        load(tmp_path / name)
