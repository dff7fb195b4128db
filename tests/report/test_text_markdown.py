"""Markdown: tables that render, and names that stay text."""

from __future__ import annotations

from bnfold.report.blocks import Column, Line, Table, blank
from bnfold.report.markdown import markdown_text


def test_a_table_has_a_rule_that_sets_numbers_flush_right():
    table = Table((Column("model"), Column("nodes", right=True)), [("a", Line("12", "good"))])
    assert markdown_text([Line("size", "title"), blank(), table]).splitlines() == [
        "<!-- bnfold -->", "", "**size**", "",
        "| model | nodes |", "| --- | --: |", "| a | 12 |",
    ]  # fmt: skip


def test_a_name_cannot_end_its_cell_or_become_markup():
    table = Table((Column("name"),), [("a|b <script> `x` *y* [z](u) \n# q",)])
    row = markdown_text([table]).splitlines()[-1]
    assert row == r"| a\|b \<script\> \`x\` \*y\* \[z\](u) \\n\# q |"
