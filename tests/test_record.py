"""A record is read back as the dataclass that it was, or refused with the place that is wrong."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from bnfold.errors import DataError
from bnfold.record import json_form, read_as
from bnfold.verify.records import Verification
from tests.report.test_html import BENCH, LEDGER, VERIFICATION


@pytest.mark.parametrize("found", [LEDGER, BENCH, replace(VERIFICATION, sha256=(("a", "0f"),))])
def test_what_was_written_is_read_back_as_it_was(found):
    written = json.loads(json.dumps(found.to_dict()))
    again = read_as(type(found), written)
    assert json.dumps(again.to_dict()) == json.dumps(found.to_dict())
    assert type(again) is type(found)


@dataclass(frozen=True)
class Inner:
    size: int
    ratio: float | None = None


@dataclass(frozen=True)
class Outer:
    word: Literal["a", "b"]
    many: tuple[Inner, ...]
    pair: tuple[str, int]
    counts: dict[str, int]
    is_right: bool = True


GOOD = {"word": "a", "many": [{"size": 1, "ratio": "inf"}], "pair": ["x", 2], "counts": {"c": 3}}


def test_every_kind_of_field_is_read():
    found = read_as(Outer, GOOD)
    assert found == Outer("a", (Inner(1, math.inf),), ("x", 2), {"c": 3})
    assert json_form(found.many[0].ratio) == "inf"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"word": "c"}, "the record.word is 'c'"),
        ({"many": [{"size": 1}, {"size": "1"}]}, r"the record.many\[1\].size is '1'"),
        ({"many": [{"size": True}]}, r"many\[0\].size is True"),
        ({"many": [{"size": 1, "ratio": "many"}]}, r"many\[0\].ratio is 'many'"),
        ({"many": [{"size": 1, "ratio": False}]}, r"many\[0\].ratio is False"),
        ({"many": [{}]}, r"many\[0\] has no 'size'"),
        ({"many": 3}, "the record.many is 3"),
        ({"pair": ["x"]}, r"the record.pair is \['x'\]"),
        ({"counts": {"c": 1.5}}, "the record.counts.c is 1.5"),
        ({"counts": [1]}, r"the record.counts is \[1\]"),
        ({"is_right": 1}, "the record.is_right is 1"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(change, said):
    with pytest.raises(DataError, match=said):
        read_as(Outer, {**GOOD, **change})


def test_a_verification_that_lacks_a_field_is_no_record():
    written = VERIFICATION.to_dict()
    del written["reason"]
    with pytest.raises(DataError, match="has no 'reason'"):
        read_as(Verification, written)
