"""One page for a browser: what was folded, whether it is the same network, and what it buys.

The page stands alone: no script, no font, no request. It is rendered from the records in their JSON
form, so that a page can be made again from a report.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from bnfold.errors import MissingDependencyError
from bnfold.report.ratio_chart import ratio_chart
from bnfold.report.records import write_text
from bnfold.report.words import byte_size, counted

TEMPLATES = Path(__file__).with_name("templates")

TONES = {
    "equivalent": "good",
    "faster": "good",
    "folded": "good",
    "different": "bad",
    "slower": "bad",
    "inconclusive": "warn",
    "kept": "warn",
}


class HasDict(Protocol):
    """A ledger, a verification or a measurement."""

    def to_dict(self) -> dict[str, Any]:
        """The record in its JSON form."""


Record = HasDict | Mapping[str, Any]


def require_jinja2() -> None:
    """Returns where a page can be rendered: ask before work whose result would be lost.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "an HTML report needs jinja2: pip install 'bnfold[html]'"
        ) from error


def write_html(
    path: Path,
    *,
    title: str = "bnfold report",
    ledger: Record | None = None,
    verification: Record | None = None,
    bench: Record | None = None,
) -> None:
    """The page is at `path`, whole or not at all; a record that is None has no section.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    page = html_page(title=title, ledger=ledger, verification=verification, bench=bench)
    write_text(page, path)


def html_page(
    *,
    title: str = "bnfold report",
    ledger: Record | None = None,
    verification: Record | None = None,
    bench: Record | None = None,
) -> str:
    """The page as text; the same records give the same page.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    require_jinja2()
    import jinja2

    from bnfold import __version__

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # names come out of models, and models out of the internet
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": figure,
        "byte_size": byte_size,
        "counted": counted,
        "tone": lambda word: TONES.get(word, "plain"),
        "ratio_chart": ratio_chart,
    }
    return environment.get_template("report.html.j2").render(
        title=title,
        version=__version__,
        ledger=_plain(ledger),
        verification=_plain(verification),
        bench=_plain(bench),
    )


def figure(value: float | str | None, spec: str = ".3g") -> str:
    """A number as the format says; records hold a word for what is not finite."""
    if value is None:
        return ""
    return value if isinstance(value, str) else format(value, spec)


def _plain(record: Record | None) -> Mapping[str, Any] | None:
    return record if record is None or isinstance(record, Mapping) else record.to_dict()
