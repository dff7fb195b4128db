"""Equivalent, different or inconclusive, each with its sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

import bnfold
from benchmarks.factor.faults import FAULTS, folded
from benchmarks.factor.networks import NETWORKS
from bnfold.errors import (
    InconclusiveError,
    ModelError,
    ModelsDifferError,
    ProviderUnavailableError,
    UsageError,
)
from bnfold.runtime.engine import PROVIDERS
from bnfold.runtime.sessions import Session
from bnfold.verify.verdict import verdict_of
from tests.verify.graphs import classifier, parsed, two_convs


def test_a_model_is_equivalent_to_itself():
    found = bnfold.verify(two_convs(), two_convs())
    assert found.exit_code == 0
    assert "times the original's own rounding error" in found.reason
    found.raise_if_different()


def test_a_difference_raises_with_its_reason():
    found = bnfold.verify(two_convs(), two_convs(factor=1.001))
    assert found.exit_code == 1
    assert "'y' is off by" in found.reason
    with pytest.raises(ModelsDifferError, match="'y' is off by"):
        found.raise_if_different()


def test_random_operators_are_inconclusive_and_named():
    noisy = parsed(
        "g (float[N,4] x) => (float[N,4] y) { r = RandomNormalLike (x)  y = Add (x, r) }"
    )
    noisy.graph.node[0].name = "noise"
    found = bnfold.verify(noisy, noisy)
    assert found.exit_code == 3
    assert "RandomNormalLike 'noise'" in found.reason
    with pytest.raises(InconclusiveError):
        found.raise_if_different()


@pytest.mark.parametrize(("mode", "exit_code"), [(True, 3), (False, 0)])
def test_dropout_is_random_in_training_mode_only(mode, exit_code):
    model = parsed(
        "g (float[N,4] x) => (float[N,4] y) { y = Dropout (x, ratio, mode) }",
        ratio=np.float32(0.5),
        mode=np.array(mode),
    )
    assert bnfold.verify(model, model).exit_code == exit_code


def test_an_original_that_is_not_finite_is_inconclusive():
    broken = parsed(
        "g (float[N,4] x) => (float[N,4] y) { y = Add (x, c) }", c=np.full(4, np.nan, np.float32)
    )
    found = bnfold.verify(broken, broken)
    assert found.exit_code == 3
    assert "NaN or Inf" in found.reason


MASKED = "g (float[N,4] x) => (float[N,4] y) { y = Add (x, c) }"


def test_infinities_in_the_same_places_are_no_difference():
    mask = np.array([0, -np.inf, 0, np.inf], np.float32)
    assert bnfold.verify(parsed(MASKED, c=mask), parsed(MASKED, c=mask)).is_equivalent


@pytest.mark.parametrize("other", [[0, 0, 0, -np.inf], [0, -np.inf, 0, 0], [0, np.nan, 0, np.inf]])
def test_infinities_in_other_places_are_a_difference(other):
    mask = np.array([0, -np.inf, 0, np.inf], np.float32)
    found = bnfold.verify(parsed(MASKED, c=mask), parsed(MASKED, c=np.array(other, np.float32)))
    assert found.verdict == "different"
    assert "NaN or Inf" in found.reason


def test_integers_that_all_agree_are_the_same():
    text = "g (int64[N] x) => (int64[N] y) { y = Add (x, c) }"
    found = bnfold.verify(parsed(text, c=[5]), parsed(text, c=[5]))
    assert found.reason.startswith("every output is the same")


def test_integers_that_differ_are_counted():
    text = "g (int64[N] x) => (int64[N] y) { y = Add (x, c) }"
    found = bnfold.verify(parsed(text, c=[5]), parsed(text, c=[6]))
    assert found.verdict == "different"
    assert found.outputs[0].mismatches == found.outputs[0].elements > 0
    assert "differs in" in found.reason


@pytest.mark.parametrize(("label", "verdict"), [("cat", "equivalent"), ("cow", "different")])
def test_strings_are_compared_as_strings(label, verdict):
    """A label that differs is counted; no rounding error comes into it."""

    def labelled(*labels: str) -> onnx.ModelProto:
        model = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]>'
            "g (int64[N] x) => (string[N] y) { y = Gather (labels, x) }"
        )
        words = np.array(labels, dtype=object)
        model.graph.initializer.append(onnx.numpy_helper.from_array(words, "labels"))
        return model

    found = bnfold.verify(labelled("dog", "cat"), labelled("dog", label))
    assert found.verdict == verdict
    wanted = "every output is the same" if verdict == "equivalent" else "'y' differs in"
    assert wanted in found.reason


def test_the_second_model_failing_to_run_is_a_difference():
    stuck = parsed(
        "g (float[N,4] x) => (float[N,4] y) { z = Reshape (x, s)  y = Reshape (z, r) }",
        s=np.array([1, 4]),
        r=np.array([-1, 4]),
    )
    free = parsed("g (float[N,4] x) => (float[N,4] y) { y = Identity (x) }")
    found = bnfold.verify(free, stuck)
    assert found.verdict == "different"
    assert "does not run" in found.reason


def test_the_levels_asked_for_are_the_levels_judged():
    found = bnfold.verify(two_convs(), two_convs(), levels=("all",))
    assert {row.level for row in found.outputs} == {"all"}


def test_a_fault_that_only_optimisations_bring_points_at_the_runtime():
    good, bad = bnfold.verify(two_convs(), two_convs(factor=2.0)).outputs
    verdict, reason = verdict_of(
        [replace(good, ratio=1.0, channel_ratio=1.0, is_within=True), bad], 8
    )
    assert verdict == "different"
    assert "look at the runtime" in reason


@pytest.mark.parametrize(("bias", "verdict"), [(1e-9, "equivalent"), (1e-4, "different")])
def test_a_dead_channel_is_judged_by_the_scale_of_its_output(bias, verdict):
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3))
    weight[1] = 0
    text = "g (float[1,3,8,8] x) => (float[1,4,6,6] y) { y = Conv (x, w, b) }"
    dead, faint = [0.5, 0.0, 0.1, 0.2], [0.5, bias, 0.1, 0.2]
    assert (
        bnfold.verify(parsed(text, w=weight, b=dead), parsed(text, w=weight, b=faint)).verdict
        == verdict
    )


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"providers": "tpu"}, UsageError, "unknown provider 'tpu'"),
        ({"levels": ("most",)}, UsageError, "unknown optimisation level 'most'"),
        ({"levels": ()}, UsageError, "no optimisation level"),
        ({"custom_ops": ["/nowhere/lib.so"]}, UsageError, "no such file"),
        ({"samples": 0}, UsageError, "samples must be at least 1, not 0"),
        ({"seed": -3}, UsageError, "seed must be 0 or more, not -3"),
        ({"dims": {"N": "3"}}, UsageError, "dimension 'N' cannot have size '3'"),
    ],
)
def test_settings_that_do_not_exist_are_refused_by_name(arguments, error, words):
    with pytest.raises(error, match=words):
        bnfold.verify(classifier(), classifier(), **arguments)


def test_a_provider_that_is_not_there_is_refused():
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA runs here")
    with pytest.raises(ProviderUnavailableError, match="'cuda' is not available"):
        bnfold.verify(classifier(), classifier(), providers="cuda")


def test_a_library_that_is_none_is_refused(tmp_path):
    library = tmp_path / "ops.so"
    library.write_text("no library")
    with pytest.raises(UsageError, match=r"ops\.so: onnxruntime cannot load it"):
        bnfold.verify(classifier(), classifier(), custom_ops=[library])


def test_custom_operators_are_named():
    custom = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>'
        "g (float[N,4] x) => (float[N,4] y) { y = acme.Fancy (x) }"
    )
    with pytest.raises(ModelError, match=r"acme::Fancy.*--custom-ops"):
        bnfold.verify(custom, custom)


def test_the_record_is_json_with_a_schema_version():
    found = bnfold.verify(two_convs(), bnfold.fold(two_convs(factor=2.0)).model)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["schema_version"] == 1
    assert record["verdict"] == "different"
    assert record["location"]["sites"] == ["bn2"]
    assert len(found.rows()) == len(record["outputs"]) == 2


def test_the_same_seed_gives_the_same_record():
    first, second = (bnfold.verify(two_convs(), two_convs(), seed=5) for _ in range(2))
    assert first == second
    assert first.feeds[0].seed == (5, 0)


def test_the_record_tells_the_time_of_the_whole_call_and_two_that_differ_in_it_alone_are_equal():
    found = bnfold.verify(two_convs(), two_convs())
    record = found.to_dict()
    assert record["seconds"] == found.seconds > 0
    assert record["samples_per_second"] * record["seconds"] == pytest.approx(len(found.feeds))
    assert found == replace(found, seconds=2 * found.seconds)


def test_progress_ends_at_its_total():
    calls = []
    bnfold.verify(two_convs(), two_convs(), progress=lambda *step: calls.append(step))
    assert calls[-1][0] == calls[-1][1] == len(calls)
    assert all(what for *_, what in calls)


def test_each_provider_is_judged_and_the_one_that_differs_is_named(monkeypatch, tmp_path):
    """A second provider, which is the CPU by another name, so that every machine has it."""
    monkeypatch.setitem(PROVIDERS, "second", "CPUExecutionProvider")
    found = bnfold.verify(two_convs(), two_convs(), providers=("cpu", "second", "cpu"))
    assert found.is_equivalent
    assert found.providers == ("cpu", "second")
    onnx.save(two_convs(), tmp_path / "a.onnx")
    onnx.save(two_convs(), tmp_path / "b.onnx")
    run = Session.run

    def off_on_the_second(self, feeds, names=None):
        is_off = (self.name, self.setting.provider) == ("b.onnx", "second")
        return [array * (1.01 if is_off else 1) for array in run(self, feeds, names)]

    monkeypatch.setattr(Session, "run", off_on_the_second)
    found = bnfold.verify(tmp_path / "a.onnx", tmp_path / "b.onnx", providers=("cpu", "second"))
    assert found.exit_code == 1
    assert found.reason.startswith("on second: output 'y' is off by")
    assert bnfold.verify(tmp_path / "a.onnx", tmp_path / "b.onnx", providers="cpu")


def test_the_scores_behind_a_decision_are_compared_though_nobody_returns_them():
    """The fault turns no decision, and is caught all the same."""
    text = (
        "g (float[N,4] x) => (int64[N] y) { z = MatMul (x, w)  y = ArgMax <axis=1,keepdims=0> (z) }"
    )
    weight = np.random.default_rng(0).normal(size=(4, 6))
    found = bnfold.verify(parsed(text, w=weight), parsed(text, w=weight * 1.00001))
    assert found.verdict == "different"
    assert "what enters the ArgMax of 'y'" in found.reason
    assert next(row for row in found.outputs if row.name == "y").mismatches == 0


@pytest.mark.slow
def test_a_quantised_model_is_judged_at_every_level():
    """Integer kernels round a bias that was a float before the batch norm went into it."""
    model = NETWORKS["8 bits"](0)
    right = bnfold.verify(model, folded(model))
    assert right.is_equivalent, right.reason
    assert {row.level for row in right.outputs if row.is_judged} == {"none", "all"}
    assert bnfold.verify(model, folded(model), levels=("all",)).is_equivalent
    found = bnfold.verify(model, FAULTS["one channel's mean dropped"](model, 2))
    assert found.verdict == "different"
