"""The table of moves in fold/README.md is the code's."""

from __future__ import annotations

from pathlib import Path

import bnfold
from bnfold.fold.moves.table import PRICES, RULES

README = (Path(bnfold.__file__).parent / "fold" / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_rule_as_it_is() -> None:
    table = [line for line in README.splitlines() if line.startswith("| ")][2:]
    rows = [line.rpartition(" | ")[0] + " |" for line in table]
    wanted = [
        f"| {rule.name} | {', '.join(rule.ops)} | {'yes' if rule.backward else 'no'} "
        f"| {'yes' if rule.forward else 'no'} |"
        for rule in RULES
    ]
    assert rows == wanted


def test_the_readme_names_every_price() -> None:
    assert all(f"`{price}`" in README for price in PRICES)


def test_every_rule_proves_itself_in_its_docstring() -> None:
    for rule in RULES:
        for question in (rule.backward, rule.forward):
            assert question is None or question.__doc__
