"""The whole call on small models: what is recorded, and a difference nobody can miss.

Clocks and processes are real here, which takes seconds; `test_protocol.py` has a clock of its own.
"""

from __future__ import annotations

import json

import numpy as np
import onnx_ir
import pytest

import bnfold
from bnfold.errors import ModelError, ProviderUnavailableError, UsageError


def sines(count: int) -> str:
    """A model that takes the sine of its input `count` times over."""
    steps = "".join(f"t{i + 1} = Sin(t{i}) " for i in range(count))
    return f"g (float[N,4096] t0) => (float[N,4096] t{count}) {{ {steps} }}"


@pytest.fixture
def pair(model_file):
    return [model_file(sines(40), "slow.onnx"), model_file(sines(1), "fast.onnx")]


@pytest.mark.slow
def test_forty_times_the_work_is_slower_and_a_fortieth_is_faster(pair):
    """The difference is so large that a busy machine cannot hide it."""
    result = bnfold.bench(pair[::-1], pairs=7, levels=("none",))
    (comparison,) = result.comparisons
    assert comparison.verdict == "slower"
    assert comparison.sentence.endswith(")")
    assert comparison.ratio.high < 0.2
    back = bnfold.bench(pair, pairs=7, levels=("none",)).comparisons[0]
    assert back.verdict == "faster"
    assert back.ratio.low > 5


@pytest.mark.slow
def test_the_record_keeps_every_sample_and_survives_json(pair, model_file):
    third = model_file(sines(40), "third.onnx")
    result = bnfold.bench([*pair, third], pairs=6, batch=3, profile=True, seed=5)
    record = result.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert [(c.level, c.baseline, c.candidate) for c in result.comparisons] == [
        ("all", "slow.onnx", "fast.onnx"),
        ("all", "slow.onnx", "third.onnx"),
        ("none", "slow.onnx", "fast.onnx"),
        ("none", "slow.onnx", "third.onnx"),
    ]
    fast, third_time = result.comparisons[2:]
    assert fast.ratio.low > 5
    assert third_time.ratio.estimate < fast.ratio.estimate / 3
    assert all(len(c.quads) == len(c.null_quads) == 6 for c in result.comparisons)
    assert [c.candidate for c in result.headline] == ["fast.onnx", "third.onnx"]
    assert {(row.model, row.level) for row in result.isolated} == {
        (name, level)
        for name in ("slow.onnx", "fast.onnx", "third.onnx")
        for level in ("all", "none")
    }
    assert len(result.profiles) == 6
    assert record["inputs"] == [
        {"name": "t0", "dtype": "float32", "shape": [3, 4096], "source": "random", "batch": 3}
    ]
    assert record["schema_version"] == 1
    assert record["settings"]["seed"] == 5


@pytest.mark.slow
def test_progress_grows_to_its_total(pair):
    seen = []
    bnfold.bench(pair, pairs=5, levels=("all",), progress=lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    totals = {step[1] for step in seen}
    assert done == sorted(done)
    assert done[0] == 0
    assert totals == {done[-1]}
    assert all(label for *_, label in seen)


def test_one_model_is_measured_and_compared_with_nothing(pair):
    result = bnfold.bench(pair[0], levels="all", providers="cpu")
    assert result.comparisons == ()
    assert len(result.isolated) == 1
    assert result.is_conclusive


def test_models_in_memory_and_given_inputs_are_measured(pair):
    models = [onnx_ir.load(path) for path in pair]
    given = {"t0": np.zeros((2, 4096), np.float32)}
    result = bnfold.bench(models, pairs=5, levels="all", processes=1, data=given)
    assert [model.name for model in result.models] == ["g", "g (2)"]
    assert result.inputs[0].source == "given"
    assert result.inputs[0].shape == (2, 4096)


def test_cuda_is_refused_before_anything_is_measured(pair):
    steps = []
    with pytest.raises(ProviderUnavailableError) as refusal:
        bnfold.bench(pair, providers=("cpu", "cuda"), progress=lambda *step: steps.append(step))
    assert refusal.value.exit_code == 4
    assert steps == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pairs": 2}, "pairs must be at least 5, not 2"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"batch": (2, 0)}, "batch must be at least 1, not 0"),
        ({"duration": 0}, "duration must be a number of seconds above 0, not 0"),
        ({"duration": float("nan")}, "duration must be a number of seconds above 0, not nan"),
        ({"duration": 1, "pairs": 40}, "give one of them"),
        ({"processes": 0}, "processes must be at least 1"),
        ({"warm_up": -1}, "warm_up must be at least 0"),
        ({"seed": -3}, "seed must be at least 0, not -3"),
        ({"cuda_graph": True}, "CUDA graphs are of the provider 'cuda'"),
        ({"cuda_graph": True, "providers": "cuda", "streams": 2}, "leave the streams out"),
        ({"levels": ("most",)}, "unknown optimisation level 'most'"),
        ({"levels": ()}, "lists of at least one name"),
        ({"providers": ()}, "lists of at least one name"),
    ],
)
def test_settings_that_make_no_sense_are_refused(pair, settings, words):
    with pytest.raises(UsageError, match=words):
        bnfold.bench(pair, **settings)


def test_a_model_that_fails_on_its_inputs_is_named(model_file):
    text = "g (float[A] x, float[N,L] z) => (float[N,L] y) { y = Add(x, z) }"
    with pytest.raises(ModelError, match=r"model\.onnx: it does not run on these inputs"):
        bnfold.bench([model_file(text)], levels=("all",), dims={"A": 3, "L": 4})


@pytest.mark.slow
def test_batches_and_threads_are_swept_one_after_the_other(pair):
    """The rows tell which is which, and the inputs what was timed."""
    result = bnfold.bench(
        pair, pairs=5, levels="none", processes=1, batch=(2, 5), threads=(1, 2), streams=2
    )
    grid = [(1, 2), (1, 5), (2, 2), (2, 5)]
    assert [(c.threads, c.batch) for c in result.comparisons] == grid
    assert result.headline == result.comparisons
    assert [row.shape for row in result.inputs] == [(2, 4096), (5, 4096)]
    assert all(row.runs_per_s > 0 for row in result.isolated)


def test_a_batch_that_two_numbers_cannot_be_is_refused(model_file):
    fixed = model_file("g (float[1,3] x) => (float[1,3] y) { y = Sin(x) }")
    with pytest.raises(UsageError, match=r"batch 1 and batch 8 are the same .*fixed at \[1, 3\]"):
        bnfold.bench(fixed, batch=(1, 8))


def test_a_size_of_the_batch_by_name_is_the_batch_of_the_rows(pair):
    result = bnfold.bench(pair[0], levels="all", processes=1, dims={"N": 4})
    assert [row.batch for row in result.isolated] == [4]
    assert result.settings.batch == ()
