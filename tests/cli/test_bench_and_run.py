"""`bnfold bench` and `bnfold run`, as a user calls them. No timing is asserted."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import psutil
import pytest

import bnfold
from bnfold.cli.group import COMMANDS
from bnfold.errors import ModelError, UsageError
from tests.cli.conftest import GOOD, parsed

TIMED = {0, 3}  # 3: too noisy to say, which a busy machine may well be
QUICK = ["--pairs", "5", "--level", "all", "--processes", "1"]


def test_bench_measures_and_leaves_a_record(place, model):
    result = place.call("bench", model, model, *QUICK, "--json", "bench.json", "--html", "b.html")
    assert result.exit_code in TIMED
    assert "median ms" in result.stdout
    record = json.loads((place / "bench.json").read_text())
    assert record["command"] == "bench"
    assert [entry["path"] for entry in record["inputs"]] == [str(model)] * 2
    assert len(record["result"]["comparisons"][0]["quads"]) == 5
    assert "<html" in (place / "b.html").read_text()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--provider", "tpu"], 2, "unknown provider 'tpu'"),
        (["--level", "most"], 2, "unknown optimisation level 'most'"),
        (["--threads", "0"], 2, "--threads: '0' is no number from 1 on"),
        (["--threads", "9" * 20], 2, "threads must be at most 2147483647, not 999"),
        (["--batch", "1,x"], 2, "--batch: 'x' is no number from 1 on; write 8, or 1,8,32"),
        (["--duration", "0"], 2, "duration must be a number of seconds above 0"),
        (["--session-option", "x"], 2, "--session-option: 'x' is not of the form KEY=VALUE"),
        (["--session-option", "x=1"], 2, "onnxruntime has no such session option"),
        (["--python", "no/python"], 2, "no/python: no such file"),
        (["--pairs", "1"], 2, "1 is not in the range x>=5"),
        (["--html", "no/such/folder.html"], 2, "no such folder"),
    ],
)
def test_a_bad_request_gets_one_sentence(place, model, args, code, said):
    before = place.content()
    result = place.call("bench", model, *args)
    assert result.exit_code == code
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert place.content() == before


def test_a_custom_operator_is_named_with_the_option_before_anything_is_done(place):
    text = GOOD.replace('"" : 17', '"" : 17, "my.own" : 1').replace("] y = Batch", "] b = Batch")
    custom = parsed(text.rstrip().removesuffix("}") + "y = my.own.Fancy (b) }")
    onnx.save(custom, place / "custom.onnx")
    before = place.content()
    for command in (["bench"], ["run", "-o", "results"], ["verify", "custom.onnx"]):
        result = place.call(command[0], "custom.onnx", *command[1:])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "custom.onnx: has custom operators (my.own::Fancy)" in result.stderr
        assert "--custom-ops" in result.stderr
        assert place.content() == before
    with pytest.raises(ModelError, match=r"my\.own::Fancy"):
        bnfold.run(place / "custom.onnx")
    with pytest.raises(UsageError, match="no such file"):  # the library is asked for instead
        bnfold.run(place / "custom.onnx", custom_ops=["ops.so"])


def test_a_provider_that_does_not_run_here_is_exit_code_4(place, model):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA runs here")
    for command in (["bench", model], ["verify", model, model], ["run", model, "-o", "results"]):
        result = place.call(*command, "--provider", "cuda")
        assert result.exit_code == 4
        assert "cuda" in result.stderr
        assert result.stderr.count("\n") == 1


def test_run_leaves_the_model_and_one_report(place, model):
    result = place.call("run", model, "-o", "results", *QUICK)
    assert result.exit_code in TIMED
    titles = [line for line in result.stdout.splitlines() if line.startswith("-- ")]
    assert titles == ["-- fold", "-- verify", "-- bench", "-- report"]
    record = json.loads((place / "results" / "report.json").read_text())
    assert set(record["result"]) == {"fold", "verify", "bench"}
    assert record["result"]["verify"]["verdict"] == "equivalent"
    assert [entry["path"] for entry in record["outputs"]] == ["results/folded.onnx"]
    assert {path.name for path in (place / "results").iterdir()} >= {"folded.onnx", "report.json"}


def test_run_does_not_time_a_model_that_came_out_different(place, model, monkeypatch):
    import bnfold

    verify = bnfold.verify
    place.call("fold", model, "-o", "wrong.onnx")
    monkeypatch.setattr(bnfold, "verify", lambda a, b, **rest: different(verify(a, b, **rest)))
    result = place.call("run", model, "-o", "results", *QUICK)
    assert result.exit_code == 1
    assert "-- bench" not in result.stdout
    assert "folded.onnx was not written" in result.stdout
    record = json.loads((place / "results" / "report.json").read_text())
    assert "bench" not in record["result"]
    assert record["outputs"] == []
    assert not (place / "results" / "folded.onnx").exists()


def different(found):
    from dataclasses import replace

    return replace(found, verdict="different", reason="for the sake of this test")


def test_run_refuses_export_options_for_an_onnx_file(place, model):
    before = place.content()
    result = place.call("run", model, "-o", "results", "--fp16")
    assert result.exit_code == 2
    assert "is an ONNX file already" in result.stderr
    assert place.content() == before


@pytest.mark.parametrize("target", ["good.onnx", "no/such/results"])
def test_run_refuses_a_folder_that_cannot_be(place, model, target):
    before = place.content()
    result = place.call("run", model, "-o", target)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert place.content() == before


@pytest.mark.slow
def test_run_exports_a_spec_first(place):
    pytest.importorskip("torch")
    (place / "network.py").write_text(
        "from torch import nn\n"
        "def build():\n    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))\n"
    )
    result = place.call(
        "run", "network.py:build", "--input", "input:1,2,6,6", "-o", "results", *QUICK
    )
    assert result.exit_code in TIMED, result.stderr
    names = {path.name for path in (place / "results").iterdir()}
    assert {"original.onnx", "folded.onnx", "report.json"} <= names
    record = json.loads((place / "results" / "report.json").read_text())
    assert record["result"]["export"]["batch_norms"] == 1
    assert record["result"]["fold"]["batch_norms_after"] == 0


def names_in(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_a_second_run_replaces_all_of_the_first(place, model):
    """What the first run left and the second does not make is gone: a folder tells of one run."""
    pytest.importorskip("torch")
    code = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Conv2d(2, 3, 3))\n"
    (place / "net.py").write_text(code)
    first = ["run", "net.py:build", "--input", "input:1,2,6,6", "-o", "results", *QUICK]
    assert place.call(*first).exit_code in TIMED
    assert "original.onnx" in names_in(place / "results")
    assert place.call("run", model, "-o", "results", "--skip", "bn", *QUICK).exit_code in TIMED
    assert names_in(place / "results") == {"folded.onnx", "report.json", "report.html"}
    record = json.loads((place / "results" / "report.json").read_text())
    digest = hashlib.sha256((place / "results" / "folded.onnx").read_bytes()).hexdigest()
    assert record["outputs"][0]["sha256"] == digest
    assert record["settings"]["fold"]["skip"] == ["bn"]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fold", "verify", "bench"])
def test_a_run_that_stops_halfway_leaves_the_folder_as_it_was(place, model, monkeypatch, step):
    import bnfold
    from bnfold.errors import ModelError

    assert place.call("run", model, "-o", "results", *QUICK).exit_code in TIMED
    before = place.content()

    def stopped(*_, **__):
        raise ModelError("for the sake of this test")

    monkeypatch.setattr(bnfold, step, stopped)
    result = place.call("run", model, "-o", "results", "--skip", "bn", *QUICK)
    assert result.exit_code == 2
    assert place.content() == before


@pytest.mark.slow
def test_a_run_keeps_a_model_that_was_changed_since_the_last_run(place, model):
    assert place.call("run", model, "-o", "results", *QUICK).exit_code in TIMED
    (place / "results" / "folded.onnx").write_bytes(model.read_bytes())
    before = place.content()
    result = place.call("run", model, "-o", "results", *QUICK)
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert place.content() == before


@pytest.mark.slow
def test_a_run_names_its_files_by_where_they_are(place, model):
    result = place.call("run", model, "-o", "results", *QUICK)
    told = result.stdout + (place / "results" / "report.json").read_text()
    assert ".new" not in told
    assert "results/folded.onnx" in told


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--allow", "anything"], "constant-map"),
        (["--level", "most"], "unknown optimisation level 'most'"),
        (["--provider", "tpu"], "unknown provider 'tpu'"),
        (["--data", "missing.npz"], "missing.npz: no such file"),
        (["--dynamic", "x"], "write NAME:AXIS=DIM"),
    ],
)
def test_run_checks_every_option_before_the_first_step(place, model, args, said):
    before = place.content()
    result = place.call("run", "network.py:build", "-o", "results", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr  # and not that network.py is missing
    assert place.content() == before


def test_the_comparison_of_a_fold_takes_the_users_inputs(place, model):
    np.savez(place / "d.npz", x=np.ones((2, 2, 5, 5), np.float32))
    args = ["fold", model, "--dry-run", "--data", "d.npz", "--json", "-"]
    record = json.loads(place.call(*args, "--verify").stdout)
    assert {feed["kind"] for feed in record["result"]["verification"]["feeds"]} == {"data"}
    assert "add --verify" in place.call(*args).stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_ends_with_an_example(place, name):
    assert f"Example: bnfold {name} " in place.call(name, "--help").stdout


def test_a_run_asks_for_memory_before_it_begins(place, model, monkeypatch):
    free = psutil.virtual_memory()._replace(available=3 * model.stat().st_size - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    before = place.content()
    result = place.call("run", model, "-o", "results")
    assert result.exit_code == 2
    assert "onnxruntime, which makes weights anew to optimise, needs 0.0 GiB" in result.stderr
    assert place.content() == before
