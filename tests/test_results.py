"""What the four calls return shows itself in a line, and is worth what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

import bnfold
from bnfold.bench.rows import Interval
from bnfold.errors import DataError
from bnfold.pytest_plugin import assert_equivalent, assert_folds
from bnfold.record import json_form
from tests.bench_rows import comparison
from tests.cli.conftest import GOOD, parsed


@pytest.fixture
def pair(tmp_path):
    onnx.save(parsed(GOOD), tmp_path / "good.onnx")
    bnfold.fold(tmp_path / "good.onnx").save(tmp_path / "folded.onnx")
    onnx.save(parsed(GOOD.replace("mean = {0.3,", "mean = {0.4,")), tmp_path / "wrong.onnx")
    return tmp_path


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """The model and its fold, measured once: a measurement starts processes, and takes a second."""
    folder = tmp_path_factory.mktemp("timed")
    onnx.save(parsed(GOOD), folder / "good.onnx")
    bnfold.fold(folder / "good.onnx").save(folder / "folded.onnx")
    models = [folder / "good.onnx", folder / "folded.onnx"]
    return bnfold.bench(models, pairs=5, levels="all", processes=1)


def test_a_verification_is_true_where_the_models_are_equivalent_and_only_there(pair):
    assert bnfold.verify(pair / "good.onnx", pair / "folded.onnx", samples=2)
    assert not bnfold.verify(pair / "good.onnx", pair / "wrong.onnx", samples=2)


def test_every_result_shows_itself_in_one_line(pair, timed):
    folded = bnfold.fold(pair / "good.onnx")
    results = [
        folded,
        folded.ledger,
        bnfold.verify(pair / "good.onnx", pair / "folded.onnx", samples=2),
        timed,
    ]
    for result in results:
        assert "\n" not in repr(result)
        assert len(repr(result)) < 400
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
    assert repr(folded) == "<FoldResult batch norms: 1 -> 0>"


def test_a_row_alone_is_the_json_that_it_is_in_its_record(pair):
    ledger = bnfold.fold(pair / "good.onnx").ledger
    found = bnfold.verify(pair / "good.onnx", pair / "wrong.onnx", samples=2)
    for rows, key, result in (
        (ledger.decisions, "decisions", ledger),
        (found.outputs, "outputs", found),
        (found.feeds, "feeds", found),
        ((found.location,), "location", found),
    ):
        told = result.to_dict()[key]
        assert [row.to_dict() for row in rows] == (told if isinstance(told, list) else [told])


def test_save_returns_the_path(pair):
    assert bnfold.fold(pair / "good.onnx").save(str(pair / "x.onnx")) == Path(pair / "x.onnx")


def test_inspect_gives_the_ledger_of_a_fold(pair):
    model = pair / "good.onnx"
    assert bnfold.inspect(model, skip="conv") == bnfold.fold(model, skip="conv").ledger


def test_a_number_that_is_not_finite_has_one_form_everywhere():
    assert json_form({"a": (float("inf"), float("-inf"), float("nan"), 1.5)}) == {
        "a": ["inf", "-inf", "nan", 1.5]
    }


def test_the_plugin_takes_what_verify_takes(pair):
    assert_equivalent(
        pair / "good.onnx", pair / "folded.onnx", dims={"N": 3}, save_data=pair / "sets", samples=2
    )
    assert (pair / "sets" / "test_data_set_0" / "input_0.pb").is_file()
    assert_folds(pair / "good.onnx", skip="conv", leaves=1)


def test_an_error_in_an_assertion_has_no_frames_of_ours_below_it(pair):
    with pytest.raises(DataError) as raised:
        assert_equivalent(pair / "good.onnx", pair / "folded.onnx", data=pair / "no.npz")
    files = [Path(str(entry.path)).name for entry in raised.traceback]
    assert files == ["test_results.py", "pytest_plugin.py"]


def test_every_result_shows_its_tables_in_a_notebook(pair, timed):
    folded = bnfold.fold(pair / "good.onnx")
    wrong = bnfold.verify(pair / "good.onnx", pair / "wrong.onnx", samples=2)
    for result, words in (
        (folded, "batch norms: 1 -&gt; 0"),
        (folded.ledger, "BatchNormalization"),
        (wrong, "different: output"),
        (timed, "median ms"),
    ):
        shown = result._repr_html_()
        assert shown.startswith("<div")
        assert "<table" in shown
        assert words in shown
        assert "<script" not in shown
        assert ":root" not in shown  # the notebook's own look stays


def compared(verdict):
    interval = Interval(1.0, 0.9, 1.1)
    return comparison(verdict=verdict, ratio=interval, null=interval)


def test_a_measurement_is_true_where_nothing_is_slower_for_certain(pair):
    verdicts = ("faster", "no difference", "slower", "inconclusive")
    assert [bool(compared(verdict)) for verdict in verdicts] == [True, True, False, False]
    timed = bnfold.bench(pair / "good.onnx", levels="all", processes=1)
    assert timed
    for verdict in verdicts:
        judged = replace(timed, comparisons=(compared("faster"), compared(verdict)))
        assert bool(judged) is bool(compared(verdict))
