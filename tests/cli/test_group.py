"""`bnfold` itself: help, version, completion, and what a mistyped command line gets."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

import bnfold
from bnfold.cli import main
from bnfold.cli.group import COMMANDS


def invoke(*args):
    return CliRunner().invoke(main, args)


def test_help_lists_every_command_with_one_line():
    result = invoke("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
    assert "Exit codes" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name):
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {name} ")
    assert "--quiet" in result.stdout


def test_the_version_is_the_packages():
    assert invoke("--version").stdout == f"bnfold {bnfold.__version__}\n"


def test_without_arguments_it_shows_the_help():
    result = invoke()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("fodl",), "no such command 'fodl'"),
        (("--vresion",), "no such option '--vresion'"),
        (("fold", "in.onnx", "--nonsense"), "no such option '--nonsense'"),
        (("fold",), "missing argument 'IN.onnx'"),
        (("bench", "--threads", "many", "m.onnx"), "--threads: 'many' is no number from 1 on"),
        (("bench", "m.onnx", "--dim", "width"), "--dim width: write NAME=SIZE"),
        (("fold", "in.onnx"), "-o OUT.onnx, or add --dry-run"),
    ],
)
def test_a_mistyped_command_line_gets_one_sentence_and_exit_code_2(args, said):
    result = invoke(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.startswith("bnfold: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_ask_for_their_completion(shell):
    done = subprocess.run(
        [sys.executable, "-c", "from bnfold.cli import main; main(prog_name='bnfold')"],
        env={**os.environ, "_BNFOLD_COMPLETE": f"{shell}_source"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if shell == "bash" and done.returncode != 0:
        pytest.skip("no bash new enough here")
    assert "_BNFOLD_COMPLETE" in done.stdout


def test_completion_knows_commands_and_options():
    done = subprocess.run(
        [sys.executable, "-c", "from bnfold.cli import main; main(prog_name='bnfold')"],
        env={
            **os.environ, "_BNFOLD_COMPLETE": "bash_complete", "COMP_WORDS": "bnfold fold --dr",
            "COMP_CWORD": "2",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "plain,--dry-run" in done.stdout


def test_python_m_bnfold_is_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "bnfold", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"bnfold {bnfold.__version__}\n"
