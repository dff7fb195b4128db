"""Mutants of valid models end every command as it may end; a minute of them, and some at once."""

from __future__ import annotations

import random
import sys

import pytest

from tests.hostile.fuzzing import fuzz

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")


def test_a_few_mutants_end_well():
    assert fuzz(random.Random(3), seconds=600, most=12)["bad"] == []


@pytest.mark.slow
def test_mutants_of_a_minute_end_well():
    found = fuzz(random.Random(), seconds=60)
    assert found["bad"] == []
