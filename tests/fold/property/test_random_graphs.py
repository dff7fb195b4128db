"""Random networks: every fold is right, costs nothing, and is done when it is done.

What each fold is held to stands in `oracle.check_fold`. The numbers of the seeded networks are
fixed, so that what passes once passes everywhere; hypothesis looks further, and shrinks.
What rules do to each other no other test shows, so that some run each time though a block of them
takes seconds; and thousands where time does not count.
"""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import HealthCheck

from tests.fold.property.generator import Case, InvalidModelError, cases, seeded_case
from tests.fold.property.oracle import check_fold

_BLOCK = 10
_FAST = 1
_FAST_PRICED = 1
_ALL = 500
_SETTINGS = hypothesis.settings(
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def _check_block(block: int, allow: tuple[str, ...] = ()) -> None:
    for seed in range(block * _BLOCK, (block + 1) * _BLOCK):
        try:
            case = seeded_case(seed)
        except InvalidModelError:
            continue
        try:
            check_fold(case.model, case.samples, allow=allow)
        except Exception as error:
            error.add_note(f"random network {seed}, allow {allow}")
            raise


@pytest.mark.parametrize("block", range(_FAST))
def test_fold_of_a_random_network_is_right_and_free(block: int) -> None:
    _check_block(block)


@pytest.mark.parametrize("block", range(_FAST, _FAST + _FAST_PRICED))
def test_fold_of_a_random_network_with_everything_allowed_is_right(block: int) -> None:
    _check_block(block, ("all",))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(_FAST, _ALL))
def test_fold_of_many_random_networks_is_right_and_free(block: int) -> None:
    _check_block(block)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(_FAST + _FAST_PRICED, _ALL, 2))
def test_fold_of_many_random_networks_with_everything_allowed_is_right(block: int) -> None:
    _check_block(block, ("all",))


@hypothesis.settings(_SETTINGS, max_examples=25)
@hypothesis.given(cases(most=4))
def test_fold_of_a_small_network_is_right_and_free(case: Case) -> None:
    check_fold(case.model, case.samples)


@pytest.mark.slow
@hypothesis.settings(_SETTINGS, max_examples=2000)
@hypothesis.given(cases(most=8))
def test_fold_of_any_network_is_right_and_free(case: Case) -> None:
    check_fold(case.model, case.samples)
