"""An output that no set of inputs moves hides nothing of the others, and is evidence of nothing."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.verify.graphs import parsed

ANCHORS = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)

CONSTANT = {
    "as it is": "a = Identity (anchors)",
    "kept by 0 times the input": """s = ReduceSum <keepdims = 0> (x)  z = Mul (s, zero)
        a = Add (anchors, z)""",
    "of shapes": """n = Shape (x)  r = Cast <to = 1> (n)  i = Mul (r, zero)
        q = ReduceSum <keepdims = 0> (i)  a = Add (anchors, q)""",
}

MOVING = {
    "an alarm that no set rings": """s = ReduceMax <keepdims = 0> (x)  d = Sub (s, far)
        r = Relu (d)  a = Add (anchors, r)""",
    "0 times what may be infinite": """q = Reciprocal (x)  s = ReduceSum <keepdims = 0> (q)
        z = Mul (s, zero)  a = Add (anchors, z)""",
    "next to nothing times the input": """s = ReduceSum <keepdims = 0> (x)  z = Mul (s, least)
        a = Add (anchors, z)""",
}


def beside(body: str, *, factor: float = 2.0, last: float = 1.0):
    """y = factor * x beside an output `a` that is always the same."""
    anchors = ANCHORS.copy()
    anchors[2, 3] *= last
    text = f"g (float[N,4] x) => (float[N,4] y, float[A,B] a) {{ y = Mul (x, k)  {body} }}"
    return parsed(
        text, k=np.float32(factor), anchors=anchors, zero=np.float32(0), far=np.float32(1e6),
        least=np.float32(1e-38),
    )  # fmt: skip


@pytest.mark.parametrize("body", [*CONSTANT.values(), *MOVING.values()])
def test_an_output_at_rest_does_not_hide_the_others(body):
    assert bnfold.verify(beside(body), beside(body, factor=3.0)).verdict == "different"


@pytest.mark.parametrize("body", [*CONSTANT.values(), *MOVING.values()])
def test_other_numbers_in_an_output_at_rest_are_a_difference(body):
    assert bnfold.verify(beside(body), beside(body, last=1.5)).verdict == "different"


@pytest.mark.parametrize("body", CONSTANT.values())
@pytest.mark.parametrize("other", CONSTANT.values())
def test_an_output_that_no_input_can_move_is_compared(body, other):
    """However it is written: a simplifier may have left the 0 out."""
    assert bnfold.verify(beside(body), beside(other)).verdict == "equivalent"


@pytest.mark.parametrize("body", MOVING.values())
def test_an_output_that_an_input_could_move_is_no_evidence(body):
    assert bnfold.verify(beside(body), beside(body)).verdict == "inconclusive"


@pytest.mark.parametrize("body", MOVING.values())
@pytest.mark.parametrize("constant", list(CONSTANT.values())[:2])
def test_nor_is_one_that_may_move_in_the_other_model_alone(body, constant):
    for pair in ((beside(constant), beside(body)), (beside(body), beside(constant))):
        assert bnfold.verify(*pair).verdict != "equivalent"


def test_a_default_of_0_is_no_constant():
    """An initializer that is an input as well may be fed something else."""
    body = "s = ReduceSum <keepdims = 0> (x)  z = Mul (s, w)  a = Add (anchors, z)"
    text = f"g (float[N,4] x, float w) => (float[N,4] y, float[A,B] a) {{ y = Mul (x, k) {body} }}"
    model = parsed(text, k=np.float32(2), anchors=ANCHORS, w=np.float32(0))
    assert bnfold.verify(model, model).verdict != "equivalent"


def test_what_cancels_to_0_is_not_told_from_its_rounding():
    """x - x is 0, and next to 0 where it was scaled there and back; 1 is neither."""

    def model(body):
        text = f"g (float[N,4] x) => (float[N,4] y, float[N,4] a) {{ y = Relu (x)  {body} }}"
        return parsed(text, k=np.float32(3e3), one=np.float32(1))

    plain = model("h = Mul (x, k)  a = Sub (h, h)")
    scaled = model("h = Mul (x, k)  i = Div (h, k)  j = Mul (i, k)  a = Sub (j, h)")
    off = model("h = Mul (x, k)  i = Sub (h, h)  a = Add (i, one)")
    assert bnfold.verify(plain, scaled).verdict == "inconclusive"
    assert bnfold.verify(plain, off).verdict == "different"
