"""Workers die: of memory, of a bug in a library, by somebody's hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import onnx.parser
import pytest

from bnfold import __version__
from bnfold.errors import UsageError
from bnfold.sweep.api import sweep
from bnfold.sweep.one_model import ModelJob, SweepSettings
from bnfold.sweep.records import Outcome
from bnfold.sweep.workers import _pool, run_here, run_on

MODEL = """
    <ir_version: 8, opset_import: ["" : 15]>
    net (float[N, 2] x) => (float[N, 2] y)
    <float[2] scale = {1.5, -2.0}, float[2] shift = {0.25, 1.0},
     float[2] mean = {0.5, -1.0}, float[2] variance = {2.0, 0.5}, float[2, 2] w = {1, 2, 3, 4}>
    { h = MatMul (x, w)
      y = BatchNormalization (h, scale, shift, mean, variance) }
"""


class Deadly(str):
    """A path that kills the worker that looks at it, as often as there are lives in its file."""

    lives: str

    def __new__(cls, path: str, lives: str) -> Deadly:
        made = super().__new__(cls, path)
        made.lives = lives
        return made

    def __reduce__(self):
        return (Deadly, (str(self), self.lives))

    def __contains__(self, part: object) -> bool:
        lives = Path(self.lives)
        if int(lives.read_text()) > 0:
            lives.write_text(str(int(lives.read_text()) - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        return str.__contains__(self, str(part))


def fleet(folder: Path, lives: int) -> list[ModelJob]:
    (folder / "lives").write_text(str(lives))
    jobs = []
    for number in range(4):
        path = folder / f"{number}.onnx"
        onnx.save(onnx.parser.parse_model(MODEL), path)
        source = Deadly(str(path), str(folder / "lives")) if number == 1 else str(path)
        jobs.append(ModelJob(source, folder / "out" / path.name, SweepSettings(verify=False)))
    return jobs


@pytest.mark.slow  # processes are started, some twice
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this")
@pytest.mark.parametrize(("lives", "status"), [(1, "not verified"), (9, "failed")])
def test_who_dies_is_tried_once_more_alone_and_the_others_are_done(tmp_path, lives, status):
    outcomes = {}
    run_here(fleet(tmp_path, lives), 2, lambda index, outcome: outcomes.update({index: outcome}))
    assert {i: outcomes[i].status for i in (0, 2, 3)} == dict.fromkeys((0, 2, 3), "not verified")
    assert outcomes[1].status == status
    assert ("died twice" in outcomes[1].reason) == (status == "failed")


@pytest.mark.slow  # a scheduler and three processes are started
def test_a_worker_of_a_cluster_is_killed_and_the_sweep_is_whole(tmp_path):
    distributed = pytest.importorskip("distributed")
    from bnfold.sweep.cluster import cluster

    for number in range(12):
        path = tmp_path / "zoo" / f"{number}.onnx"
        path.parent.mkdir(exist_ok=True)
        onnx.save(onnx.parser.parse_model(MODEL), path)
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with local, cluster(local.scheduler_address) as executor:
        victim = next(iter(local.workers.values())).process.pid
        seen = threading.Event()

        def kill() -> None:
            seen.wait(60)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        result = sweep(
            str(tmp_path / "zoo"), tmp_path / "out", executor=executor,
            on_outcome=lambda _: seen.set(),
        )  # fmt: skip
        killer.join()
    assert result.headline == "12 models: 12 equivalent; batch norms: 12 -> 0"
    assert len(list((tmp_path / "out").glob("*.onnx"))) == 12


def give(executor, folder: Path) -> list[Outcome]:
    """What comes of two models that are given to an executor."""
    found = {}
    jobs = fleet(folder, 0)[2:]
    run_on(executor, jobs, lambda index, outcome: found.update({index: outcome}))
    return [found[index] for index in range(len(jobs))]


class Older(ThreadPoolExecutor):
    """What it sends is of an older version than its workers."""

    def submit(self, call, job, version):
        assert version == __version__
        return super().submit(call, job, "0.0.1")


def test_a_worker_of_another_version_does_no_work(tmp_path):
    """The version travels with the work: a worker that joins later was asked by nobody."""
    with Older(1) as executor:
        outcomes = give(executor, tmp_path)
    for outcome in outcomes:
        assert (outcome.status, outcome.exit_code) == ("failed", 2)
        assert outcome.reason.startswith(outcome.source)
        assert f"has bnfold {__version__}, and the sweep is of 0.0.1" in outcome.reason
    assert not (tmp_path / "out").exists()


@pytest.mark.slow  # a scheduler and a process are started
@pytest.mark.parametrize(
    ("preload", "said"),
    [
        ('import bnfold\nbnfold.__version__ = "0.0.1"', "has bnfold 0.0.1, and this is"),
        ('import sys\nsys.modules["bnfold"] = None', "has no bnfold that can be imported"),
    ],
    ids=["another version", "no bnfold"],
)
def test_a_worker_that_cannot_do_the_work_is_named_before_it_begins(tmp_path, preload, said):
    distributed = pytest.importorskip("distributed")
    from bnfold.sweep.cluster import cluster

    (tmp_path / "preload.py").write_text(preload)
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None,
        preload=[str(tmp_path / "preload.py")],
    )  # fmt: skip
    with local, pytest.raises(UsageError, match=said) as raised, cluster(local.scheduler_address):
        pass
    assert raised.value.args[0].startswith("worker tcp://")


@pytest.mark.slow  # a scheduler is started
def test_a_cluster_that_has_lost_its_workers_is_given_up(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    from bnfold.sweep import cluster

    monkeypatch.setattr(cluster, "LOOK_S", 0.2)
    monkeypatch.setattr(cluster, "WORKERLESS_S", 1)
    local = distributed.LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address=None
    )
    with local, cluster.cluster(local.scheduler_address) as executor:
        local.scale(0)
        local.sync(local._correct_state)
        outcomes = give(executor, tmp_path)
    assert [outcome.exit_code for outcome in outcomes] == [2, 2]
    assert all("gave it up" in outcome.reason for outcome in outcomes)


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path):
    for number in range(8):
        path = tmp_path / "zoo" / f"{number}.onnx"
        path.parent.mkdir(exist_ok=True)
        onnx.save(onnx.parser.parse_model(MODEL), path)
    command = [sys.executable, "-m", "bnfold", "sweep", "zoo", "-o", "out", "--workers", "1"]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    journal = tmp_path / "out" / "sweep.jsonl"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_text().count("\n") > 3):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()
    first.wait()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 models: 8 equivalent" in done.stdout
    assert "of them from an earlier sweep" in done.stdout


def threads_of_blas() -> set[int]:
    """Those that each library for products of matrices may take in this process."""
    from threadpoolctl import threadpool_info

    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.slow  # a process is started
def test_a_worker_takes_one_core():
    with _pool(1) as pool:
        assert pool.submit(threads_of_blas).result() == {1}
