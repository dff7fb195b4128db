"""What a user gets who types something near to what there is, or wants more or less colour."""

from __future__ import annotations

import json
import re

import onnx
import pytest

from tests.cli.conftest import GOOD, parsed


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["fild", "good.onnx"], "did you mean 'fold'?"),
        (["verfy"], "did you mean 'verify'?"),
        (["good.onnx"], "did you mean 'bnfold fold good.onnx'?"),
        (["fold", "good.onnx", "out.onnx"], "bnfold fold good.onnx -o out.onnx"),
        (["inspect", "good.onnx", "-q", "-v"], "--quiet and --verbose exclude each other"),
        (["-v", "inspect", "good.onnx", "-q"], "--quiet and --verbose exclude each other"),
        (["zzz"], "No such command"),
        (["fold", "good.onnx", "-o", "x.onnx", "more"], "unexpected extra argument"),
    ],
)
def test_a_near_miss_is_told_what_to_type(place, model, args, said):
    before = place.content()
    result = place.call(*args)
    assert result.exit_code == 2
    assert said.lower() in result.stderr.lower()
    assert result.stderr.count("\n") == 1
    assert place.content() == before


def test_quiet_says_why_the_models_differ(place, model):
    onnx.save(parsed(GOOD.replace("mean = {0.3,", "mean = {0.4,")), place / "wrong.onnx")
    result = place.call("verify", "good.onnx", "wrong.onnx", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bnfold: different: output 'y' is off by")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "is_coloured"), [("FORCE_COLOR", True), ("PATH", False)])
def test_colour_in_a_pipe_can_be_asked_for(place, model, monkeypatch, name, is_coloured):
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if is_coloured:
        monkeypatch.setenv(name, "1")
    assert ("\x1b[" in place.spawn("inspect", "good.onnx").stdout) is is_coloured


def test_the_rules_are_listed_as_skip_takes_them(place, model):
    from bnfold.fold.rules import RULE_NAMES

    result = place.call("inspect", "--rules")
    assert result.exit_code == 0
    first_words = [line.split()[0] for line in result.stdout.splitlines() if line]
    for name in RULE_NAMES:
        assert first_words.count(name) == 1
        assert place.call("inspect", "good.onnx", "--skip", name).exit_code == 0


@pytest.mark.parametrize("width", ["40", "80"])
def test_a_narrow_screen_loses_no_figure_and_no_verdict(place, model, monkeypatch, width):
    """What does not fit in columns stands in lines."""
    assert place.call("fold", "good.onnx", "-o", "folded.onnx").exit_code == 0
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", width)
    shown = place.spawn("verify", "good.onnx", "folded.onnx", "--json", "v.json").stdout
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    row = json.loads((place / "v.json").read_text())["result"]["outputs"][0]
    assert f"{row['error_original']:.1e}" in plain
    assert f"{row['max_difference']:.1e}" in plain
    assert re.search(r"\bok\b", plain)
    assert max(map(len, plain.splitlines())) <= int(width)
