"""Pairs drawn at random: graphs that run, faults that change them, tables that count."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from benchmarks.drawn_pairs.faults import FAULTS
from benchmarks.drawn_pairs.graphs import drawn_graph, with_declared_shape
from benchmarks.drawn_pairs.runs import are_apart, feeds_of, outputs
from benchmarks.drawn_pairs.tables import FaultRow, RewriteRow, fault_table, rewrite_table

EVERY = [fault for faults in FAULTS.values() for fault in faults]
SEEDS = range(80)


def with_fault(fault):
    """The first graph that has a place for the fault and runs with it, and the wrong copy."""
    for seed in SEEDS:
        model = drawn_graph(seed)
        wrong = onnx.ModelProto()
        wrong.CopyFrom(model)
        if not fault(wrong, np.random.default_rng(seed)) or wrong == model:
            continue
        if outputs(wrong, feeds_of(model)[:1])[0] is not None:
            return model, wrong
    raise AssertionError(f"{fault.__name__} has no place in {len(SEEDS)} graphs")


@pytest.mark.parametrize("seed", range(10))
def test_a_drawn_graph_runs_and_is_not_apart_from_itself(seed):
    model = drawn_graph(seed)
    found = outputs(model, feeds_of(model))
    assert sum(each is not None for each in found) >= 3
    assert not are_apart(found, outputs(drawn_graph(seed), feeds_of(model)))


@pytest.mark.parametrize("fault", EVERY, ids=lambda fault: fault.__name__)
def test_a_fault_leaves_a_valid_graph(fault):
    onnx.checker.check_model(with_declared_shape(with_fault(fault)[1]))


def test_what_is_off_everywhere_is_apart():
    model, wrong = with_fault(next(f for f in EVERY if f.__name__ == "all_off"))
    feeds = feeds_of(model)
    assert are_apart(outputs(model, feeds), outputs(wrong, feeds))


def test_a_fault_that_is_missed_counts_among_those_that_are_apart():
    rows = [
        FaultRow(0, "a bound", True, "different", ""),
        FaultRow(1, "a bound", True, "equivalent", ""),
        FaultRow(2, "a bound", False, "different", ""),
    ]
    assert "| a bound | 3 | 2 | 1 | 1 | 1 |" in fault_table(rows)
    assert [row.is_contrary for row in rows] == [False, True, False]


def test_a_rewrite_that_failed_or_is_wrong_is_not_among_the_correct_ones():
    known = (("correct", "equivalent"), ("correct", "different"), ("wrong", "different"))
    rows = [RewriteRow(i, "onnxsim", *each, "") for i, each in enumerate((*known, ("failed", "")))]
    assert "| onnxsim | 3 | 2 | 1 |" in rewrite_table(rows)
    assert [row.is_contrary for row in rows] == [False, True, False, False]
