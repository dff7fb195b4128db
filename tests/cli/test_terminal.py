"""What a person at a terminal sees, through a real pseudo-terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")

PROGRESS = """
import time
import click
from bnfold.cli.progress_bar import progress

@click.command()
@click.pass_context
def main(ctx):
    with progress(ctx, "working") as bar:
        bar(1, 3, "the first step")
        time.sleep({seconds})
        bar(2, 3, "the second step")

main()
"""


def shown(*args, cwd=None, **environment):
    """Everything that the program writes to its terminal."""
    clean = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
    clean |= {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *map(str, args)],
        cwd=cwd, env=clean, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as program:  # fmt: skip
        os.close(theirs)
        output = b""
        while piece := _read(ours):
            output += piece
        os.close(ours)
    assert program.returncode == 0, output.decode()
    return output.decode().replace("\r\n", "\n")


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so that the other end is closed
        return b""


def test_a_terminal_gets_colours_and_rules(place, model):
    text = shown("-m", "bnfold", "inspect", model, cwd=place.folder)
    assert "\x1b[32mfolded: 1\x1b[0m" in text
    assert "────" in text


def test_no_color_takes_the_colours_away(place, model):
    text = shown("-m", "bnfold", "inspect", model, cwd=place.folder, NO_COLOR="1")
    assert "folded: 1" in text
    assert not re.search(r"\x1b\[3[0-9]", text)


def test_long_sentences_wrap_within_the_width(place, stuck):
    text = shown("-m", "bnfold", "inspect", stuck, cwd=place.folder, NO_COLOR="1")
    lines = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", text).splitlines()  # a bar's too, if it took long
    assert max(map(len, lines)) <= 80


def test_reasons_stand_one_below_the_other_where_columns_do_not_fit(place, stuck):
    text = shown("-m", "bnfold", "inspect", stuck, "--all", cwd=place.folder, NO_COLOR="1")
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    first = lines.index("  into, or why not:") + 1
    reasons = lines[first : lines.index("", first)]
    assert all(line.startswith("    ") for line in reasons)
    begin = [line.strip().split(" ")[0] for line in reasons]
    assert begin.count("stopped") == 2
    assert begin.count("to") == 2


def test_what_takes_longer_than_a_second_has_a_progress_bar():
    text = shown("-c", PROGRESS.format(seconds=1.1))
    assert "working: the second step" in text
    assert "66%" in text or "67%" in text


def test_what_is_quick_has_none():
    assert shown("-c", PROGRESS.format(seconds=0)) == ""
