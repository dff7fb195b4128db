"""Thousands of networks, each written in two ways, right and with a planted fault.

Each test is a piece of `PIECE` seeds, so that a run that was stopped goes on with `--last-failed`
or `-k`; what goes wrong is named by its seed.
"""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.verify.drawn.network import drawn_network
from tests.verify.drawn.planted import planted, times_off

pytestmark = pytest.mark.slow

PIECE = 50
PIECES = range(20)
CLEAR = 12.0
"""Roundings from which on a fault has to be found."""

KINDS = {
    "float32": {"dtype": "float32"},
    "float16": {"dtype": "float16"},
    "without a reference": {"is_known": False},
}


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("kind", KINDS)
def test_two_ways_to_write_a_network_are_not_different(kind, piece):
    alarms = {}
    for seed in range(piece * PIECE, (piece + 1) * PIECE):
        network, rng = drawn_network(seed, **KINDS[kind]), np.random.default_rng([seed, 1])
        one, other = (network.model(network.drawn_forms(rng)) for _ in range(2))
        found = bnfold.verify(one, other)
        if found.verdict == "different":
            alarms[seed] = found.reason
    assert not alarms


@pytest.mark.parametrize("piece", PIECES)
def test_a_planted_fault_is_found(piece):
    missed = {}
    for seed in range(piece * PIECE, (piece + 1) * PIECE):
        network, rng = drawn_network(seed), np.random.default_rng([seed, 2])
        one, other = network.drawn_forms(rng), network.drawn_forms(rng)
        wrong = planted(network, other, rng)
        found = bnfold.verify(network.model(one), wrong.model(other))
        if found.is_equivalent and times_off(network, one, wrong, other) > CLEAR:
            missed[seed] = found.reason
    assert not missed
