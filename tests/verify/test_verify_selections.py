"""Outputs whose length the numbers decide: rounding may turn a selection, a fault may not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.verify.graphs import parsed

NORM = """n = Conv <pads = [1,1,1,1]> (x, w)
    f = BatchNormalization (n, s, t, m, v)
    c = Reshape (f, flat)"""
SELECTED = {
    "NonZero": "g = Greater (c, thr)  i = NonZero (g)  j = Transpose (i)  y = GatherND (c, j)",
    "Compress": "g = Greater (c, thr)  r = Reshape (g, all)  y = Compress (c, r)",
    "Unique": "q = Cast <to = 7> (c)  y, i, k, o = Unique (q)",
}
KINDS = {"NonZero": "float[K] y", "Compress": "float[K] y", "Unique": "int64[K] y"}


def selecting(kind, *, seed=0, factor=1.0, threshold=0.3):
    """A convolution and a batch norm, and then as many of their numbers as a threshold leaves."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 1.5, 4)
    scale[1] *= factor
    return parsed(
        f"g (float[N,3,12,12] x) => ({KINDS[kind]}) {{ {NORM}  {SELECTED[kind]} }}",
        w=rng.normal(size=(4, 3, 3, 3)),
        s=scale,
        t=rng.normal(size=4),
        m=rng.normal(size=4),
        v=rng.uniform(0.5, 1.5, 4),
        thr=np.float32(threshold),
        flat=np.array([-1, 144]),
        all=np.array([-1]),
    )


@pytest.mark.parametrize("kind", SELECTED)
def test_a_fold_before_a_selection_is_equivalent(kind):
    model = selecting(kind)
    folded = bnfold.fold(model)
    assert folded.ledger.decisions[0].is_folded
    assert bnfold.verify(model, folded.model).is_equivalent


@pytest.mark.parametrize("kind", SELECTED)
def test_a_fault_before_a_selection_is_found(kind):
    found = bnfold.verify(selecting(kind), selecting(kind, factor=1.01))
    assert found.verdict == "different"


@pytest.mark.parametrize("kind", ["NonZero", "Compress"])
def test_another_threshold_is_found(kind):
    found = bnfold.verify(selecting(kind), selecting(kind, threshold=0.5))
    assert found.verdict == "different"


DETECTOR = """g (float16[N,3,24,24] x) => (int64[K,3] y) {{
    n = Conv <pads = [1,1,1,1]> (x, w)
    f = BatchNormalization (n, s, t, m, v)
    r = Reshape (f, split)
    b, c = Split <axis = 1> (r, parts)
    e = Transpose <perm = [0,2,1]> (b)
    boxes = Cast <to = 1> (e)
    p = Sigmoid (c)
    scores = Cast <to = 1> (p)
    y = NonMaxSuppression <center_point_box = {center}> (boxes, scores, most, overlap, least)
}}"""


def detector(*, factor=1.0, overlap=0.5, least=0.4, center=1):
    """A detector in float16: 4 numbers of a box and one score at each of 576 places."""
    rng = np.random.default_rng(1)
    half = {
        "w": rng.normal(size=(5, 3, 3, 3)) * 0.3,
        "s": np.array([0.6, 0.6, 0.3, 0.3, 1.0 * factor]),
        "t": np.array([0, 0, 3.0, 3.0, 0.1]),
        "m": rng.normal(size=5),
        "v": rng.uniform(0.5, 1.5, 5),
    }
    return parsed(
        DETECTOR.format(center=center),
        split=np.array([-1, 5, 576]),
        parts=np.array([4, 1]),
        most=np.array([200]),
        overlap=np.array([overlap], np.float32),
        least=np.array([least], np.float32),
        **{name: value.astype(np.float16) for name, value in half.items()},
    )


def test_a_folded_detector_in_float16_selects_otherwise_where_rounding_decides():
    model = detector()
    found = bnfold.verify(model, bnfold.fold(model).model)
    assert found.is_equivalent
    assert any("selected by one model alone" in note for note in found.notes)


@pytest.mark.parametrize(
    "change",
    [
        {"overlap": 0.55},
        *(
            pytest.param(change, marks=pytest.mark.slow)
            for change in ({"factor": 1.05}, {"least": 0.45}, {"center": 0})
        ),
    ],
)
def test_a_detector_that_selects_by_something_else_is_found(change):
    assert bnfold.verify(detector(), detector(**change)).verdict == "different"


def test_selections_that_a_tool_has_put_in_another_order_are_matched_by_name():
    text = """g (float[N,4] x) => (int64[2,K] y, int64[2,L] z) {{
        a = MatMul (x, u)  b = MatMul (x, w)  p = Greater (a, zero)  q = Greater (b, zero)
        {order}
    }}"""
    rng = np.random.default_rng(0)
    weights = {"u": rng.normal(size=(4, 5)), "w": rng.normal(size=(4, 6)), "zero": np.float32(0)}
    ours, swapped = (
        parsed(text.format(order="  ".join(order)), **weights)
        for order in (
            ("y = NonZero (p)", "z = NonZero (q)"),
            ("z = NonZero (q)", "y = NonZero (p)"),
        )
    )
    assert bnfold.verify(ours, swapped).is_equivalent


def test_a_model_that_does_not_select_at_all_is_different():
    text = "g (float[N,4] x) => (float[K] y) {{ f = Reshape (x, all)  {body} }}"
    weights = {"all": np.array([-1]), "zero": np.float32(0)}
    ours = parsed(text.format(body="g = Greater (f, zero)  y = Compress (f, g)"), **weights)
    others = parsed(text.format(body="y = Relu (f)"), **weights)
    assert bnfold.verify(ours, others).verdict == "different"


def test_a_stored_shape_that_is_stale_is_told_and_no_verdict_rests_on_it():
    """onnxruntime, optimising, gives what the stored shape says."""
    model = parsed(
        """g (float[N,3,6,6] x) => (float[N,4,36] y) <int64[1] h> {
            c = Conv <pads = [1,1,1,1]> (x, w)
            d = BatchNormalization (c, s, t, m, v)
            k = Shape (d)  h = Slice (k, zero, one)
            e = Concat <axis = 0> (h, rest)
            y = Reshape (d, e)
        }""",
        w=np.random.default_rng(0).normal(size=(4, 3, 3, 3)),
        s=np.ones(4),
        t=np.zeros(4),
        m=np.zeros(4),
        v=np.ones(4),
        zero=np.array([0]),
        one=np.array([1]),
        rest=np.array([4, -1]),
    )
    stale = onnx.helper.make_tensor_value_info("d", onnx.TensorProto.FLOAT, [1, 4, 6, 6])
    model.graph.value_info.append(stale)
    found = bnfold.verify(model, bnfold.fold(model).model)
    assert found.verdict == "inconclusive"
    assert "stored shape" in found.reason
    assert [row.level for row in found.outputs] == ["none"]
