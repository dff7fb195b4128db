"""Many jobs on an executor: a worker that dies takes nobody along, and is tried again alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from bnfold import __version__
from bnfold.errors import BnfoldError, InternalError, UsageError
from bnfold.sweep.records import Outcome
from bnfold.sweep.threads import use_one_thread

SPACE_BYTES = 400 << 20  # an interpreter with onnx, numpy and onnxruntime
COPIES = 6  # of a model, at the peak of fold and verify

Done = Callable[[int, Outcome], None]


class Job(Protocol):
    """One thing to do for one model; workers get it by pickle."""

    @property
    def source(self) -> str:
        """The model's path or URL."""

    def outcome(self) -> Outcome:
        """It is done, and this came of it."""

    def failure(self, reason: str, exit_code: int) -> Outcome:
        """What came of it where it did not come to its end."""


def run_here(jobs: Sequence[Job], workers: int | None, done: Done) -> None:
    """The jobs run in processes of this machine.

    A worker that dies breaks the pool of all: those that were at work are suspects, and each is
    tried once more alone, at the end; the others go on in a new pool.

    Raises:
        UsageError: workers end before they begin: `__main__` cannot be imported again.
    """
    count = workers or fitting_workers(jobs)
    waiting = list(range(len(jobs)))
    suspects: list[int] = []
    with TemporaryDirectory(prefix="bnfold-sweep-") as folder:
        begun = Path(folder)
        while waiting:
            left = _round(jobs, waiting, count, begun, done)
            dead = sorted(int(path.name) for path in begun.iterdir())
            if left == waiting and not dead:
                raise UsageError(
                    "the worker processes end before they begin; a script that calls sweep has to "
                    "do so under if __name__ == '__main__'"
                )
            suspects += dead
            waiting = [index for index in left if index not in dead]
            for path in begun.iterdir():
                path.unlink()
        for index in suspects:
            if _round(jobs, [index], 1, begun, done):
                died = "its worker died twice, the second time alone; memory may be too small"
                done(index, _failure(jobs[index], died))
                (begun / str(index)).unlink(missing_ok=True)


def carried_out(job: Job, version: str) -> Outcome:
    """What a worker is called with; `version` is of the bnfold that calls it.

    Raises:
        UsageError: the worker has another one: what they send each other may mean something else.
    """
    if version != __version__:
        raise UsageError(
            f"its worker has bnfold {__version__}, and the sweep is of {version}; they must agree"
        )
    return job.outcome()


def run_on(executor: Executor, jobs: Sequence[Job], done: Done) -> None:
    """The jobs run wherever the executor takes them."""
    calls = [(index, (job, __version__)) for index, job in enumerate(jobs)]
    for index, future in _completed(executor, carried_out, calls):
        done(index, _outcome(jobs[index], future))


def fitting_workers(jobs: Sequence[Job]) -> int:
    """How many processes fit into the memory that is free, one for each core at most."""
    import psutil

    sizes = [_size(Path(job.source)) for job in jobs]
    each = SPACE_BYTES + COPIES * max(sizes, default=0)
    by_memory = psutil.virtual_memory().available // each
    return int(max(1, min(_cores(), by_memory, len(jobs))))


def _failure(job: Job, reason: str, exit_code: int = 2) -> Outcome:
    return job.failure(f"{job.source}: {reason}", exit_code)


def _cores() -> int:
    """Those that this process may use, where the system tells; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(path: Path) -> int:
    from bnfold.model_io import files_of

    try:
        return sum(file.stat().st_size for file in files_of(path))
    except (BnfoldError, OSError):
        return 0


def _round(
    jobs: Sequence[Job], indices: Sequence[int], count: int, begun: Path, done: Done
) -> list[int]:
    """Those that are left when the pool is done, or has broken."""
    left = []
    with _pool(count) as pool:
        calls = [(i, (jobs[i], __version__, begun / str(i))) for i in indices]
        for index, future in _completed(pool, _marked, calls):
            if isinstance(future.exception(), BrokenExecutor):
                left.append(index)
            else:
                (begun / str(index)).unlink(missing_ok=True)
                done(index, _outcome(jobs[index], future))
    return sorted(left)


@contextmanager
def _pool(count: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=use_one_thread)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _completed(
    executor: Executor,
    call: Callable[..., Outcome],
    calls: Sequence[tuple[int, tuple[object, ...]]],
) -> Iterator[tuple[int, Future[Outcome]]]:
    futures: dict[Future[Outcome], int] = {}
    for index, arguments in calls:
        try:
            futures[executor.submit(call, *arguments)] = index
        except BrokenExecutor as error:
            broken: Future[Outcome] = Future()
            broken.set_exception(error)
            futures[broken] = index
    for future in as_completed(futures):
        yield futures[future], future


def _marked(job: Job, version: str, mark: Path) -> Outcome:
    """Leaves a mark, which goes when the outcome has arrived: who dies leaves it for good."""
    mark.touch()
    return carried_out(job, version)


def _outcome(job: Job, future: Future[Outcome]) -> Outcome:
    try:
        error = future.exception()
    except CancelledError:
        return _failure(job, "the executor gave it up before it was done")
    if error is None:
        return future.result()
    if isinstance(error, BnfoldError):
        return _failure(job, str(error), error.exit_code)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _failure(job, f"{where}{(error.strerror or str(error)).lower()}")
    if isinstance(error, MemoryError):
        return _failure(job, "there is not enough memory for it")
    reason = " ".join(str(error).split())[:300]
    said = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return _failure(job, said, InternalError.exit_code)
