"""Whatever goes wrong inside leaves as one sentence and the exit code of the design."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings

import click
import pytest
from click.testing import CliRunner

from bnfold import errors
from bnfold.cli.border import BROKEN_PIPE, Border
from bnfold.cli.group import LazyGroup
from bnfold.cli.sentence import INTERRUPTED
from bnfold.cli.verbosity import verbosity_options
from tests.signals import HEARS_SIGNALS


def program(action):
    """A command line like bnfold's whose one command, `go`, does `action`."""

    class Program(LazyGroup):
        def get_command(self, ctx, cmd_name):
            return go if cmd_name == "go" else None

    @click.command()
    @verbosity_options
    def go():
        return action()

    @click.group(cls=Program)
    @verbosity_options
    def main():
        """A program."""

    return main


def raising(error):
    def action():
        raise error

    return program(action)


CASES = [
    (errors.ModelsDifferError("they differ"), 1, "they differ"),
    (errors.UsageError("no"), 2, "no"),
    (errors.ModelError("m.onnx: not a model"), 2, "m.onnx: not a model"),
    (errors.InconclusiveError("too noisy"), 3, "too noisy"),
    (errors.ProviderUnavailableError("no GPU"), 4, "no GPU"),
    (errors.InternalError("a rewrite is wrong"), 5, "a rewrite is wrong"),
    (FileNotFoundError(2, "No such file or directory", "x.npy"), 2, "x.npy: no such file"),
    (OSError(28, "No space left on device"), 2, "no space left on device"),
    (MemoryError(), 2, "not enough memory"),
    (KeyboardInterrupt(), 130, "interrupted; nothing was changed"),
    (ZeroDivisionError("oops"), 5, "this is a bug in bnfold: ZeroDivisionError: oops"),
]


@pytest.mark.parametrize(("error", "code", "said"), CASES, ids=repr)
def test_an_error_becomes_one_sentence_and_its_exit_code(error, code, said):
    result = CliRunner().invoke(raising(error), ["go"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("bnfold: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_message_of_several_lines_is_put_on_one():
    result = CliRunner().invoke(raising(errors.ModelError("first\n  second\n")), ["go"])
    assert result.stderr == "bnfold: first second\n"


@pytest.mark.parametrize("args", [["go", "--verbose"], ["--verbose", "go"], ["go", "-v"]])
def test_verbose_shows_the_traceback_before_the_sentence(args):
    result = CliRunner().invoke(raising(errors.ModelError("bad model")), args)
    assert result.exit_code == 2
    assert result.stderr.startswith("Traceback (most recent call last)")
    assert result.stderr.endswith("bnfold: bad model\n")


@pytest.mark.parametrize("code", [0, 1, 3])
def test_what_a_command_returns_is_the_exit_code(code):
    assert CliRunner().invoke(program(lambda: code), ["go"]).exit_code == code


def test_a_command_that_returns_nothing_is_done():
    assert CliRunner().invoke(program(lambda: None), ["go"]).exit_code == 0


def test_warnings_of_libraries_are_for_the_curious_only():
    def action():
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn("an old habit", DeprecationWarning, stacklevel=1)

    assert CliRunner().invoke(program(action), ["go"]).stderr == ""
    assert "an old habit" in CliRunner().invoke(program(action), ["go", "-v"]).stderr


def test_the_border_gives_back_the_warning_filters():
    before = warnings.showwarning
    with click.Context(click.Command("x")) as ctx, Border(ctx):
        assert warnings.showwarning is not before
    assert warnings.showwarning is before


TALKATIVE = """
import click
from bnfold.cli.group import LazyGroup
class Program(LazyGroup):
    def get_command(self, ctx, cmd_name):
        return go
@click.command()
def go():
    for _ in range(100_000):
        click.echo("a line")
@click.group(cls=Program)
def main():
    pass
main(["go"])
"""


def test_a_reader_that_leaves_early_hears_nothing_of_it(tmp_path):
    script = tmp_path / "talkative.py"
    script.write_text(TALKATIVE)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as talker:
        assert talker.stdout.readline() == "a line\n"
        talker.stdout.close()
        assert talker.stderr.read() == ""
        assert talker.wait() == BROKEN_PIPE


SLOW = """
import sys, time
from pathlib import Path
import bnfold
from bnfold.cli import main
real = bnfold.fold
def slow(*args, progress, **rest):
    print("folding", flush=True)
    time.sleep(60)
bnfold.fold = slow
main(sys.argv[1:], prog_name="bnfold")
"""


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (["fold", "good.onnx", "-o", "good.onnx"], "nothing was changed"),
        (["run", "good.onnx", "-o", "results"], "nothing was changed"),
    ],
)
def test_ctrl_c_gets_a_sentence_and_leaves_the_files(place, model, args, left):
    before = place.content()
    with subprocess.Popen(
        [sys.executable, "-c", HEARS_SIGNALS + SLOW, *args], cwd=place.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "folding\n"
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read()
        assert process.wait() == INTERRUPTED
    assert stderr == f"bnfold: interrupted; {left}\n"
    assert place.content() == before
