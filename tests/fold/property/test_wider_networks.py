"""Random networks of what is rare, judged by runtimes alone: see `wider/judge.py`."""

from __future__ import annotations

import pytest

from tests.fold.property.wider.judge import judged
from tests.fold.property.wider.motifs import POWERS
from tests.fold.property.wider.network import Motifs, random_network

_BLOCK = 50
_FAST = 16
_ALL = 200
_OF_POWERS = 10


def _check(seeds: range, further: Motifs = ()) -> None:
    found = []
    for seed in seeds:
        try:
            found.append(judged(random_network(seed, further=further)))
        except Exception as error:
            error.add_note(f"wider network {seed}")
            raise
    assert sum(one.judge == "onnxruntime" for one in found) > len(seeds) / 2
    # most powers let nothing pass
    assert sum(one.folded for one in found) > len(seeds) / (4 if further else 2)


def test_the_runtimes_agree_with_the_fold_of_a_wider_network() -> None:
    _check(range(_FAST))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(_ALL))
def test_the_runtimes_agree_with_the_fold_of_many_wider_networks(block: int) -> None:
    _check(range(block * _BLOCK, (block + 1) * _BLOCK))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(_OF_POWERS))
def test_the_runtimes_agree_with_the_fold_of_networks_with_powers(block: int) -> None:
    _check(range(block * _BLOCK, (block + 1) * _BLOCK), POWERS)
