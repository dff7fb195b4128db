"""An affine behind an If goes into both of its bodies; one that leaves both goes on behind it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from bnfold.fold import FoldResult
from tests.fold.property.oracle import check_fold, count_nodes
from tests.fold.property.text_models import model, norm, verdicts, weight

W = {
    "w": weight(4, 4, 1, 1),
    "v": weight(4, 4, 3, 3),
    "u": weight(4, 4, 1, 1) + 1,
    "k": weight(2, 4, 9),
    "s": np.array([2, 4, 3, 3]),
    **norm("p", 4),
    **norm("q", 4, seed=5),
}
T = "float[2, 4, 3, 3]"


def _if(then: str, otherwise: str, after: str, outputs: int = 1, before: str = "") -> str:
    """`t0`, `e0`, ... are what the bodies return; `i0`, ... what the If makes."""
    made = ", ".join(f"i{k}" for k in range(outputs))
    bodies = [
        f"({', '.join(f'{T} {name}{k}' for k in range(outputs))}) {{ {body} }}"
        for name, body in (("t", then), ("e", otherwise))
    ]
    return f"""{before} {made} = If(c) <then_branch = th () => {bodies[0]},
        else_branch = el () => {bodies[1]}> {after}"""


def _folded(body: str, outputs: str = f"{T} y") -> FoldResult:
    built = model(f"({T} x, bool c, bool d) => ({outputs}) {{ {body} }}", W)
    feeds = [
        {"x": weight(2, 4, 3, 3), "c": np.array(c), "d": np.array(d)}
        for c in (True, False)
        for d in (True, False)
    ]
    return check_fold(built, feeds)


CONV, PADDED = "t0 = Conv(x, w)", "e0 = Conv<pads = [1, 1, 1, 1]>(x, v)"
NORM = "b = BN(i0, p) y = Sigmoid(b)"


def test_both_bodies_take_it() -> None:
    result = _folded(_if(CONV, PADDED, NORM))
    assert count_nodes(result.to_proto()) == 4  # the If and the Sigmoid, and two Convs
    (entry,) = result.ledger.decisions
    assert set(entry.into) == {"Conv -> 't0'", "Conv -> 'e0'"}


@pytest.mark.parametrize("beside", ["Min(x, r)", "Min(x, r1)"])
def test_bodies_that_use_the_same_names_for_what_is_returned_beside(beside: str) -> None:
    """The proof reads the other output too; of one whose rank nobody knows it needs nothing."""
    one, two = (
        f"r = Reshape(x, sh) r1 = Abs(r) t1 = {beside} t0 = Conv(x, w)".replace("t", letter)
        for letter in "te"
    )
    returned = "(float t1, float t0)"
    text = f"""sh = Shape(x) i1, i0 = If(c) <then_branch = th () => {returned} {{ {one} }},
        else_branch = el () => {returned} {{ {two.replace("e1", "t1").replace("e0", "t0")} }}>
        {NORM} z = Tanh(i1)"""
    result = _folded(text, f"{T} y, float z, float i1")
    assert result.ledger.batch_norms_after == 0


def test_bodies_that_use_the_same_names() -> None:
    result = _folded(_if("a = Relu(x) t0 = Conv(a, w)", "a = Tanh(x) e0 = Conv(a, u)", NORM))
    assert result.ledger.batch_norms_after == 0


@pytest.mark.parametrize("after", ["b = BN(i0, p) a = BN(i1, q)", "b = BN(i1, p) a = Relu(i0)"])
def test_an_if_of_several_outputs(after: str) -> None:
    then, otherwise = f"{CONV} t1 = Conv(x, u)", f"{PADDED} e1 = Conv(x, w)"
    result = _folded(_if(then, otherwise, f"{after} z = Add(b, a) y = Sigmoid(z)", 2))
    assert result.ledger.batch_norms_after == 0


def test_ifs_in_the_bodies_of_an_if() -> None:
    inner = f"""t0 = If(d) <then_branch = ti () => ({T} a) {{ a = Conv(x, w) }},
        else_branch = ei () => ({T} f) {{ r = Tanh(x) f = Conv(r, u) }}>"""
    assert _folded(_if(inner, PADDED, NORM)).ledger.batch_norms_after == 0


def test_a_batch_norm_behind_an_if_in_a_body() -> None:
    inner = f"""g = If(d) <then_branch = ti () => ({T} a) {{ a = Conv(x, w) }},
        else_branch = ei () => ({T} f) {{ r = Tanh(x) f = Conv(r, u) }}> n = BN(g, q)
        t0 = Sigmoid(n)"""
    assert _folded(_if(inner, PADDED, NORM)).ledger.batch_norms_after == 1


def test_equal_batch_norms_that_end_both_bodies_go_on() -> None:
    then, otherwise = "r = Relu(x) t0 = BN(r, p)", "r = Tanh(x) e0 = BN(r, p)"
    result = _folded(_if(then, otherwise, "a = Conv(i0, w) y = Sigmoid(a)"))
    assert result.ledger.batch_norms_after == 0


def test_of_different_ones_one_goes_on_and_the_other_takes_the_rest() -> None:
    then, otherwise = "r = Relu(x) t0 = BN(r, p)", "r = Tanh(x) e0 = BN(r, q)"
    result = _folded(_if(then, otherwise, "a = Conv(i0, w) y = Sigmoid(a)"))
    assert result.ledger.batch_norms_after == 1


@pytest.mark.parametrize(
    ("then", "before", "code"),
    [
        ("t0 = Identity(o)", "o = Conv(x, u)", "nested-scope"),
        ("t0 = Identity(x)", "", "graph-input"),
        ("t0 = Relu(x)", "", "not-linear"),
        ("t0 = Reshape(k, s)", "", "constant-branch"),
        ("t0 = Conv(x, w) r = Erf(t0) f = Identity(r)", "", ""),
        ("g = Conv(x, w) r = Erf(g) t0 = Add(r, g)", "", "not-linear"),
    ],
)
def test_what_one_body_does_not_take_stays(then: str, before: str, code: str) -> None:
    result = _folded(_if(then, PADDED, NORM, before=before))
    found = next(iter(verdicts(result).values()))
    assert code in found


@pytest.mark.parametrize(
    "after", ["b = BN(i0, p) r = Erf(i0) y = Add(b, r)", "b = BN(i0, p) y = Add(b, i0)"]
)
def test_another_reader_of_what_it_makes(after: str) -> None:
    _folded(_if(CONV, PADDED, after))


def test_an_output_of_the_model_stays() -> None:
    result = _folded(_if(CONV, PADDED, "y = BN(i0, p)"), f"{T} i0, {T} y")
    assert "graph-output" in next(iter(verdicts(result).values()))


def test_one_value_returned_twice() -> None:
    """The other output is seen as it is: it would have to undo the shift."""
    then, otherwise = "g = Conv(x, w) t0 = Identity(g) t1 = Identity(g)", f"{PADDED} e1 = Relu(x)"
    result = _folded(_if(then, otherwise, "b = BN(i0, p) r = Erf(i1) y = Add(b, r)", 2))
    assert "ill-conditioned" in next(iter(verdicts(result).values()))


def test_a_body_does_not_come_to_return_one_value_twice() -> None:
    """onnxruntime gives such a value to one output, and nothing to the other."""
    then = "g = Conv(x, w) s = Sigmoid(g) t0 = BN(s, p) t1 = Identity(t0)"
    after = "f = Conv(i0, w) y = Tanh(f) h = Conv(i1, w) z = Erf(h)"
    result = _folded(
        _if(then, then.replace("t0", "e0").replace("t1", "e1"), after, 2), f"{T} y, {T} z"
    )
    for graph in result.model.graphs():
        assert len({*graph.outputs}) == len(graph.outputs)


def test_a_body_that_returns_a_tensor_of_another_rank() -> None:
    text = f"""({T} x, bool c) => (float y) {{
        i0 = If(c) <then_branch = th () => (float[2, 4, 3, 3] t0) {{ t0 = Conv(x, w) }},
            else_branch = el () => (float[2, 4, 9] e0) {{ g = Conv(x, w) e0 = Reshape(g, s) }}>
        b = BN(i0, p) y = Sigmoid(b) }}"""
    built = model(text, {**W, "s": np.array([2, 4, 9])})
    check_fold(built, [{"x": weight(2, 4, 3, 3), "c": np.array(c)} for c in (True, False)])


def test_an_if_in_the_body_of_a_loop() -> None:
    body = onnx.parser.parse_graph(
        f"""body (int64 i, bool k, {T} z) => (bool kept, {T} out) {{
            kept = Identity(k)
            g = If(c) <then_branch = th () => ({T} t0) {{ t0 = Conv(x, w) }},
                else_branch = el () => ({T} e0) {{ e0 = Conv<pads = [1, 1, 1, 1]>(x, v) }}>
            b = BatchNormalization(g, pg, pb, pm, pv)
            a = Add(b, z) out = Sigmoid(a) }}"""
    )
    built = model(f"({T} x, bool c) => ({T} y) {{ y = Loop(n, , x) }}", {**W, "n": np.array(2)})
    node = built.graph.node[0]
    node.attribute.append(onnx.helper.make_attribute("body", body))
    feeds = [{"x": weight(2, 4, 3, 3), "c": np.array(c)} for c in (True, False)]
    assert check_fold(built, feeds).ledger.batch_norms_after == 0
