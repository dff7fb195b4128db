"""One page for a browser: what was folded, whether it is the same network, and what it buys.

The page stands alone: its style and its script are in it, named by their hashes, and it asks
nobody for anything. It is rendered from the same blocks as the text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bnfold.report.blocks import Block, Line
from bnfold.report.blocks_html import blocks_html
from bnfold.report.markup import Markup, tag
from bnfold.report.sections import Findings, Section

TEMPLATES = Path(__file__).with_name("templates")


def html_page(findings: Findings) -> str:
    """The page as text; the same findings give the same page."""
    return page(findings.title, findings.bottom_line(), findings.sections(every_row=True))


def page(title: str, bottom: Sequence[Line], sections: Sequence[Section]) -> str:
    """A page with that title; what a reader takes away comes first, then the sections."""
    main = (_bottom(bottom), _navigation(sections), map(_section, sections))
    from bnfold import __version__

    body = tag(
        "body",
        {"class": "page"},
        tag("h1", {}, title),
        tag("main", {}, *main),
        tag("footer", {}, tag("p", {}, f"bnfold {__version__}")),
        tag("script", {}, _asset("report.js")),
    )
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, _head(title), body)}\n"


def fragment(blocks: Sequence[Block]) -> str:
    """The blocks for a notebook, which has a page of its own and runs no script of ours."""
    style = tag("style", {}, _asset("report.css"))
    return tag("div", {"class": "page inline"}, style, blocks_html(blocks, "bnfold"))


def _head(title: str) -> Markup:
    from bnfold import __version__

    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        {},
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", {"name": "generator", "content": f"bnfold {__version__}"}),
        tag("title", {}, title),
        tag("style", {}, style),
    )


def _bottom(lines: Sequence[Line]) -> Markup:
    return tag("div", {"class": "bottom"}, blocks_html(lines, "bottom")) if lines else Markup("")


def _navigation(sections: Sequence[Section]) -> Markup:
    links = [tag("a", {"href": f"#{_anchor(section)}"}, section.title) for section in sections]
    return tag("nav", {"aria-label": "Parts"}, links) if len(links) > 1 else Markup("")


def _section(section: Section) -> Markup:
    anchor = _anchor(section)
    heading = tag("h2", {}, tag("a", {"href": f"#{anchor}"}, section.title))
    return tag("section", {"id": anchor}, heading, blocks_html(section.blocks, anchor))


def _anchor(section: Section) -> str:
    return section.title.lower().replace(" ", "-")


@cache
def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _hash(asset: str) -> str:
    digest = hashlib.sha256(asset.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
