"""Results that show themselves in a notebook."""

from __future__ import annotations

import importlib


class Shown:
    """A result with the tables of the report as its look in a notebook.

    Rendering stands above all results; this is the one place that looks up to it, by name and
    only when a notebook asks.
    """

    def _repr_html_(self) -> str:
        """The tables of the report, as HTML that brings its style along."""
        shown: str = importlib.import_module("bnfold.report.notebook").html_of(self)
        return shown
