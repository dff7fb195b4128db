"""The README names commands, options and exit codes that there are, and code that runs."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import click
import pytest

from bnfold import errors
from bnfold.cli import main
from bnfold.cli.group import COMMANDS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def section(title):
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def options():
    """Every option of every command, as it is typed."""
    ctx = click.Context(main)
    commands = [main, *(main.get_command(ctx, name) for name in COMMANDS)]
    found = {
        option
        for command in commands
        for p in command.params
        for option in (*p.opts, *p.secondary_opts)
    }
    return found | {"--help", "--version"}


def test_the_table_of_commands_is_complete():
    named = re.findall(r"^\| `bnfold ([a-z]+)", section("Commands"), flags=re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)


def test_every_option_that_is_named_exists():
    own = re.sub(r"<!-- generated:.*?<!-- end -->", "", README, flags=re.DOTALL)
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", own))
    assert named <= options() | {"--no-deps"}


def test_every_exit_code_of_an_error_is_explained():
    explained = set(re.findall(r"^\| (\d+) \|", section("Commands"), flags=re.MULTILINE))
    kinds = [e for e in vars(errors).values() if isinstance(e, type)]
    codes = {str(e.exit_code) for e in kinds if issubclass(e, errors.BnfoldError)}
    assert codes <= explained


def test_the_prices_are_those_of_the_fold():
    from bnfold.fold.moves.table import PRICES

    named = re.findall(r"^\| `([a-z][a-z-]*)` \| [a-z]", section("Commands"), flags=re.MULTILINE)
    assert {*named} == {*PRICES, "all"}


def test_every_file_that_is_linked_to_exists():
    root = Path(__file__).parents[1]
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (root / target).exists(), target


@pytest.mark.slow
def test_the_code_of_the_library_section_runs(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    code = textwrap.dedent(re.search(r"\n((?:    .*\n|\n)+)", section("The library"))[1])
    monkeypatch.chdir(tmp_path)
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    exec(compile(code, "README.md", "exec"), {"module": module, "inputs": (1, 2, 6, 6)})
    assert "folded ('conv',)" in capsys.readouterr().out
    assert (tmp_path / "folded.onnx").exists()
    assert (tmp_path / "results/report.html").exists()
