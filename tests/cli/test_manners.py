"""What a user gets who types something near to what there is, or wants more or less colour."""

from __future__ import annotations

import json
import re

import numpy as np
import onnx
import onnx.parser
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
        (["fold", "my.py:build", "-o", "x.onnx"], "bnfold run my.py:build -o DIR"),
        (["fold", "pack.age:build", "--dry-run"], "bnfold export pack.age:build -o OUT.onnx"),
        (["bench", "net.pt"], "net.pt: no such file"),
        (["inspect", "god.onnx"], "did you mean 'good.onnx'?"),
        (["verify", "good.onnx", "god.onnx"], "did you mean 'good.onnx'?"),
        (["fold", "good.onnx", "--dry-run", "--allow", "clon"], "did you mean 'clone'?"),
        (["inspect", "good.onnx", "--skip", "cnv"], "near it: conv"),
        (["bench", "good.onnx", "--provider", "cdua"], "did you mean 'cuda'?"),
        (["bench", "good.onnx", "--level", "non"], "did you mean 'none'?"),
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


def test_each_rule_that_merges_says_what_it_merges(place):
    from bnfold.fold.rules import MERGES

    lines = place.call("inspect", "--rules").stdout.splitlines()
    told = {line.split(maxsplit=1)[1].strip() for line in lines if line.startswith(MERGES)}
    assert len(told) == len(MERGES) == 3


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


def test_a_factory_that_is_mistyped_is_told_the_one_that_is_there(place):
    pytest.importorskip("torch")
    (place / "net.py").write_text("from torch import nn\ndef build():\n    return nn.Identity()\n")
    result = place.call("export", "net.py:biuld", "-o", "x.onnx", "--input", "x:1")
    assert result.exit_code == 2
    assert "did you mean 'build'?" in result.stderr


def test_a_note_is_told_once_and_not_at_all_with_quiet(place, model):
    """`fold` keeps an unknown operator and says so; what runs the model refuses it instead."""
    text = """<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1]>
    g (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) { [mine] y = my.ops.Foo (x) }"""
    onnx.save(onnx.parser.parse_model(text), place / "custom.onnx")
    noted = place.call("fold", "custom.onnx", "-o", "out.onnx").stderr
    assert noted.count("bnfold: note: ") == 1
    assert "note" not in place.call("fold", "custom.onnx", "-o", "out.onnx", "-q").stderr


@pytest.mark.slow
def test_a_quiet_run_prints_nothing_but_why_it_did_not_end_well(place, model):
    result = place.call("run", model, "-o", "out", "--pairs", "5", "--level", "all", "-q")
    assert result.stdout == ""
    assert bool(result.stderr) is (result.exit_code != 0)
    assert result.stderr.count("\n") <= 1


@pytest.mark.slow
def test_two_models_that_are_one_file_are_called_so_where_they_are_timed(place, model):
    (place / "copy.onnx").write_bytes(model.read_bytes())
    result = place.call(
        "bench", model, "copy.onnx", "--pairs", "5", "--level", "all", "--processes", "1"
    )
    assert "copy.onnx and good.onnx are the same file, byte for byte" in result.stdout


def test_times_are_taken_on_the_users_inputs(place, model):
    np.savez(place / "d.npz", x=np.ones((4, 2, 5, 5), np.float32))
    args = [
        "bench",
        model,
        "--level",
        "all",
        "--processes",
        "1",
        "--data",
        "d.npz",
        "--batch",
        "3",
        "--json",
        "-",
    ]
    record = json.loads(place.call(*args).stdout)
    (fed,) = record["result"]["inputs"]
    assert (fed["shape"], fed["source"]) == ([3, 2, 5, 5], "given")
    assert "d.npz" in [entry["path"] for entry in record["inputs"]]


def test_the_code_and_the_arrays_of_an_export_are_among_its_inputs(place):
    pytest.importorskip("torch")
    (place / "net.py").write_text("from torch import nn\ndef build():\n    return nn.ReLU()\n")
    np.save(place / "x.npy", np.ones((1, 3), np.float32))
    args = ["export", "net.py:build", "-o", "x.onnx", "--input", "input:x.npy", "--json", "-"]
    record = json.loads(place.call(*args).stdout)
    assert [entry["path"] for entry in record["inputs"]] == ["net.py", "x.npy"]


@pytest.mark.slow
def test_what_a_run_was_verified_on_is_kept_where_it_was_asked_for(place, model):
    args = ["run", model, "-o", "out", "--pairs", "5", "--level", "all", "--save-data", "sets"]
    assert place.call(*args).exit_code in {0, 3}
    assert (place / "sets" / "test_data_set_0" / "input_0.pb").is_file()
    settings = json.loads((place / "out" / "report.json").read_text())["settings"]
    assert settings["verify"]["save_data"] == "sets"


def test_what_may_have_been_meant_ends_the_sentence(place):
    said = place.call("fold", "net.onnx", "--verfy").stderr
    begin = "bnfold: no such option '--verfy'; did you mean one of: '--verbose', '--verify'? See '"
    assert said.startswith(begin)


def test_a_link_to_nothing_is_not_what_may_be_meant(place):
    (place / "net.onnx").symlink_to("nowhere.onnx")
    result = place.call("inspect", "net.onnx")
    assert result.exit_code == 2
    assert result.stderr.strip() == "bnfold: net.onnx: no such file"
