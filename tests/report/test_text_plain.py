"""Text for a pipe: columns line up, sentences stay whole, nothing but text comes out."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bnfold.report.blocks import Column, Line, Table, blank
from bnfold.report.plain import plain_text
from bnfold.report.terminal import print_blocks
from bnfold.report.words import byte_size, counted, names

TABLE = Table(
    (Column("name"), Column("count", right=True), Column("why")),
    [("conv1", "7", "short"), ("a_longer_name", "12", Line("bad news", "bad"))],
    indent=2,
)


def test_columns_line_up_and_numbers_are_flush_right():
    assert plain_text([TABLE]).splitlines() == [
        "  name           count  why",
        "  conv1              7  short",
        "  a_longer_name     12  bad news",
    ]


def test_no_line_ends_in_blanks():
    table = Table((Column("a"), Column("b")), [("x", ""), ("yyyyy", "z")])
    assert all(line == line.rstrip() for line in plain_text([table, blank()]).splitlines())


def test_a_long_sentence_stays_on_its_line():
    sentence = "word " * 200 + "end"
    assert plain_text([Line(sentence, indent=4)]) == f"    {sentence}\n"


def test_control_characters_in_a_models_names_do_not_reach_the_reader():
    assert plain_text([Line("node '\x1b[31mred\nnext'")]) == "node '\\x1b[31mred\\nnext'\n"


def test_a_terminal_gets_colours_and_a_pipe_does_not():
    colourful = Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    print_blocks([Line("bad", "bad"), TABLE], colourful)
    assert "\x1b[" in colourful.file.getvalue()
    assert "\x1b[" not in plain_text([Line("bad", "bad"), TABLE])


def test_no_color_is_respected_on_a_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), force_terminal=True)
    print_blocks([Line("bad news", "bad")], console)
    assert "\x1b[31m" not in console.file.getvalue()
    assert "bad news" in console.file.getvalue()


def test_square_brackets_in_names_are_shown_as_they_are():
    console = Console(file=io.StringIO(), width=60)
    print_blocks([Line("shape [N, 3]"), Table((Column("a"),), [("[bold]x",)])], console)
    assert "shape [N, 3]" in console.file.getvalue()
    assert "[bold]x" in console.file.getvalue()


@pytest.mark.parametrize(
    ("count", "said"), [(0, "no batch norm"), (1, "1 batch norm"), (2, "2 batch norms")]
)
def test_counts_are_said_as_a_person_would(count, said):
    assert counted(count, "batch norm") == said


def test_a_long_list_of_names_is_cut_and_counted():
    assert names(["a", "b", "c"]) == "a, b, c"
    assert names("abcde") == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("size", "said"),
    [(512, "512 B"), (1500, "1.5 KB"), (97_800_000, "97.8 MB"), (2_600_000_000, "2.60 GB")],
)
def test_sizes_have_a_unit(size, said):
    assert byte_size(size) == said


def test_no_word_of_a_table_is_cut_off_on_a_narrow_terminal():
    console = Console(file=io.StringIO(), width=24)
    table = Table(
        (Column("name"), Column("count", right=True)), [("a_very_long_name_indeed", "12")]
    )
    print_blocks([table], console)
    shown = console.file.getvalue()
    assert "\u2026" not in shown
    assert "12" in shown
    assert "a_very_long_name_indeed" in "".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 24
