"""Products of matrices with one thread, for as long as somebody wants that.

What NumPy's library starts, a thread for each core, waits by spinning, and products with few
columns gain nothing by it: a weight of 36 MiB times 18 columns takes 14 ms with one thread, 42 ms
with two on two cores that others use as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy  # noqa: F401 (a limit holds for what is loaded by then)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's products take one thread meanwhile.

    Where blocks of several threads overlap, it holds for as long as the first of them; what was set
    before is set again. onnxruntime and torch have threads of their own, which stay as they are.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
