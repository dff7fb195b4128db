"""A Dask cluster as an executor, after a look whether its workers can do the work."""

from __future__ import annotations

import importlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from bnfold import __version__
from bnfold.errors import MissingDependencyError, UsageError

PATIENCE_S = 10  # until a scheduler that does not answer counts as absent
LOOK_S = 5  # from one look at the workers to the next
WORKERLESS_S = 600  # until a cluster without workers is given up; some start theirs on demand


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The executor of the Dask scheduler at the address: `tcp://host:8786`.

    A task whose worker dies goes to another one; where none is left for ten minutes, it is given
    up. What the workers read and write must be at the same path, or URL, for all of them.

    Raises:
        MissingDependencyError: dask.distributed is not installed.
        UsageError: no scheduler answers, it has no workers, or one has no bnfold of this version.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise MissingDependencyError(
            "a scheduler needs dask, which is not installed: pip install 'dask[distributed]'"
        ) from error
    try:
        _require_listener(address)
        client = distributed.Client(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"--scheduler {address}: no scheduler answers there") from error
    try:
        _require_workers(client, address)
        with _closed_where_alone(client):
            yield client.get_executor(retries=1)
    finally:
        client.close()


@contextmanager
def _closed_where_alone(client: Any) -> Iterator[None]:
    """The client is closed, and with it what was asked for, when it has had no workers for long:
    Dask itself waits for ever.
    """
    is_over = Event()

    def watch() -> None:
        last_seen = time.monotonic()
        while not is_over.wait(LOOK_S):
            try:
                has_workers = bool(client.nthreads())
            except (OSError, TimeoutError, RuntimeError):
                return  # the scheduler is gone, which the client notices by itself
            now = time.monotonic()
            if has_workers:
                last_seen = now
            elif now - last_seen > WORKERLESS_S:
                client.close()
                return

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _require_listener(address: str) -> None:
    """Returns where something listens: a client that finds nobody is in its own way when it ends.

    Raises:
        OSError: nothing does, or there is no such host.
        ValueError: it is no address, or of a way to connect that Dask does not know.
    """
    addressing = importlib.import_module("distributed.comm.addressing")
    scheme, _ = addressing.parse_address(address)
    importlib.import_module("distributed.comm.registry").get_backend(scheme)
    if scheme == "inproc":
        raise ValueError("it is in another process")
    if scheme in ("tcp", "tls", "ws", "wss"):
        where = addressing.get_address_host_port(address)
        socket.create_connection(where, timeout=PATIENCE_S).close()


def _require_workers(client: Any, address: str) -> None:
    versions = client.run(_version, on_error="return")
    if not versions:
        raise UsageError(f"--scheduler {address}: it has no workers")
    for worker, version in versions.items():
        if isinstance(version, BaseException):
            raise UsageError(f"worker {worker} has no bnfold that can be imported: {version}")
        if version != __version__:
            raise UsageError(
                f"worker {worker} has bnfold {version}, and this is {__version__}; they must agree"
            )


def _version() -> str:
    return str(importlib.import_module("bnfold").__version__)
