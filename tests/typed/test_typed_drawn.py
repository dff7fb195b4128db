"""Every operator that is computed ahead of time, drawn at random: the runtime's very bits."""

from __future__ import annotations

import zlib

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.typed import ConstantError, run_typed_node
from tests.float64.drawn.case import Case, Dice
from tests.float64.drawn.runtime import Refused, run_case
from tests.float64.drawn.table import CASES


def node_of(op: str, case: Case) -> ir.Node:
    inputs = [None if x is None else ir.val(f"x{i}") for i, x in enumerate(case.inputs)]
    attributes = {
        name: ir.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in case.attributes.items()
    }
    return ir.node(op, inputs, attributes, num_outputs=case.n_outputs)


def compare(op: str, count: int) -> int:
    """How many draws were computed; each is what onnxruntime gives, or a ConstantError."""
    computed = 0
    for number in range(count):
        case = CASES[op](Dice([zlib.crc32(op.encode()), number]))
        try:
            theirs = run_case(op, case)
        except Refused:
            continue
        inputs = [None if x is None else np.asarray(x) for x in case.inputs]
        try:
            ours = run_typed_node(node_of(op, case), inputs, opset=case.opset)
        except ConstantError:
            continue
        computed += 1
        for mine, their in zip(ours, theirs, strict=True):
            assert (mine.dtype, mine.shape) == (their.dtype, their.shape), (number, case)
            np.testing.assert_array_equal(mine, their, err_msg=f"draw {number}: {case}")
    return computed


@pytest.mark.parametrize("op", CASES)
def test_a_constant_drawn_at_random_is_the_runtimes(op):
    compare(op, 5)


@pytest.mark.slow
@pytest.mark.parametrize("op", CASES)
def test_a_constant_drawn_often_is_the_runtimes(op):
    compare(op, 200)


def test_most_operators_are_computed():
    """What is refused is so by choice, or has no size that onnx infers (GroupNormalization)."""
    refused = {op for op in CASES if not compare(op, 5)}
    assert refused == {
        *("AffineGrid", "Det", "GRU", "GlobalLpPool", "LSTM", "MaxUnpool", "NonMaxSuppression"),
        *("GroupNormalization", "RNN", "RoiAlign", "Scatter"),
    }
