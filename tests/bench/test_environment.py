"""What the machine is, and when its numbers deserve a warning."""

from __future__ import annotations

import json

import pytest

from bnfold.bench.environment import device_facts, disagreements, disturbances, doubts, environment
from bnfold.bench.rows import Interval
from tests.bench_rows import comparison, isolated

QUIET = {"load_average": [0.1, 0.1, 0.1], "cores_usable": 4, "governor": "performance"}


def test_the_facts_are_json_and_name_the_machine_and_the_versions():
    facts = environment(with_gpu=False)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu"]
    assert facts["cores_usable"] >= 1
    assert all(facts["versions"].values())
    assert facts["gpu"] is None


def test_a_quiet_machine_raises_no_doubt():
    assert doubts(QUIET, threads=4) == ()
    assert doubts({**QUIET, "load_average": None, "governor": None}, threads=1) == ()


@pytest.mark.parametrize(
    ("change", "threads", "words"),
    [
        ({"load_average": [3.2, 1.0, 1.0]}, 1, "load average was 3.2 on 4 cores"),
        ({"governor": "powersave"}, 1, "governor is 'powersave'"),
        ({}, 8, "8 threads on 4 usable cores"),
    ],
)
def test_what_makes_numbers_unsure_is_said(change, threads, words):
    (sentence,) = doubts({**QUIET, **change}, threads=threads)
    assert words in sentence


@pytest.mark.parametrize(("share", "is_told"), [(0.6, True), (0.05, False), (None, False)])
def test_frequent_interruptions_are_told_once_for_each_level(share, is_told):
    rows = [comparison(candidate=name, verdict="faster", interrupted=share) for name in ("b", "c")]
    told = ("cpu, optimisations all: other programs interrupted 60% of the blocks",)
    assert disturbances(rows) == (told if is_told else ())


@pytest.mark.parametrize(
    ("median_ms", "verdict", "is_told"),
    [(9.6, "faster", False), (6.0, "faster", True), (6.0, "inconclusive", False)],
)
def test_a_ratio_of_pairs_that_the_models_alone_contradict_is_told(median_ms, verdict, is_told):
    found = Interval(1.05, 1.02, 1.08)
    pair = comparison(baseline="a", candidate="b", verdict=verdict, ratio=found)
    rows = [isolated(model=name, median_ms=ms) for name, ms in (("a", 10.0), ("b", median_ms))]
    said = disagreements([pair], rows)
    assert len(said) == is_told
    assert all("its ratio is 1.05 in pairs, and 1.67 of the medians" in one for one in said)


def test_how_a_device_computed_and_what_did_not_run_on_it_is_told_once():
    options = {"use_tf32": "1", "cudnn_conv_algo_search": "EXHAUSTIVE"}
    rows = [isolated(provider="cuda", options=options, elsewhere=e) for e in ({"TopK": 2}, {})]
    told = device_facts([*rows, isolated()])
    assert told[0] == "cuda: cudnn_conv_algo_search EXHAUSTIVE, use_tf32 1"
    assert told[1].startswith("a.onnx, optimisations all: not all of it runs on cuda: 2 TopK;")
    assert len(told) == 2
