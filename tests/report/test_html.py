"""The page for a browser: everything a record says, nothing a model's author could slip in."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bnfold.bench.quad import Quad
from bnfold.bench.records import BenchInput, BenchModel, BenchResult, Settings
from bnfold.bench.rows import Interval, OperatorTime, Profile
from bnfold.fold.account.ledger import Decision, Ledger, Numbers
from bnfold.fold.account.size import Size
from bnfold.fold.plan import Refusal
from bnfold.report.html import html_page
from bnfold.report.sections import Findings, findings
from bnfold.verify.records import (
    DecisionRow,
    FeedRow,
    Location,
    OutputRow,
    StructureRow,
    Verification,
)
from tests.bench_rows import comparison, isolated

HOSTILE = "</code></style><script>alert('x')</script>\"onload=x &amp;"

LEDGER = Ledger(
    decisions=(
        Decision(
            "bn1", "BatchNormalization", "y1", "", 8, "folded", "backward", ("conv",),
            ("Conv 'c1'",), numbers=Numbers(3.25, 0, 2, 1.5, float("inf")),
            price=("clone",), proof=3e-16,
        ),
        Decision(
            "bn2", "BatchNormalization", "y2", "If 'i'", None, "kept",
            refusals=(Refusal("several-readers", "its value is read twice", "Relu 'r'", "cut"),),
            would_fold_with=("clone",),
        ),
    ),
    merges=("Conv 'a' and Conv 'b' became Conv 'a'",),
    bugs=("rule x did not prove itself",),
    proofs=(3e-16,),
    before=Size(12, {"Conv": 2, "BatchNormalization": 2}, 1234, 4936, 56789),
    after=Size(11, {"Conv": 2, "BatchNormalization": 1}, 1200, 4800, None),
)  # fmt: skip
VERIFICATION = Verification(
    "different", "output 'y' is off", "a.onnx", "b.onnx", "float64 reference", 4.0, 1.0, ("cpu",),
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
        comparison(verdict="faster", sentence="2.05x faster (2.00 to 2.20)",
                   ratio=Interval(2.05, 2.0, 2.2), quads=QUADS, null_quads=NULLS, interrupted=1.0),
    ),
    isolated=(isolated(session_ms=1.5, median_ms=0.25, p90_ms=0.31, peak_rss_mib=62.0),),
    profiles=(Profile(model="a.onnx", provider="cpu", level="all", runs=20,
                      operators=(OperatorTime("Conv", "CPU", 9, 0.2, 0.8),)),),
    notes=("the load average was high",),
    settings=Settings(
        ("cpu",), ("all",), threads=(1,), batch=(1,), pairs=6, duration_s=None, processes=9,
        warm_up=3, streams=0, inter_threads=1, session_options=(), seed=0, block_ms=5.0,
        confidence=0.95, resolution=1.02, margin=1.05,
    ),
    environment={"cpu": "A CPU", "cores_usable": 2, "os": "Linux", "python": "3.11", "gpu": None,
                 "versions": {"onnxruntime": "1.32.0"}},
)  # fmt: skip

VOID = {"meta", "wbr"}
TITLE = "bnfold run: net.py:build"


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
        if tag == "wbr":  # a place where a name may end a line, and no part of it
            self.text = self.text[:-1]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] not in (["style"], ["script"]):
            self.text += f"{data} "


def everything() -> str:
    return html_page(Findings(TITLE, {"": LEDGER}, VERIFICATION, BENCH))


def words_of(page: str) -> str:
    return " ".join(Page(page).text.split())


@pytest.mark.parametrize(
    "words",
    [
        "batch norms: 2 -> 1", "bn1", "Conv 'c1'", "inf", "its value is read twice",
        "several-readers", "Relu 'r'", "to do: cut", "--allow clone", "'bn2' in If 'i'",
        "Conv 'a' and Conv 'b' became Conv 'a'", "rule x did not prove itself",
        "paid: clone for 'bn1'; may be slower here: bench it",
        "1 rewrite, proven in float64 (3e-16)",
        "parameters 1,234 1,200", "56,789 not known", "different: output 'y' is off",
        "off first at Conv 'c9'", "--skip 'bn1'", "5: 420", "nan",
        "NaN where the original has numbers", "one sample only", "top-1 agrees on 99 of 100",
        "2.05x faster (2.00 to 2.20), interrupted in 100% of blocks", "0.250", "0.310", "2.0 MB",
        "ab" * 32, "the load average was high", "x float32 [1, 3, 8, 8] (random)",
        "onnxruntime 1.32.0", "80%", "bits lost: to cancellation", "range growth: largest weight",
        "1 bug of bnfold kept what it would fold",
    ],
)  # fmt: skip
def test_what_the_records_say_is_on_the_page(words):
    assert words in words_of(everything())


def test_a_record_that_is_missing_has_no_section():
    assert words_of(everything()).count("Speed") == 2  # a link to it and its heading
    assert "Speed" not in words_of(html_page(Findings(ledgers={"": LEDGER})))
    assert "Fold" not in words_of(html_page(Findings(bench=BENCH)))
    assert words_of(html_page(Findings("nothing yet"))).count("nothing yet") == 2


def test_each_ledger_of_several_has_a_section_of_its_own():
    found = words_of(html_page(Findings(ledgers={"a.onnx": LEDGER, "b.onnx": LEDGER})))
    assert found.count("Fold of a.onnx") == found.count("Fold of b.onnx") == 2


def test_the_page_asks_nobody_for_anything():
    found = Page(everything())
    assert not {"link", "img", "iframe", "object", "form"} & set(found.elements)
    assert not {"src", "onload", "onclick", "style"} & {name for _, name, _ in found.attributes}
    targets = {value for _, name, value in found.attributes if name == "href"}
    assert all(target.startswith("#") for target in targets)
    assert "url(" not in everything()
    assert "@import" not in everything()


def test_the_browser_is_told_to_run_this_script_and_no_other():
    (policy,) = (
        v for _, name, v in Page(everything()).attributes if name == "content" and "'none'" in v
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for element in ("script", "style"):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", everything(), flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


def test_names_out_of_a_model_are_text_and_nothing_else():
    bad = replace(LEDGER.decisions[0], name=HOSTILE, into=(HOSTILE,), rules=(HOSTILE,))
    row = replace(VERIFICATION.outputs[0], name=HOSTILE, remark=HOSTILE)
    comparison = replace(BENCH.comparisons[0], baseline=HOSTILE, candidate=HOSTILE, reason=HOSTILE)
    found = Page(
        html_page(
            Findings(
                HOSTILE,
                {"": Ledger(decisions=(bad,), bugs=(HOSTILE,))},
                replace(VERIFICATION, reason=HOSTILE, outputs=(row,)),
                replace(BENCH, comparisons=(comparison,), notes=(HOSTILE,)),
            )
        )
    )
    assert found.elements.count("script") == 1
    assert "onload" not in {name for _, name, _ in found.attributes}
    assert found.text.count(HOSTILE) >= 10


def test_there_is_a_dot_for_every_pair_and_one_drawing_for_every_comparison():
    found = Page(everything())
    assert found.elements.count("svg") == 1
    assert found.elements.count("circle") == 12


def test_every_link_leads_to_a_place_on_the_page_and_every_table_says_what_it_is():
    found = Page(everything())
    places = [value for _, name, value in found.attributes if name == "id"]
    assert len(places) == len(set(places))
    assert {v[1:] for _, name, v in found.attributes if name == "href"} <= set(places)
    assert found.elements.count("caption") == found.elements.count("table") > 5
    scopes = [value for tag, name, value in found.attributes if (tag, name) == ("th", "scope")]
    assert len(scopes) == found.elements.count("th")
    assert found.elements.count("main") == 1


def test_the_page_can_be_made_again_from_json_and_is_the_same():
    parts = {"fold": LEDGER, "verify": VERIFICATION, "bench": BENCH}
    stored = {name: json.loads(json.dumps(part.to_dict())) for name, part in parts.items()}
    assert html_page(findings(TITLE, stored)) == everything()


def test_light_and_dark_are_both_styled():
    assert "prefers-color-scheme: dark" in everything()
    assert "color-scheme: light dark" in everything()
