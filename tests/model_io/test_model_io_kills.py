"""A writer that is killed, told to end, or not alone leaves one whole model."""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bnfold import model_io
from tests.model_io.kill_loop import fill_on_disk, left_in, model_of
from tests.signals import HEARS_SIGNALS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills forked processes")


def kill_loop(folder, turns):
    command = [sys.executable, "-m", "tests.model_io.kill_loop", str(folder), str(turns)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_writer_killed_at_any_call_or_moment_leaves_a_whole_model(tmp_path):
    counts = kill_loop(tmp_path, 20)
    assert counts["at_points"] >= 4 * 12
    assert counts["at_random"] == 20


@pytest.mark.slow
def test_a_thousand_kills_at_random_moments_leave_a_whole_model(tmp_path):
    """In memory, where there is such a folder: a thousand kills wait for a disk long."""
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else tmp_path) as place:
        assert kill_loop(place, 1000)["at_random"] == 1000


def _write_often(path, fill, turns):
    model = model_of(fill)
    for _ in range(turns):
        model_io.save(model, path, external_data=True)


@pytest.mark.slow
@pytest.mark.parametrize("writers", [2, 8])
def test_of_many_writers_one_wins_whole_and_a_reader_never_sees_a_mixture(tmp_path, writers):
    target = tmp_path / "out.onnx"
    model_io.save(model_of(0), target, external_data=True)
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=_write_often, args=(target, fill, 40 // writers))
        for fill in range(1, writers + 1)
    ]
    for process in started:
        process.start()
    seen = set()
    while any(process.is_alive() for process in started):
        model = model_io.load(target)
        (fill,) = {float(model.metadata_props["fill"])}
        for value in model.graph.initializers.values():
            assert set(value.const_value.numpy().tolist()) == {fill}
        seen.add(fill)
    for process in started:
        process.join()
        assert process.exitcode == 0
    assert fill_on_disk(target) in range(1, writers + 1)
    assert left_in(tmp_path) == ["out.onnx", "out.onnx.HASH.data"]
    assert seen <= set(map(float, range(writers + 1)))


def test_data_that_another_model_reads_is_not_removed(tmp_path):
    """A copy of the graph under another name reads the same data file."""
    target, copy = tmp_path / "out.onnx", tmp_path / "copy.onnx"
    model_io.save(model_of(1), target, external_data=True)
    copy.write_bytes(target.read_bytes())
    model_io.save(model_of(2), target, external_data=True)
    assert fill_on_disk(copy) == 1
    assert fill_on_disk(target) == 2
    copy.unlink()
    model_io.save(model_of(3), target, external_data=True)
    assert left_in(tmp_path) == ["out.onnx", "out.onnx.HASH.data"]


def test_the_data_that_goes_with_a_model_by_its_name_goes_with_it(tmp_path):
    """What torch's exporter writes: m.onnx and m.onnx.data; other data may be somebody else's."""
    import onnx

    for data, expected in (
        ("m.onnx.data", ["m.onnx", "m.onnx.HASH.data"]),
        ("weights.bin", ["m.onnx", "weights.bin", "weights.bin.HASH.data"]),
    ):
        folder = tmp_path / data
        folder.mkdir()
        proto = model_io.to_proto(model_of(1))
        onnx.save(proto, folder / "m.onnx", save_as_external_data=True, location=data)
        model = model_io.load(folder / "m.onnx")
        model_io.save(model, folder / "m.onnx")
        assert left_in(folder) == expected
        assert fill_on_disk(folder / "m.onnx") == 1


def test_files_that_only_look_like_ours_stay(tmp_path):
    names = [
        ".env",
        ".out.onnx.swp",
        "out.onnx.bak",
        "out.onnx.0123.data",
        "x.bnfold",
        "notes.data",
    ]
    for name in names:
        (tmp_path / name).write_text("mine")
    model_io.save(model_of(1), tmp_path / "out.onnx", external_data=True)
    assert set(names) <= {path.name for path in tmp_path.iterdir()}


SLOW_SAVE = """
import sys, time
from bnfold.cli.group import main
from bnfold.model_io import saving
original = saving._write_tensor
def slowly(tensor, file):
    original(tensor, file)
    print("writing", file=sys.stderr, flush=True)
    time.sleep(60)
saving._write_tensor = slowly
main(["fold", sys.argv[1], "-o", sys.argv[2]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_being_told_to_end_leaves_everything_as_it_was(tmp_path, saved_external, name):
    target = tmp_path / "out" / "m.onnx"
    target.parent.mkdir()
    model_io.save(model_of(1), target, external_data=True)
    before = {path.name: path.read_bytes() for path in target.parent.iterdir()}
    command = [sys.executable, "-c", HEARS_SIGNALS + SLOW_SAVE, str(saved_external), str(target)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline() == "writing\n"
    child.send_signal(getattr(signal, name))
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert stderr == "bnfold: interrupted; nothing was changed\n"
    assert {path.name: path.read_bytes() for path in Path(target.parent).iterdir()} == before
