"""Fresh names are the first that are free, whatever was taken and given back before."""

from __future__ import annotations

import random

import onnx
import onnx_ir as ir

from bnfold.fold.edit.names import names_of
from bnfold.fresh_names import FreshNames


def _names(text: str) -> FreshNames:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    return FreshNames(names_of(ir.from_proto(proto)))


def test_a_fresh_name_is_the_first_that_is_free() -> None:
    names = _names("g (float[1] x) => (float[1] x_2) { x_2 = Relu(x) }")
    assert [names("x") for _ in range(3)] == ["x_1", "x_3", "x_4"]


def test_names_that_were_given_back_are_given_again() -> None:
    """As a search from the beginning finds them, in any order of taking and giving back."""
    names, taken, rng = (
        _names("g (float[1] x) => (float[1] y) { y = Relu(x) }"),
        {"x", "y"},
        random.Random(0),
    )
    for _ in range(500):
        given = sorted(taken - {"x", "y"})
        if given and rng.random() < 0.4:
            gone = rng.choice(given)
            names.release(gone)
            taken.discard(gone)
            continue
        base = rng.choice(["x", "w", "w_1"])
        wanted = next(n for i in range(999) if (n := f"{base}_{i}" if i else base) not in taken)
        assert names(base) == wanted
        taken.add(wanted)
