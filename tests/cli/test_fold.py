"""`bnfold fold` and `bnfold inspect`, as a user calls them."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import onnx.parser
import pytest

from tests.cli.conftest import in_bfloat16
from tests.fold.property.text_models import model as text_model
from tests.fold.property.text_models import norm, weight


def operators(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def test_a_fold_prints_the_ledger_and_writes_the_model(place, model):
    result = place.call("fold", model, "-o", place / "out.onnx")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines()[0] == "batch norms: 1 -> 0"
    assert "Conv 'conv'" in result.stdout
    assert re.search(r"out.onnx, with no batch norm left, in \d+\.\d s$", result.stdout.rstrip())
    assert operators(place / "out.onnx") == ["Conv"]


def test_in_and_out_may_be_the_same_file(place, model):
    assert place.call("fold", model, "-o", model).exit_code == 0
    assert operators(model) == ["Conv"]
    assert list(place.content()) == ["good.onnx"]


def test_inspect_writes_nothing(place, model):
    before = place.content()
    result = place.call("inspect", model)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2] == "batch norms: 1 -> 0"
    assert place.content() == before


def test_the_whole_is_compared_in_a_fold_and_in_inspect_where_asked_to(place, model):
    checked = "checked in onnxruntime"
    assert checked in place.call("fold", model, "--dry-run").stdout
    assert checked not in place.call("fold", model, "--dry-run", "--no-check").stdout
    assert checked not in place.call("inspect", model).stdout
    assert checked in place.call("inspect", model, "--check").stdout


def test_equalizing_that_changes_nothing_says_so(place, model):
    result = place.call("fold", model, "--dry-run", "--equalize")
    assert result.exit_code == 0
    assert "--equalize: nothing here is evened out" in result.stderr


def test_a_dry_run_writes_nothing(place, model):
    before = place.content()
    result = place.call("fold", model, "--dry-run", "-o", place / "out.onnx")
    assert result.exit_code == 0
    assert "wrote" not in result.stdout
    assert place.content() == before


def test_a_kept_batch_norm_names_what_stopped_it(place, stuck):
    result = place.call("inspect", stuck)
    assert result.exit_code == 0
    assert "batch norms: 1 -> 1" in result.stdout
    assert "kept: 1" in result.stdout
    assert "Relu" in result.stdout


def test_all_shows_a_row_for_each_batch_norm_and_its_numbers(place, model):
    stdout = place.call("inspect", model, "--all").stdout
    assert "BatchNormalization" in stdout
    assert "largest |s|" in stdout


def test_skip_leaves_a_batch_norm(place, model):
    place.call("fold", model, "-o", place / "out.onnx", "--skip", "bn")
    assert operators(place / "out.onnx") == ["Conv", "BatchNormalization"]


def test_an_unknown_price_is_refused_with_the_known_ones(place, model):
    before = place.content()
    result = place.call("fold", model, "-o", "out.onnx", "--allow", "anything")
    assert result.exit_code == 2
    assert "constant-map" in result.stderr
    assert place.content() == before


def test_strict_fails_where_a_rewrite_cannot_be_proven(place):
    """Row 5 of two: no size runs, so that nothing can be compared."""
    nodes = "r = Relu(x) b = BN(r, n) a = Gather(b, at) y = MatMul(a, w)"
    text = f"(float[2,4] x) => (float y) {{ {nodes} }}"
    constants = {"at": np.array([5]), "w": weight(4, 2), **norm("n", 4)}
    onnx.save(text_model(text, constants), place / "rows.onnx")
    assert place.call("fold", place / "rows.onnx", "-o", place / "out.onnx").exit_code == 0
    result = place.call("fold", place / "rows.onnx", "-o", place / "strict.onnx", "--strict")
    assert result.exit_code == 3
    assert "could not be proven" in result.stderr
    assert not (place / "strict.onnx").exists()


def test_quiet_prints_nothing(place, model):
    result = place.call("fold", model, "-o", place / "out.onnx", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert operators(place / "out.onnx") == ["Conv"]


def test_output_in_a_pipe_is_plain(place, model):
    done = place.spawn("fold", model, "-o", "out.onnx")
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_json_has_versions_settings_and_hashes_of_both_files(place, model):
    place.call("fold", model, "-o", "out.onnx", "--json", "ledger.json", "--skip", "gemm")
    record = json.loads((place / "ledger.json").read_text())
    assert record["schema_version"] == 1
    assert record["command"] == "fold"
    assert record["settings"]["skip"] == ["gemm"]
    for kind, path in (("inputs", model), ("outputs", place / "out.onnx")):
        (entry,) = record[kind]
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entry["size_bytes"] == path.stat().st_size
    (decision,) = record["result"]["decisions"]
    assert decision["status"] == "folded"


def test_json_of_a_fold_in_place_has_the_hash_that_the_input_had(place, model):
    before = hashlib.sha256(model.read_bytes()).hexdigest()
    record = json.loads(place.call("fold", model, "-o", model, "--json", "-").stdout)
    assert record["inputs"][0]["sha256"] == before
    assert record["outputs"][0]["sha256"] != before


def test_json_on_stdout_has_it_to_itself(place, model):
    record = json.loads(place.call("inspect", model, "--json", "-").stdout)
    assert record["result"]["batch_norms_before"] == 1


def test_the_same_input_gives_the_same_bytes(place, model):
    for name in ("a", "b"):
        place.spawn("fold", model, "-o", f"{name}.onnx", "--json", f"{name}.json")
    assert (place / "a.onnx").read_bytes() == (place / "b.onnx").read_bytes()
    a, b = (json.loads((place / f"{name}.json").read_text()) for name in "ab")
    assert a["result"] == b["result"]


BAD_TARGETS = {
    "no/such/folder/out.onnx": "there is no such folder",
    "good.onnx/out.onnx": "this is a file, not a folder",
    ".": "this is a folder",
}


@pytest.mark.parametrize("target", BAD_TARGETS)
@pytest.mark.parametrize("option", ["-o", "--json"])
def test_a_target_that_cannot_be_written_is_refused_before_the_work(place, model, target, option):
    before = place.content()
    args = ["-o", target] if option == "-o" else ["-o", "out.onnx", "--json", target]
    result = place.call("fold", model, *args)
    assert result.exit_code == 2
    assert BAD_TARGETS[target] in result.stderr
    assert result.stderr.count("\n") == 1
    assert place.content() == before


def test_a_file_system_that_takes_no_files_gets_a_sentence(place, model):
    result = place.call("fold", model, "-o", "/proc/bnfold-test.onnx")
    assert result.exit_code == 2
    assert "/proc" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_two_commands_racing_on_one_output_leave_one_whole_model(place, model):
    command = [sys.executable, "-m", "bnfold", "fold", str(model), "-o", "out.onnx", "--quiet"]
    racers = [
        subprocess.Popen([*command, *more], stderr=subprocess.PIPE, cwd=place.folder)
        for more in ([], ["--skip", "bn"], [])
    ]
    for racer in racers:
        _, stderr = racer.communicate()
        assert (racer.returncode, stderr) == (0, b"")
    assert sorted(place.content()) == ["good.onnx", "out.onnx"]
    assert operators(place / "out.onnx") in (["Conv"], ["Conv", "BatchNormalization"])


def test_simplify_folds_what_onnxsim_leaves(place, stuck):
    pytest.importorskip("onnxsim")
    result = place.call("fold", stuck, "-o", place / "out.onnx", "--simplify")
    assert result.exit_code == 0
    assert operators(place / "out.onnx") == ["Conv", "Relu", "BatchNormalization"]


def test_simplify_is_quiet_about_what_onnxsim_cannot_compute(place, model, capfd):
    """It prints a traceback for each operator in bfloat16."""
    in_bfloat16(model)
    result = place.call("fold", model, "-o", "out.onnx", "--simplify", "--no-check")
    assert result.exit_code == 0
    assert "raceback" not in result.stderr + "".join(capfd.readouterr())


def test_simplify_without_onnxsim_says_how_to_get_it(place, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxsim", None)
    before = place.content()
    result = place.call("fold", model, "-o", "out.onnx", "--simplify")
    assert result.exit_code == 2
    assert "pip install onnxsim" in result.stderr
    assert place.content() == before


def test_the_shape_of_the_record_does_not_change_unnoticed(place, model):
    """Who adds a key adds it here; who takes one away raises the schema version."""
    record = json.loads(place.call("inspect", model, "--json", "-").stdout)
    result = record["result"]
    (decision,) = result["decisions"]
    assert result["schema_version"] == 1
    assert set(result) == {
        "schema_version", "batch_norms_before", "batch_norms_after", "decisions", "merges", "bugs",
        "opinion", "proofs", "before", "after", "repairs", "subnormals", "flushed", "tried",
        "unproven", "equalized", "allowances",
    }  # fmt: skip
    assert set(decision) == {
        "name", "op", "output", "scope", "channels", "status", "direction", "rules", "into",
        "refusals", "would_fold_with", "numbers", "price", "proof",
    }  # fmt: skip
    assert set(decision["numbers"]) == {
        "largest_scale", "zero_scales", "negative_scales", "lost_bits", "range_growth",
    }  # fmt: skip


def test_a_refusal_in_the_record_has_a_code_a_place_and_advice(place, stuck):
    record = json.loads(place.call("inspect", stuck, "--json", "-").stdout)
    (decision,) = record["result"]["decisions"]
    assert decision["status"] == "kept"
    for refusal in decision["refusals"]:
        assert set(refusal) == {"code", "sentence", "at", "advice"}


def test_the_comparison_of_a_fold_is_made_at_the_sizes_that_were_given(place, model):
    args = ["fold", model, "-o", "out.onnx", "--dim", "N=11"]
    result = place.call(*args, "--verify", "--json", "fold.json")
    assert result.exit_code == 0
    record = json.loads((place / "fold.json").read_text())
    assert record["settings"]["dims"] == ["N=11"]
    assert "x [11,2,5,5]" in result.stdout
    assert "[1,2,5,5]" not in result.stdout
    assert "add --verify or --tune" in place.call(*args).stderr
    assert "write NAME=SIZE" in place.call(*args[:-1], "N", "--verify").stderr
