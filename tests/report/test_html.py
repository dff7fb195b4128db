"""The page for a browser: everything a record says, nothing a model's author could slip in."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bnfold.bench.records import (
    BenchInput,
    BenchModel,
    BenchResult,
    Comparison,
    Interval,
    Isolated,
    OperatorTime,
    Profile,
    Quad,
    Settings,
)
from bnfold.errors import MissingDependencyError
from bnfold.fold.account.ledger import Decision, Ledger, Numbers
from bnfold.fold.plan import Refusal
from bnfold.report.html import html_page, write_html
from bnfold.verify.records import (
    DecisionRow,
    FeedRow,
    Location,
    OutputRow,
    StructureRow,
    Verification,
)

HOSTILE = "</code></style><script>alert('x')</script>\"onload=x &amp;"

LEDGER = Ledger(
    decisions=(
        Decision(
            "bn1", "BatchNormalization", "y1", "", 8, "folded", "backward", ("conv",),
            ("Conv 'c1'",), numbers=Numbers(3.25, 0, 2, 1.5, float("inf")),
        ),
        Decision(
            "bn2", "BatchNormalization", "y2", "If 'i'", None, "kept",
            refusals=(Refusal("several-readers", "its value is read twice", "Relu 'r'", "cut"),),
            would_fold_with=("clone",),
        ),
    ),
    merges=("Conv 'a' and Conv 'b' became Conv 'a'",),
    bugs=("rule x did not prove itself",),
)  # fmt: skip
VERIFICATION = Verification(
    "different", "output 'y' is off", "a.onnx", "b.onnx", "float64 reference", 4.0, 1.0, "cpu",
    ("none", "all"),
    outputs=(
        OutputRow("none", "y", "float32", (1, 8), 1e-7, 3e-5, 300.0, 420.0, 1, 5, "impulse", 2e-4,
                  0, 8, 0, False, "NaN where the original has numbers"),
        OutputRow("all", "z", "int64", (1,), 0.0, 0.0, float("nan"), None, None, None, "wide", 0.0,
                  0, 1, 0, True),
    ),
    structure=(StructureRow("opset", "17", "18", False, True),),
    feeds=(FeedRow("wide", "random", (0, 1), {"x": (1, 3)}), FeedRow("mine", "user", None, {})),
    decisions=(DecisionRow("y", 100, 10, 99, None, 0.25, 1e-6),),
    location=Location("t9", "Conv 'c9'", 99.0, ("bn1",), "off first at Conv 'c9'"),
    notes=("one sample only",),
)  # fmt: skip
QUADS = tuple(
    Quad(order, ms)
    for order, ms in (("ABBA", (2.0, 1.0, 1.0, 2.0)), ("BAAB", (1.0, 2.2, 2.2, 1.0))) * 3
)
NULLS = tuple(Quad("ABBA", (2.0, 2.0, 2.0, 2.0)) for _ in range(6))
BENCH = BenchResult(
    models=(
        BenchModel("a.onnx", "/m/a.onnx", "baseline", 2_000_000, "ab" * 32),
        BenchModel("b.onnx", "/m/b.onnx", "candidate", 1_000, "cd" * 32),
    ),
    inputs=(BenchInput("x", "float32", (1, 3, 8, 8), "random"),),
    comparisons=(
        Comparison("cpu", "all", "a.onnx", "b.onnx", "faster", "2.05x faster (2.00 to 2.20)", "",
                   Interval(2.05, 2.0, 2.2), Interval(1.0, 0.99, 1.01),
                   {"baseline": 3, "candidate": 5}, QUADS, NULLS),
    ),
    isolated=(Isolated("a.onnx", "cpu", "all", 1.5, 0.25, 0.2, 0.31, 62.0, 51.0, (1.5,), (0.25,)),),
    profiles=(Profile("a.onnx", "cpu", "all", 20, (OperatorTime("Conv", "CPU", 9, 0.2, 0.8),)),),
    notes=("the load average was high",),
    settings=Settings(("cpu",), ("all",), 1, 1, 6, 0, 5.0, 0.95, 1.02, 1.05),
    environment={"cpu": "A CPU", "cores_usable": 2, "os": "Linux", "python": "3.11", "gpu": None,
                 "versions": {"onnxruntime": "1.32.0"}},
)  # fmt: skip

VOID = {"meta", "br", "img", "link", "input", "hr"}
SELF_CLOSED = {"rect", "line", "circle"}


class Page(HTMLParser):
    """The text and the elements of a page; fails where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.elements, self.attributes = "", [], []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(**records) -> Page:
    return Page(html_page(**records))


def everything() -> str:
    return html_page(ledger=LEDGER, verification=VERIFICATION, bench=BENCH)


@pytest.mark.parametrize(
    "words",
    [
        "2 batch norms before, 1 after", "bn1", "Conv 'c1'", "inf",
        "its value is read twice", "[several-readers]", "Relu 'r'", "cut", "--allow clone",
        "in If 'i'", "Conv 'a' and Conv 'b' became Conv 'a'", "rule x did not prove itself",
        "output 'y' is off", "off first at Conv 'c9'", "--skip bn1", "5: 4.2e+02", "nan",
        "NaN where the original has numbers", "one sample only", "top-1 agrees on 99 of 100",
        "2.05x faster (2.00 to 2.20)", "0.250", "0.200 to 0.310", "2.0 MB", "ab" * 32,
        "the load average was high", "float32 [1, 3, 8, 8]", "onnxruntime 1.32.0", "80%",
    ],
)  # fmt: skip
def test_what_the_records_say_is_on_the_page(words):
    assert words in " ".join(Page(everything()).text.split())


def test_a_record_that_is_missing_has_no_section():
    assert {"Fold", "Verification", "Speed"} <= set(Page(everything()).text.splitlines())
    assert "Speed" not in page(ledger=LEDGER).text
    assert "Fold" not in page(bench=BENCH).text
    assert page(title="nothing yet").text.count("nothing yet") == 2


def test_the_page_asks_nobody_for_anything():
    found = Page(everything())
    assert not {"script", "link", "img", "iframe", "object"} & set(found.elements)
    assert not {"src", "href", "onload", "onclick"} & {name for _, name, _ in found.attributes}
    assert "url(" not in everything()
    assert "@import" not in everything()


def test_names_out_of_a_model_are_text_and_nothing_else():
    bad = replace(LEDGER.decisions[0], name=HOSTILE, into=(HOSTILE,), rules=(HOSTILE,))
    row = replace(VERIFICATION.outputs[0], name=HOSTILE, remark=HOSTILE)
    comparison = replace(BENCH.comparisons[0], baseline=HOSTILE, candidate=HOSTILE, reason=HOSTILE)
    found = page(
        title=HOSTILE,
        ledger=Ledger(decisions=(bad,), bugs=(HOSTILE,)),
        verification=replace(VERIFICATION, reason=HOSTILE, outputs=(row,)),
        bench=replace(BENCH, comparisons=(comparison,), notes=(HOSTILE,)),
    )
    assert "script" not in found.elements
    assert "onload" not in {name for _, name, _ in found.attributes}
    assert found.text.count(HOSTILE) >= 10


def test_there_is_a_dot_for_every_pair_and_one_drawing_for_every_comparison():
    found = Page(everything())
    assert found.elements.count("svg") == 1
    assert found.elements.count("circle") == 12


def test_the_page_can_be_made_again_from_json_and_is_the_same():
    records = {"ledger": LEDGER, "verification": VERIFICATION, "bench": BENCH}
    stored = {
        name: json.loads(json.dumps(record.to_dict(), default=str))
        for name, record in records.items()
    }
    assert html_page(**stored) == html_page(**records)


def test_light_and_dark_are_both_styled():
    assert "prefers-color-scheme: dark" in everything()
    assert "color-scheme: light dark" in everything()


def test_without_jinja2_the_request_is_refused_and_no_file_appears(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bnfold\[html\]'"):
        write_html(tmp_path / "page.html", ledger=LEDGER)
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_written_where_it_was_asked_for(tmp_path):
    write_html(tmp_path / "page.html", bench=BENCH)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text == html_page(bench=BENCH)
