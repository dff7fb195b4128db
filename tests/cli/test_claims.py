"""Nothing that a user owns is overwritten by accident, whatever options there are.

Every pair of an input and a target of every command is taken from click's own parameters: an option
that is added tomorrow is tried too, and one whose type says nothing of files has to be a plain one.
"""

from __future__ import annotations

import itertools
import json
import os
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnx
import pytest

from bnfold.cli import main
from bnfold.cli.claims import GuardedCommand
from bnfold.cli.group import COMMANDS
from bnfold.cli.input_types import (
    InputType,
    SourceData,
    SourceFile,
    SourceFleet,
    SourceInput,
    SourceModel,
    SourceNetwork,
)
from bnfold.cli.output_folders import TargetDataFolder, TargetRunFolder, TargetSweepFolder
from bnfold.cli.output_types import Target, TargetModel
from tests.cli.conftest import GOOD, parsed

_FEW = ["--pairs", "5", "--level", "all", "--processes", "1"]
QUICK = {"bench": _FEW, "run": _FEW}


@dataclass(frozen=True)
class Example:
    """What to type for a parameter, and the file that stands behind it."""

    text: str
    file: str


SOURCES: dict[type[InputType], tuple[Example, ...]] = {
    SourceFile: (Example("weights.pt", "weights.pt"),),
    SourceModel: (
        Example("net.onnx", "net.onnx"),
        Example("external.onnx", "external.onnx"),
        Example("external.onnx", "values.bin"),
    ),
    SourceData: (Example("data.npz", "data.npz"), Example("sets", "sets/input_0.pb")),
    SourceInput: (Example("x:x.npy", "x.npy"),),
    SourceFleet: (Example("net.onnx", "net.onnx"), Example("net*.onnx", "net.onnx")),
    SourceNetwork: (
        Example("net.onnx", "net.onnx"),
        Example("external.onnx", "values.bin"),
        Example("code.py:build", "code.py"),
        Example("package.code:build", "package/code.py"),
        Example("package.code:build", "package/__init__.py"),
    ),
}
FOLDERS = {TargetRunFolder: "results", TargetSweepFolder: "swept", TargetDataFolder: "newsets"}
FRESH = {
    **{kind.noun: name for kind, name in FOLDERS.items()},
    "an ONNX model": "new.onnx",
    "a JSON record": "new.json",
    "an HTML page": "new.html",
    "a JUnit report": "new.xml",
    "a Markdown report": "new.md",
    "a plot": "new.svg",
    "a CSV table": "new.csv",
    "the state of a tuning": "new.state",
}


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def arguments(name: str, values: dict[str, str]) -> list[str]:
    """A command line that gives these parameters, and good values for those that must be given."""
    args = [name]
    for p in command(name).params:
        text = values.get(p.name or "")
        if text is None and p.required:
            is_source = isinstance(p.type, InputType)
            text = SOURCES[type(p.type)][0].text if is_source else FRESH[p.type.noun]
        if text is not None:
            args += [text] if isinstance(p, click.Argument) else [p.opts[-1], text]
    return [*args, *QUICK.get(name, [])]


def of_kind(name: str, kind: type) -> list[click.Parameter]:
    return [p for p in command(name).params if isinstance(p.type, kind)]


def files_of(name: str) -> list[click.Parameter]:
    """Parameters that name a file to write: a folder hits a file only if it has its name."""
    return [p for p in of_kind(name, Target) if not isinstance(p.type, tuple(FOLDERS))]


def input_pairs():
    for name in COMMANDS:
        for source, target in itertools.product(of_kind(name, InputType), files_of(name)):
            for example in SOURCES[type(source.type)]:
                if target.type.may_be == source.name and example.file == example.text:
                    continue
                yield pytest.param(
                    name, source.name, example, target.name, example.file,
                    id=f"{name}-{source.name}={example.text}-{target.name}={example.file}",
                )  # fmt: skip


def target_pairs():
    for name in COMMANDS:
        for one, other in itertools.combinations(of_kind(name, Target), 2):
            yield pytest.param(name, one.name, other.name, id=f"{name}-{one.name}-{other.name}")


@pytest.fixture
def full(place):
    """A folder with one file of every kind that bnfold reads."""
    model = parsed(GOOD)
    onnx.save(model, place / "net.onnx")
    onnx.save(
        model, place / "external.onnx", save_as_external_data=True, location="values.bin",
        size_threshold=0,
    )  # fmt: skip
    code = "from torch import nn\ndef build():\n    return nn.BatchNorm2d(2)\n"
    (place / "code.py").write_text(code)
    (place / "package").mkdir()
    (place / "package" / "__init__.py").write_text("# mine\n")
    (place / "package" / "code.py").write_text(code)
    (place / "weights.pt").write_bytes(b"weights")
    x = np.ones((1, 2, 5, 5), np.float32)
    np.save(place / "x.npy", x)
    np.savez(place / "data.npz", x=x)
    (place / "sets").mkdir()
    tensor = onnx.numpy_helper.from_array(x, "x")
    (place / "sets" / "input_0.pb").write_bytes(tensor.SerializeToString())
    return place


def refused(place, args):
    """The command is refused in one sentence, and every byte is as it was."""
    before = place.content()
    result = place.call(*args)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert place.content() == before
    return result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_that_may_name_a_file_says_which_kind(name):
    """A bare text or path would escape the rule; plain words are listed here by name."""
    words = {"allow", "skip", "dims", "dynamic", "providers", "provider", "levels", "rules"}
    words |= {"weights_key", "scheduler", "runtime", "threads", "batch", "session_options"}
    words |= {"fail_if_slower", "names"}
    for p in command(name).params:
        is_plain = p.name in words or not isinstance(p.type, click.types.StringParamType)
        assert is_plain and not isinstance(p.type, click.Path | click.File), p.name
    assert isinstance(command(name), GuardedCommand)
    if of_kind(name, Target):
        assert "--force" in {option for p in command(name).params for option in p.opts}


@pytest.mark.parametrize(("name", "source", "example", "target", "text"), list(input_pairs()))
def test_no_target_is_an_input(full, name, source, example, target, text):
    for force in ([], ["--force"]):
        args = [*arguments(name, {source: example.text, target: text}), *force]
        assert "is read by the same command" in refused(full, args)


@pytest.mark.parametrize("way", ["symlink", "hard link", "roundabout"])
@pytest.mark.parametrize(
    ("name", "source", "example", "target", "text"),
    [next(p for p in input_pairs() if p.values[0] == name) for name in COMMANDS],
)
def test_no_target_is_an_input_by_another_path(full, name, source, example, target, text, way):
    if way == "symlink":
        (full / "link").symlink_to(text)
        text = "link"
    elif way == "hard link":
        os.link(full / text, full / "hard")
        text = "hard"
    elif way == "roundabout":
        text = f"sets/../{text}"
    for force in ([], ["--force"]):
        args = [*arguments(name, {source: example.text, target: text}), *force]
        assert "is read by the same command" in refused(full, args)


@pytest.mark.parametrize(("name", "one", "other"), list(target_pairs()))
def test_no_two_targets_are_one_file(full, name, one, other):
    args = arguments(name, {one: "both", other: "./both"})
    assert "name two files" in refused(full, args)
    assert "name two files" in refused(full, [*args, "--force"])


THEIRS = {
    "model": lambda path: onnx.save(parsed(GOOD), path),
    "code": lambda path: path.write_text("def build():\n    pass\n"),
    "page": lambda path: path.write_text("<!doctype html><title>mine</title>"),
    "settings": lambda path: path.write_text('{"name": "mine", "tool": "x"}'),
    "list": lambda path: path.write_text("[1, 2]"),
    "drawing": lambda path: path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "report": lambda path: path.write_text('<testsuite name="mine"/>'),
    "array": lambda path: path.write_bytes(b"\x93NUMPY" + bytes(200)),
}


@pytest.mark.parametrize("theirs", THEIRS)
@pytest.mark.parametrize(("name", "target"), [(n, t.name) for n in COMMANDS for t in files_of(n)])
def test_a_file_of_another_kind_is_kept(full, name, target, theirs):
    """Told by its content: the suffix is that of what would be written."""
    (kind,) = (p.type for p in files_of(name) if p.name == target)
    if isinstance(kind, TargetModel) and theirs == "model":
        pytest.skip("a model may replace a model")
    path = full / FRESH[kind.noun]
    THEIRS[theirs](path)
    assert "is there already" in refused(full, arguments(name, {target: path.name}))


@pytest.mark.parametrize("name", [n for n in COMMANDS if of_kind(n, TargetRunFolder)])
def test_a_folder_of_results_keeps_files_that_are_not_from_a_run(full, name):
    for file in ("folded.onnx", "original.onnx", "report.json", "report.html"):
        folder = full / f"results-of-{file}"
        folder.mkdir()
        (folder / file).write_bytes((full / "net.onnx").read_bytes())
        assert "is there already" in refused(full, arguments(name, {"folder": folder.name}))


@pytest.mark.parametrize("file", ["folded.onnx", "original.onnx"])
def test_a_run_never_takes_the_place_of_its_own_input(full, file):
    (full / "out").mkdir()
    (full / "net.onnx").rename(full / "out" / file)
    args = ["run", f"out/{file}", "-o", "out", *QUICK["run"]]
    assert "is read by the same command" in refused(full, args)
    assert "is read by the same command" in refused(full, [*args, "--force"])


def test_data_beside_a_target_that_belongs_to_another_model_is_kept(full):
    """A model may need a second file for its data; that name is not free where it is taken."""
    (full / "values.bin").rename(full / "new.onnx.data")
    model = onnx.load(full / "external.onnx", load_external_data=False)
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.external_data)
    (location,) = (entry for entry in weight.external_data if entry.key == "location")
    location.value = "new.onnx.data"
    (full / "external.onnx").write_bytes(model.SerializeToString())
    said = refused(full, ["fold", "external.onnx", "-o", "new.onnx"])
    assert "is read by the same command" in said
    assert "is there already" in refused(full, ["fold", "net.onnx", "-o", "new.onnx"])


@pytest.mark.parametrize("target", ["net.onnx", "./net.onnx", "link"])
def test_a_model_may_take_the_place_of_the_one_that_it_was_folded_from(full, target):
    (full / "link").symlink_to("net.onnx")
    assert full.call("fold", "net.onnx", "-o", target).exit_code == 0
    assert [node.op_type for node in onnx.load(full / "net.onnx").graph.node] == ["Conv"]
    assert (full / "link").is_symlink()


def test_a_model_with_external_data_may_be_folded_in_place(full):
    for name in ("external.onnx", "external.onnx"):  # the second time from its new data file
        assert full.call("fold", name, "-o", name).exit_code == 0
    onnx.checker.check_model(onnx.load(full / "external.onnx"))


def test_force_replaces_a_file_of_another_kind(full):
    (full / "record.json").write_text('{"mine": true}')
    args = ["inspect", "net.onnx", "--json", "record.json", "--force"]
    assert full.call(*args).exit_code == 0
    assert json.loads((full / "record.json").read_text())["command"] == "inspect"


def test_a_record_replaces_a_record_and_an_empty_file(full):
    (full / "record.json").touch()
    for _ in range(2):
        assert full.call("inspect", "net.onnx", "--json", "record.json").exit_code == 0


def test_what_is_no_file_takes_a_record(full):
    assert full.call("inspect", "net.onnx", "--json", "/dev/null").exit_code == 0
    assert not Path("/dev/null").is_file()


def test_an_old_verdict_does_not_pass_for_a_new_one(full):
    """When the work fails, the report of the earlier run is gone, and the sentence says so."""
    args = ["verify", "net.onnx", "net.onnx", "--json", "report"]
    assert full.call(*args).exit_code == 0
    result = full.call("verify", "net.onnx", "missing.onnx", "--json", "report")
    assert result.exit_code == 2
    assert "report told of an earlier run and was removed" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (full / "report").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_junit_report_tells_that_the_work_has_failed(full, is_there):
    """A CI system shows a case in error, and not the verdict of an earlier run, or nothing."""
    if is_there:
        assert full.call("verify", "net.onnx", "net.onnx", "--junit", "j.xml").exit_code == 0
    result = full.call("verify", "net.onnx", "missing.onnx", "--junit", "j.xml")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    suite = ET.parse(full / "j.xml").getroot()
    assert {"tests": "1", "errors": "1", "failures": "0"}.items() <= suite.attrib.items()
    assert "missing.onnx: no such file" in suite.find("testcase/error").get("message")
    assert full.call("verify", "net.onnx", "net.onnx", "--junit", "j.xml").exit_code == 0


def test_a_junit_report_that_is_written_stays_whatever_fails_afterwards(full, monkeypatch):
    def broken(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("bnfold.cli.verify.show", broken)
    assert full.call("verify", "net.onnx", "net.onnx", "--junit", "j.xml").exit_code == 2
    assert ET.parse(full / "j.xml").getroot().get("errors") == "0"


def test_a_model_is_written_with_its_record_or_not_at_all(full, monkeypatch):
    """The last of the results cannot be written: the first ones are taken back."""
    before = full.content()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bnfold.report.envelope.to_json", full_disk)
    result = full.call("fold", "net.onnx", "-o", "net.onnx", "--json", "record.json")
    assert result.exit_code == 2
    assert "no space left" in result.stderr
    assert full.content() == before


@contextmanager
def tight():
    """Files of more than 60 bytes cannot be written, as on a disk that is nearly full.

    No longer than a call: what the tests print may go to a file too.
    """
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["fold", "net.onnx", "-o", "new.onnx"], "new.onnx"),
        (["fold", "net.onnx", "-o", "new.onnx", "--json", "new.json"], "new.onnx"),
        (["fold", "net.onnx", "--dry-run", "--json", "new.json"], "new.json"),
        (["fold", "net.onnx", "--dry-run", "--html", "deep/page.html"], "deep/page.html"),
        (["fold", "net.onnx", "--dry-run", "--junit", "new.xml"], "new.xml"),
        (["run", "net.onnx", "-o", "results", "--no-bench"], "results/folded.onnx"),
        (["verify", "net.onnx", "net.onnx", "--save-data", "data"], "data"),
        (["verify", "net.onnx", "net.onnx", "--json", "/dev/full"], "/dev/full"),
    ],
)
def test_what_cannot_be_written_is_named_as_it_was_asked_for(full, args, named):
    (full / "deep").mkdir()
    before = full.content()
    with tight():
        result = full.call(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"bnfold: {named}: ")
    assert ".bnfold" not in result.stderr
    assert full.content() == before


def test_an_earlier_verdict_goes_where_the_failure_cannot_be_told(full):
    assert full.call("verify", "net.onnx", "net.onnx", "--junit", "j.xml").exit_code == 0
    with tight():
        result = full.call("verify", "net.onnx", "net.onnx", "--junit", "j.xml")
    assert result.exit_code == 2
    assert result.stderr.startswith("bnfold: j.xml: file too large; j.xml told of an earlier run")
    assert not (full / "j.xml").exists()


def test_a_comparison_of_a_file_with_itself_says_so(full):
    result = full.call("verify", "net.onnx", "net.onnx")
    assert "the same file" in result.stdout
    (full / "copy.onnx").write_bytes((full / "net.onnx").read_bytes())
    record = json.loads(full.call("verify", "net.onnx", "copy.onnx", "--json", "-").stdout)
    assert record["result"]["is_same_file"] is True


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["verify", "net.onnx", "net.onnx", "--save-data", "no/such/sets"], "no such folder"),
        (["verify", "net.onnx", "net.onnx", "--save-data", "x.npy"], "is a file"),
        (["run", "net.onnx", "-o", "results", "--dim", "N"], "write NAME=SIZE"),
        (["fold", "net.onnx", "-o", "/dev/null"], "not a regular file"),
        (["fold", "net.onnx", "-o", "-"], "name a file"),
        (["run", "net.onnx", "-o", "-"], "does not go to stdout"),
        (["verify", "net.onnx", "net.onnx", "--save-data", "-"], "does not go to stdout"),
        (["bench", "net.onnx", "--html", "-"], "name a file"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_the_work(full, args, said):
    assert said in refused(full, args)
