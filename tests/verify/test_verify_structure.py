"""Inputs, outputs, dtypes, shapes, opset and metadata are compared before anything runs."""

from __future__ import annotations

import pytest

import bnfold
from bnfold.errors import UsageError
from tests.verify.graphs import parsed

BASE = "g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"


def rows(found):
    return {row.what: row for row in found.structure}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("g (float[N,4] z) => (float[N,4] y) { y = Relu (z) }", "x in the original, z in the"),
        ("g (float[N,4] x, float[4] z) => (float[N,4] y) { y = Add (x, z) }", "x, z in the other"),
        ("g (float16[N,4] x) => (float16[N,4] y) { y = Relu (x) }", r"float16\[N,4\] in the other"),
        ("g (float[N,5] x) => (float[N,5] y) { y = Relu (x) }", r"float32\[N,5\] in the other"),
        ("g (float[N,4,1] x) => (float[N,4,1] y) { y = Relu (x) }", r"float32\[N,4,1\]"),
    ],
)
def test_different_inputs_are_a_difference_without_a_run_as_outputs_are(other, words):
    found = bnfold.verify(parsed(BASE), parsed(other))
    assert found.verdict == "different"
    assert not found.outputs
    with pytest.raises(bnfold.BnfoldError, match=f"different inputs.*{words}"):
        found.raise_if_different()


RENAMED = "g (float[N,4] a, float[N,4] y) => (float[N,4] x) { b = Sub (a, y)  x = Relu (b) }"
ORIGINAL = "g (float[N,4] x, float[N,4] b) => (float[N,4] y) { c = Sub (x, b)  y = Relu (c) }"


def test_renamed_inputs_and_outputs_are_mapped():
    """The other model uses each of the original's names for something else."""
    names = {"x": "a", "b": "y", "y": "x"}
    assert bnfold.verify(parsed(ORIGINAL), parsed(RENAMED), names=names).is_equivalent
    wrong = bnfold.verify(parsed(ORIGINAL), parsed(RENAMED), names={"x": "y", "b": "a", "y": "x"})
    assert wrong.verdict == "different"
    assert "--map A=B" in bnfold.verify(parsed(ORIGINAL), parsed(RENAMED)).reason


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"x": "q"}, "no 'q'"),
        ({"x": "a", "b": "a"}, "cannot stand for two"),
        ({"q": "a"}, "the original has 'b', 'x', 'y', and no 'q'"),
        ({"x": "x"}, "one is an input, and the other is an output"),
    ],
)
def test_a_name_that_cannot_be_mapped_is_refused(names, words):
    with pytest.raises(UsageError, match=words):
        bnfold.verify(parsed(ORIGINAL), parsed(RENAMED), names=names)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("g (float[N,4] x) => (float[N,4] z) { z = Relu (x) }", "output names: y in the original"),
        (
            "g (float[N,4] x) => (int64[N,4] y) { y = Cast <to = 7> (x) }",
            r"output y: float32\[N,4\]",
        ),
        ("g (float[N,4] x) => (float[N,2] y) { y = MatMul (x, x) }", r"output y: float32\[N,4\]"),
    ],
)
def test_different_outputs_are_a_difference_without_a_run(other, words):
    found = bnfold.verify(parsed(BASE), parsed(other))
    assert found.verdict == "different"
    assert not found.outputs
    with pytest.raises(bnfold.BnfoldError, match=words):
        found.raise_if_different()


def test_an_input_that_has_a_default_need_not_be_fed():
    text = "g (float[N,4] x, float[4] c) => (float[N,4] y) { y = Add (x, c) }"
    found = bnfold.verify(parsed(text, c=[1.0, 2, 3, 4]), parsed(text, c=[1.0, 2, 3, 4]))
    assert found.is_equivalent
    assert list(found.feeds[0].shapes) == ["x"]


def test_metadata_that_got_lost_is_reported_and_does_not_decide():
    model = parsed(BASE)
    model.metadata_props.add(key="author", value="me")
    found = bnfold.verify(model, parsed(BASE))
    assert found.is_equivalent
    row = rows(found)["metadata"]
    assert (row.original, row.other, row.is_same) == ("author=me", "", False)


def test_another_order_of_the_same_inputs_is_reported_and_fed_by_name():
    one = parsed("g (float[4] p, float[4] q) => (float[4] y) { y = Sub (p, q) }")
    two = parsed("g (float[4] q, float[4] p) => (float[4] y) { y = Sub (p, q) }")
    found = bnfold.verify(one, two)
    assert found.is_equivalent
    assert not rows(found)["input order"].is_same


def test_outputs_of_the_same_names_in_another_order_are_told_without_advice_to_rename():
    head, nodes = "g (float[N,4] x) =>", "{ y = Relu (x) z = Neg (x) }"
    a, b = (parsed(f"{head} (float[N,4] {p}, float[N,4] {q}) {nodes}") for p, q in ("yz", "zy"))
    found = bnfold.verify(a, b)
    assert found.verdict == "different"
    assert "another order" in found.reason
    assert "y, z in the original, z, y in the other" in found.reason
    assert "map" not in found.reason
