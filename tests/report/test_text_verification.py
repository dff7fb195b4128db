"""A verification as a release manager reads it."""

from __future__ import annotations

from dataclasses import replace

from bnfold.report.plain import plain_text
from bnfold.report.verification_text import verification_blocks
from bnfold.verify.records import (
    DecisionRow,
    FeedRow,
    Location,
    OutputRow,
    StructureRow,
    Verification,
)

ROW = OutputRow(
    level="none", name="logits", dtype="float32", shape=(2, 10), error_original=1e-7,
    error_other=1.1e-7, ratio=1.1, channel_ratio=1.3, channel_axis=1, worst_channel=4,
    worst_feed="normal", max_difference=3e-7, mismatches=0, elements=20, non_finite=0,
    is_within=True,
)  # fmt: skip
FOUND = Verification(
    verdict="equivalent", reason="no output is further off than the original is",
    original="a.onnx", other="b.onnx", method="float64 reference", factor=4.0, floor_ulp=1.0,
    providers=("cpu",), levels=("none", "all"), outputs=(ROW,),
    feeds=(FeedRow("normal", "signed normal", (0, 1), {"x": (2, 3)}),),
)  # fmt: skip


def text_of(found, *, every_row=False):
    return plain_text(verification_blocks(found, every_row=every_row))


def test_the_verdict_and_its_sentence_come_first():
    assert text_of(FOUND).startswith("equivalent: no output is further off than the original is\n")


def test_each_output_has_a_row():
    rows = [line for line in text_of(FOUND).splitlines() if line.startswith("logits")]
    assert len(rows) == 1
    assert "ok" in rows[0]


def test_a_different_model_names_the_first_tensor_and_the_flag_that_reverts_the_fold():
    location = Location("conv3_out", "Conv 'conv3'", 120.0, ("bn3",), "first off at 'conv3_out'")
    bad = replace(FOUND, verdict="different", location=location)
    lines = text_of(bad).splitlines()
    assert lines[0].startswith("different: ")
    assert "first off at 'conv3_out'" in lines[1]
    assert "--skip 'bn3'" in lines[2]


def test_structure_is_told_only_where_it_differs():
    same = StructureRow("opset", "17", "17", is_same=True, is_fatal=False)
    other = StructureRow("metadata", "a", "b", is_same=False, is_fatal=False)
    text = text_of(replace(FOUND, structure=(same, other)))
    assert "metadata" in text
    assert "opset" not in text


def test_decisions_of_a_classifier_are_told_in_words():
    row = DecisionRow("logits", 500, 10, 500, 499, 0.02, 1e-6)
    text = text_of(replace(FOUND, decisions=(row,)))
    assert "logits: top-1 agrees on 500 of 500, top-5 on 499" in text


def test_the_inputs_are_listed_when_every_row_is_asked_for():
    assert "signed normal" not in text_of(FOUND)
    assert "signed normal" in text_of(FOUND, every_row=True)
    assert "x [2, 3]" in text_of(FOUND, every_row=True)


def test_how_long_it_took_is_told_with_the_sets_a_second():
    assert "(seed 0) in 0.25 s, 4 a second, provider cpu" in text_of(replace(FOUND, seconds=0.25))


def test_nothing_is_said_of_time_where_no_inputs_were_run():
    assert "a second" not in text_of(replace(FOUND, seconds=0.25, feeds=()))
