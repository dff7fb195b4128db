"""The floor: batch norms deleted wherever they stand, and the share of their cost that is gone."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from bnfold.bench.floor import taxes, write_floor
from bnfold.bench.rows import Interval
from tests.bench_rows import comparison

PARAMETERS = (
    "s = Constant <value_floats = [2.0, 3.0]> () z = Constant <value_floats = [1.0, 1.0]> ()"
)
NORM = "BatchNormalization ({}, s, z, z, s)"


def outputs(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


@pytest.mark.parametrize(
    ("body", "count", "expected"),
    [
        (f"y = {NORM.format('x')}", 1, lambda x: x),
        (f"a = {NORM.format('x')} b = Abs (a) c = {NORM.format('b')} y = Neg (c)", 2,
         lambda x: -np.abs(x)),
        (f"a = {NORM.format('x')} b = {NORM.format('a')} y = Add (a, b)", 2, lambda x: 2 * x),
        ("y = Neg (x)", 0, None),
    ],
)  # fmt: skip
def test_a_model_is_what_it_is_without_its_batch_norms(model_file, tmp_path, body, count, expected):
    source = model_file(f"g (float[N,2,3] x) => (float[N,2,3] y) {{ {PARAMETERS} {body} }}")
    target = tmp_path / "floor.onnx"
    assert write_floor(source, target) == count
    if not count:
        assert not target.exists()
        return
    onnx.checker.check_model(str(target), full_check=True)
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(outputs(target, x)[0], expected(x))


def test_batch_norms_in_branches_and_functions_are_deleted_too(tmp_path):
    text = f"""
    <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[N,2,3] x, bool c) => (float[N,2,3] y) {{
      {PARAMETERS}
      i = If (c) <
        then_branch = t () => (float[N,2,3] u) {{ u = {NORM.format("x")} }},
        else_branch = e () => (float[N,2,3] v) {{ v = Neg (x) }}
      >
      y = own.Twice (i, s, z)
    }}
    <domain: "own", opset_import: ["" : 17]>
    Twice (a, s, z) => (o) {{ n = {NORM.format("a")} o = Add (n, n) }}
    """
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    assert write_floor(tmp_path / "m.onnx", tmp_path / "f.onnx") == 2
    session = onnxruntime.InferenceSession(
        str(tmp_path / "f.onnx"), providers=["CPUExecutionProvider"]
    )
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    for chosen, expected in ((True, 2 * x), (False, -2 * x)):
        (y,) = session.run(None, {"x": x, "c": np.array(chosen)})
        np.testing.assert_array_equal(y, expected)


def rows(candidate: Interval, floor: Interval, *, verdicts=("faster", "faster")):
    names = ("folded", "floor")
    return [
        comparison(candidate=name, ratio=ratio, verdict=verdict)
        for name, ratio, verdict in zip(names, (candidate, floor), verdicts, strict=True)
    ]


def test_the_share_that_is_gone_is_that_of_the_time_and_not_of_the_ratio():
    """10 ms before, 8 ms folded, 5 ms without: 2 of 5 ms are gone."""
    (tax,) = taxes(rows(Interval(1.25, 1.25, 1.25), Interval(2.0, 2.0, 2.0)), "floor")
    assert (tax.candidate, tax.cost.estimate) == ("folded", 0.5)
    assert tax.gone.estimate == pytest.approx(0.4)
    assert tax.sentence.startswith("40% of what the batch norms cost is gone")
    assert "without any it would be 2.00x faster" in tax.sentence


def test_the_interval_of_the_share_encloses_every_pair_of_ends():
    (tax,) = taxes(rows(Interval(1.1, 0.9, 1.2), Interval(1.5, 1.3, 1.8)), "floor")
    ends = [(1 - 1 / a) / (1 - 1 / b) for a in (0.9, 1.2) for b in (1.3, 1.8)]
    assert (tax.gone.low, tax.gone.high) == pytest.approx((min(ends), max(ends)))


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (("faster", "no difference"), "cost nothing that can be measured here"),
        (("faster", "inconclusive"), "what the batch norms cost cannot be said here"),
        (("inconclusive", "faster"), "how much of what the batch norms cost is gone cannot be"),
    ],
)
def test_where_nothing_is_known_no_share_is_told(verdicts, words):
    wide = Interval(1.2, 0.9, 1.4)
    (tax,) = taxes(rows(wide, wide, verdicts=verdicts), "floor")
    assert tax.gone is None
    assert words in tax.sentence


def test_each_place_has_a_floor_of_its_own():
    cheap, dear = Interval(1.1, 1.1, 1.1), Interval(2.0, 2.0, 2.0)
    here = rows(cheap, cheap)
    there = [comparison(batch=8, candidate=c, ratio=dear, verdict="faster")
             for c in ("folded", "floor")]  # fmt: skip
    assert [tax.cost.estimate for tax in taxes([*here, *there], "floor")] == pytest.approx(
        [1 - 1 / 1.1, 0.5]
    )
    assert taxes(here, "nobody") == ()
