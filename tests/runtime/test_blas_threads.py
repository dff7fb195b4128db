"""Products take one thread while somebody wants it, and as many as before afterwards."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bnfold.runtime.blas_threads import one_blas_thread


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    """As on a machine with two cores, whatever this one has."""
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(2, user_api="blas"):
        yield


def test_the_limit_ends_with_the_block_also_by_an_exception():
    with one_blas_thread():
        assert threads() == {1}
    assert threads() == {2}
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        _ = 1 / 0
    assert threads() == {2}


def test_blocks_that_overlap_leave_what_was_set():
    """The first leaves while the second is still within."""
    inside, first_left = threading.Event(), threading.Event()

    def second() -> None:
        with one_blas_thread():
            inside.set()
            first_left.wait()

    other = threading.Thread(target=second)
    with one_blas_thread():
        other.start()
        inside.wait()
        assert threads() == {1}
    first_left.set()
    other.join()
    assert threads() == {2}
