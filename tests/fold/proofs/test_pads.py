"""What is said of pads and windows holds for inputs of every size: by z3, the size a symbol.

Letters: n, the size; k, s, d, b, e: kernel, stride, dilation, pads; p, where a window begins. ONNX
has windows at p = o s - b for o = 0, 1, .. while p <= n + e - reach, where reach = (k - 1) d + 1;
with ceil_mode one more where that is not met exactly. SAME has ceil(n / s) of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import onnx.parser
import onnx_ir as ir
import pytest
import z3

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.window import sees_padding
from bnfold.fold.moves.carry import pool

Case = tuple[int, int, int, str]
"""Kernel, stride, dilation, and what else the node has."""


def _facts(op: str, case: Case, size: int | str = "n") -> tuple[ir.Node, Facts]:
    """A pool or a Conv over one axis, which is open unless it has a size."""
    k, s, d, more = case
    attributes = f"kernel_shape = [{k}], strides = [{s}], {more}"
    attributes += f"dilations = [{d}]"
    weight = "" if op == "MaxPool" else ", w"
    parsed = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 13]> g (float[1,1,{size}] x, float[1,1,{k}] w) '
        f"=> (float y) {{ y = {op}<{attributes}>(x{weight}) }}"
    )
    model = ir.from_proto(parsed)
    return next(iter(model.graph)), Facts(model)


def _cases(*, ceil: bool) -> Iterator[Case]:
    sizes = list(itertools.product((1, 2, 3), (1, 2, 3, 5), (1, 2)))
    for k, s, d in sizes:
        for b, e in itertools.product((0, 1, 2, 3), repeat=2):
            yield k, s, d, f"pads = [{b}, {e}], "
            if ceil and d == 1:
                yield k, s, d, f"pads = [{b}, {e}], ceil_mode = 1, "
        for auto in ("SAME_UPPER", "SAME_LOWER"):
            yield k, s, d, f'auto_pad = "{auto}", '


def _begin(case: Case, solver: z3.Solver, n: Any) -> Any:
    """Where some window of an input of n >= 1 entries begins; constraints go to the solver."""
    k, s, d, more = case
    reach, o = (k - 1) * d + 1, z3.Int("o")
    solver.add(n >= 1, o >= 0)
    if "auto_pad" in more:
        count = (n + s - 1) / s
        total = (count - 1) * s + reach - n
        before = (total + ("LOWER" in more)) / 2  # rounded down, and up for LOWER
        begin = z3.If(total >= 0, before, z3.Int("crop"))
        solver.add(o < count, z3.Or(z3.Int("crop") == 0, z3.Int("crop") == (total - 1) / 2 + 1))
        return o * s - begin
    b, e = (int(pad) for pad in more[more.index("[") + 1 : more.index("]")].split(","))
    left = n + b + e - reach
    solver.add(left >= 0)  # the window fits: below that each runtime does what it likes
    solver.add(o * s < left + s if "ceil" in more else o * s <= left)
    return o * s - b


def _counterexample(case: Case, *, wants_all: bool, size: int | None = None) -> z3.ModelRef | None:
    """A size and a window that holds no element; or, if `wants_all`, one that holds not all."""
    k, _, d, _ = case
    solver, n = z3.Solver(), z3.Int("n") if size is None else z3.IntVal(size)
    begin = _begin(case, solver, n)
    inside = [z3.And(begin + j * d >= 0, begin + j * d < n) for j in range(k)]
    solver.add(z3.Not(z3.And(inside) if wants_all else z3.Or(inside)))
    return solver.model() if solver.check() == z3.sat else None


def test_windows_of_a_pool_that_are_called_full_hold_an_element_at_every_size() -> None:
    called = 0
    for case in _cases(ceil=True):
        if pool.windows_are_full(*_facts("MaxPool", case)):
            called += 1
            assert _counterexample(case, wants_all=False) is None, case
    assert called > 100


def test_windows_of_a_conv_that_see_no_padding_lie_inside_at_every_size() -> None:
    called = 0
    for case in _cases(ceil=False):
        node, facts = _facts("Conv", case)
        if not sees_padding(node, (case[0],), facts):
            called += 1
            assert _counterexample(case, wants_all=True) is None, case
    assert called > 20


def test_what_is_said_of_a_pool_or_a_conv_of_one_size_holds_for_it() -> None:
    """A last window that ceil_mode adds begins inside; an end that no stride reaches is unseen."""
    full = unseen = 0
    for case, size in itertools.product(_cases(ceil=True), (1, 4, 7)):
        if case[2] > 1 or "auto_pad" in case[3]:
            continue
        if "ceil" in case[3] and pool.windows_are_full(*_facts("MaxPool", case, size)):
            full += 1
            assert _counterexample(case, wants_all=False, size=size) is None, (case, size)
        node, facts = _facts("Conv", case, size)
        if "ceil" not in case[3] and not sees_padding(node, (case[0],), facts):
            unseen += 1
            assert _counterexample(case, wants_all=True, size=size) is None, (case, size)
    assert full > 50
    assert unseen > 20


@pytest.mark.parametrize("wants_all", [False, True])
def test_the_proof_finds_windows_in_the_padding(wants_all: bool) -> None:
    assert _counterexample((2, 1, 1, "pads = [2, 0], "), wants_all=wants_all) is not None
    assert _counterexample((1, 3, 1, "pads = [0, 0], ceil_mode = 1, "), wants_all=wants_all)
