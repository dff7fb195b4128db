"""A state is taken back to what it was, whatever was done in between."""

from __future__ import annotations

import random

import numpy as np
import onnx.parser

from bnfold import model_io
from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.question.state import Edge, State

TEXT = """<ir_version: 8, opset_import: ["" : 17]> g (float[N,4] x) => (float[N,4] y) {
  a = Relu(x) b = Sin(a) c = Cos(a) d = Add(b, c) e = Mul(d, b) y = Tanh(e)
}"""


def _affine(number: float) -> Affine:
    return Affine(np.full((1, 1), number), np.zeros((1, 1)))


def _seen(state: State) -> tuple[object, ...]:
    residues = {edge: affine.scale.item() for edge, affine in state.residues.items()}
    return residues, dict(state.backward), dict(state.asked), dict(state.rules), state.next_end()


def test_what_was_done_is_taken_back_entry_by_entry() -> None:
    model = model_io.load(onnx.parser.parse_model(TEXT))
    edges: list[Edge] = [
        (node, index)
        for node in model.graph
        for index, value in enumerate(node.inputs)
        if value is not None and value.producer() is not None
    ]
    rng, state = random.Random(0), State(Facts(model))
    moments: list[tuple[int, tuple[object, ...]]] = []
    for turn in range(400):
        if moments and rng.random() < 0.2:
            place = rng.randrange(len(moments))
            mark, was = moments[place]
            state.back_to(mark)
            assert _seen(state) == was
            del moments[place:]
        moments.append((state.mark, _seen(state)))
        edge = rng.choice(edges)
        if rng.random() < 0.4:
            state.take(edge)
        else:
            state.put(edge, _affine(2.0 + turn), backward=rng.random() < 0.5)
        state.set(state.asked, edge[0], turn)
        state.set(state.rules, f"rule{turn % 7}", None)


def test_the_last_that_is_asked_back_comes_first_and_then_the_first_ahead() -> None:
    model = model_io.load(onnx.parser.parse_model(TEXT))
    relu, sin, cos, add, mul, tanh = model.graph
    state = State(Facts(model))
    state.put((tanh, 0), _affine(2.0), backward=False)
    state.put((add, 0), _affine(2.0), backward=False)
    state.put((sin, 0), _affine(2.0), backward=True)
    state.put((mul, 0), _affine(2.0), backward=True)
    order = []
    while (end := state.next_end()) is not None:
        order.append(end)
        node, backward = end
        for edge in list(state.residues):
            value = edge[0].inputs[edge[1]]
            assert value is not None
            if state.backward[edge] is backward and node in (edge[0], value.producer()):
                state.take(edge)
    assert order == [(add, True), (relu, True), (add, False), (tanh, False)]
    assert cos not in [node for node, _ in order]
