"""The command ends in a sentence whatever ends the process that it runs in."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from bnfold.cli.memory import spare_memory_only

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="supervised on Linux")

CODE = """
import sys
from bnfold.cli import supervised
def command(prog_name):
    import os, signal, time
    {body}
supervised.command = command
supervised.main()
"""


Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs a body in the place of the command; its pipes are closed in the end."""
    with contextlib.ExitStack() as cleanup:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

        def started(body: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", CODE.format(body=body)]
            return cleanup.enter_context(subprocess.Popen(command, text=True, **pipes))

        yield started


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE"])
def test_a_crash_is_one_sentence(start, name):
    child = start(f"os.kill(os.getpid(), signal.{name})")
    _, said = child.communicate(timeout=60)
    assert child.returncode == 2
    assert said.startswith("bnfold: the command did not end by itself: a library")
    assert name in said
    assert said.count("\n") == 1


def test_want_of_memory_that_the_system_ends_is_told(start):
    child = start("os.kill(os.getpid(), signal.SIGKILL)")
    _, said = child.communicate(timeout=60)
    assert (child.returncode, "memory runs out" in said) == (2, True)


def test_other_signals_stay_what_they_are(start):
    child = start("os.kill(os.getpid(), signal.SIGXCPU)")
    assert child.wait(timeout=60) == -signal.SIGXCPU


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_commands(start, code):
    assert start(f"sys.exit({code})").wait(timeout=60) == code


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_being_told_to_end_is_passed_on_once(start, name):
    body = (
        f"seen = []; signal.signal(signal.{name}, lambda *_: seen.append(1)); "
        "print('there', flush=True); time.sleep(1.0); sys.exit(10 + len(seen))"
    )
    child = start(body)
    assert child.stdout is not None
    assert child.stdout.readline() == "there\n"
    child.send_signal(getattr(signal, name))
    assert child.wait(timeout=60) == 11


def test_a_killed_command_leaves_no_process_behind(start):
    child = start("print(os.getpid(), flush=True); time.sleep(60)")
    assert child.stdout is not None
    inner = Path("/proc", child.stdout.readline().strip())
    child.kill()
    child.wait(timeout=60)
    for _ in range(600):
        if not inner.exists() or ") Z " in (inner / "stat").read_text():
            return
        time.sleep(0.1)
    pytest.fail(f"{inner} lives")


@pytest.mark.slow
def test_a_model_that_crashes_the_runtime_is_one_sentence(tmp_path):
    """A Loop whose number of turns is a tensor without elements, which the runtime reads anyway."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]> g (float[2,4] x) => (float[2,4] y)
        <float[4] s = {1.0, 2.0, 3.0, 4.0}, bool go = {1}>
        { n = BatchNormalization (x, s, s, s, s) w = MatMul (n, eye)
          y = Loop (trips, go, w) <body = body (int64 i, bool c, float[2,4] h)
          => (bool d, float[2,4] k) { d = Identity (c) k = Relu (h) }> }"""
    )
    for name, array in (("trips", np.zeros(0, np.int64)), ("eye", np.eye(4, dtype=np.float32))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, tmp_path / "m.onnx")
    command = [sys.executable, "-m", "bnfold", "fold", "m.onnx", "-o", "out.onnx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 2}, done.stderr
    if done.returncode:
        assert done.stderr.count("\n") == 1


def test_memory_beyond_what_is_spare_is_refused_inside_only():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with spare_memory_only():
        inside = resource.getrlimit(resource.RLIMIT_DATA)[0]
        with pytest.raises(MemoryError):
            np.ones(inside, np.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, before[1]))
    try:
        with spare_memory_only():
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] <= 1 << 40
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
