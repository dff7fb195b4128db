"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import pytest

from bnfold.cli.group import COMMANDS
from docs.generate import DOCS, FUNCTIONS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name):
    """Where it fails: `make docs`, and commit the page."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_command_and_every_function_has_a_section():
    assert all(f"\n## bnfold {name}\n" in PAGES["commands.md"]() for name in COMMANDS)
    assert all(f"\n## bnfold.{f.__name__}\n" in PAGES["api.md"]() for f in FUNCTIONS)


def test_every_argument_of_a_public_function_is_explained():
    import inspect

    for function in FUNCTIONS:
        text = inspect.getdoc(function)
        for name in inspect.signature(function).parameters:
            assert f"\n    {name}: " in text, f"{function.__name__}: {name}"
