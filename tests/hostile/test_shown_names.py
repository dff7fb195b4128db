"""Names that would steer a terminal, turn a line round or never end: shown escaped and cut."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import onnx
import pytest
from click.testing import CliRunner

from bnfold.cli import main
from tests.hostile.seeds import everything

NAMES = {
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "C1": "\x9b31mred",
    "NUL": "a\x00b",
    "override": "safe\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "no character": "\ufffe\uffff",
    "markup": "<script>alert(1)</script>|`*_]]>",
    "new line": "a\nbnfold: all is well\r",
    "megabyte": "n" * 1_000_000,
}
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
LONGEST = 300_000  # bytes of a page, style and script included


def named(name: str) -> onnx.ModelProto:
    """A model in which every name that a report may show is this one; two models differ by it."""
    model = everything()
    model.graph.name = name
    model.graph.doc_string = name
    for node in model.graph.node:
        node.name = f"{name} {node.op_type}"
    for values in (model.graph.input, model.graph.output):
        for value in values:
            rename(model.graph, value.name, f"{name} {value.name}")
    rename(model.graph, "n", f"{name} normalised")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = name
    return model


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = new if value.name == old else value.name
    for node in graph.node:
        for ends in (node.input, node.output):
            for index, name in enumerate(ends):
                if name == old:
                    ends[index] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename(attribute.g, old, new)


@pytest.fixture(
    params=[pytest.param(n, marks=pytest.mark.slow if n == "megabyte" else ()) for n in NAMES]
)
def name(request: pytest.FixtureRequest) -> str:
    return NAMES[request.param]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Path:
    onnx.save(named(name), tmp_path / "m.onnx")
    other = named(name)
    for tensor in other.graph.initializer:
        if tensor.name == "b":
            tensor.float_data[0] += 1
    onnx.save(other, tmp_path / "other.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(*args: str, code: int, colours: bool = False) -> str:
    """What the command says on both streams."""
    env = {"FORCE_COLOR": "1"} if colours else {}
    done = CliRunner().invoke(main, list(args), env=env)
    assert done.exit_code == code, done.output
    return done.stdout + done.stderr


def texts(value: object) -> list[str]:
    """All strings within JSON values."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for item in inner for text in texts(item)]
    return [value] if isinstance(value, str) else []


def assert_harmless(text: str) -> None:
    assert not HIDDEN.search(text), HIDDEN.search(text)
    assert len(text) < LONGEST
    assert not re.search(r"^bnfold: all is well", text, re.M)


def test_the_ledger_is_harmless(place):
    assert_harmless(printed("inspect", "m.onnx", "--all", code=0))
    text = printed("inspect", "m.onnx", "--all", code=0, colours=True)
    assert_harmless(re.sub("\x1b\\[[0-9;]*m", "", text))


def test_a_page_is_harmless_and_the_record_exact(place, name):
    printed("inspect", "m.onnx", "--json", "r.json", code=0)
    record = json.loads((place / "r.json").read_text())
    assert any(f"{name} BatchNormalization" in text for text in texts(record))
    assert_harmless(printed("report", "r.json", "--all", code=0))
    printed("report", "r.json", "--html", "r.html", code=0)
    page = (place / "r.html").read_text()
    assert_harmless(page)
    assert "<script>alert" not in page


def test_a_verdict_is_harmless_in_all_its_forms(place):
    args = ("verify", "m.onnx", "other.onnx", "--samples", "2", "--all")
    forms = ("--junit", "v.xml", "--html", "v.html", "--json", "v.json")
    assert_harmless(printed(*args, *forms, code=1))
    assert_harmless((place / "v.html").read_text())
    assert_harmless((place / "v.xml").read_text())
    assert ET.parse(place / "v.xml").getroot().find(".//failure") is not None
    printed("report", "v.json", "--markdown", "v.md", code=0)
    assert_harmless((place / "v.md").read_text())


def test_a_refusal_is_harmless(place, name):
    model = onnx.load("m.onnx")
    model.graph.node[0].input[0] = f"{name} that is nowhere"
    onnx.save(model, "bad.onnx")
    said = printed("fold", "bad.onnx", "-o", "out.onnx", code=2)
    assert said.count("\n") == 1
    assert_harmless(said)
    verbose = printed("fold", "bad.onnx", "-o", "out.onnx", "--verbose", code=2)
    assert not HIDDEN.search(verbose)
