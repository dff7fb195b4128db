"""What the system may do while a model is saved: kill at any call, fill up, forbid, limit."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.motifs import GROUPS
from bnfold import model_io
from bnfold.errors import ModelError
from bnfold.model_io import saving
from tests.model_io.kill_loop import fill_on_disk, left_in, model_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

CALLS = ("openat", "rename", "unlink", "unlinkat", "write", "fsync", "chmod,fchmod", "flock")
REFUSED = 7
SAVE = f"""
import os, sys
from bnfold import model_io
from bnfold.errors import ModelError
from tests.model_io.kill_loop import model_of
model = model_of(2)
open('/dev/zero')
try:
    model_io.save(model, sys.argv[1], external_data=sys.argv[2] == 'True')
except ModelError as error:
    os._exit({REFUSED} if 'cannot be written' in str(error) else 8)
"""


def traced(target: Path, external: bool, *options: str) -> int:
    """The exit code of a writer under strace."""
    command = ["strace", "-f", "-qq", *options, sys.executable, "-c", SAVE, str(target)]
    done = subprocess.run(
        [*command, str(external)], check=False, capture_output=True, text=True, timeout=120
    )
    return done.returncode


def calls_of_a_save(target: Path, external: bool, call: str) -> range:
    """Which of the writer's calls of this kind, counted from 1, come while it saves."""
    log = target.parent.parent / "strace.log"
    assert traced(target, external, "-o", str(log), "-e", f"trace=openat,{call}") == 0
    kinds = call.split(",")
    names = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()]
    begin = next(i for i, name in enumerate(names) if "/dev/zero" in name)
    is_call = [any(name.startswith(f"{kind}(") for kind in kinds) for name in names]
    return range(sum(is_call[: begin + 1]) + 1, sum(is_call) + 1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("external", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_each_call_that_changes_the_folder(tmp_path, external, call):
    target = tmp_path / "models" / "out.onnx"
    target.parent.mkdir()
    expected = ["out.onnx", "out.onnx.HASH.data"] if external else ["out.onnx"]
    model_io.save(model_of(1), target, external_data=external)
    traced(target, external)  # so that everything is compiled
    model_io.save(model_of(1), target, external_data=external)
    for count in calls_of_a_save(target, external, call):
        model_io.save(model_of(1), target, external_data=external)
        kill = f"inject={call}:signal=KILL:when={count}"
        code = traced(target, external, "-o", os.devnull, "-e", f"trace={call}", "-e", kill)
        assert code in {0, -9, 137}
        assert fill_on_disk(target) in ({1, 2} if code else {2})
        model_io.save(model_of(3), target, external_data=external)
        assert fill_on_disk(target) == 3
        assert left_in(target.parent) == expected
        print(call, external, count, code)  # noqa: T201 - shown with -s: the counts of SECURITY.md


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("external", [True, False])
@pytest.mark.parametrize(
    ("call", "error"), [("write", "EDQUOT"), ("fsync", "EDQUOT"), ("rename", "EACCES")]
)
def test_a_call_that_fails_leaves_everything_as_it_was(tmp_path, external, call, error):
    """Each call of the save from some point on, as when a quota is used up."""
    target = tmp_path / "models" / "out.onnx"
    target.parent.mkdir()
    model_io.save(model_of(1), target, external_data=external)
    traced(target, external)  # so that everything is compiled
    model_io.save(model_of(1), target, external_data=external)
    calls = calls_of_a_save(target, external, call)
    assert calls
    for count in calls:
        model_io.save(model_of(1), target, external_data=external)
        before = {path.name: path.read_bytes() for path in target.parent.iterdir()}
        fail = f"inject={call}:error={error}:when={count}"
        code = traced(target, external, "-o", os.devnull, "-e", f"trace={call}", "-e", fail)
        if code == 0:  # all was there: that names are on the disk is asked for, and not relied on
            assert (call, fill_on_disk(target)) == ("fsync", 2)
            continue
        assert code == REFUSED
        assert {path.name: path.read_bytes() for path in target.parent.iterdir()} == before
        print(call, error, external, count)  # noqa: T201 - shown with -s


@pytest.mark.parametrize("external", [True, False])
def test_a_limit_on_the_size_of_files_leaves_everything_as_it_was(tmp_path, external):
    target = tmp_path / "out.onnx"
    model_io.save(model_of(1), target, external_data=external)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    model = model_of(2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(ModelError, match=r"out\.onnx: cannot be written: File too large"):
            model_io.save(model, target, external_data=external)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def full(tmp_path: Path):
    """A file system of 200 KiB, if this user may mount one."""
    place = tmp_path / "full"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(place)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("external", [True, False])
def test_a_full_disk_leaves_everything_as_it_was(full, external):
    target = full / "out.onnx"
    model_io.save(model_of(1), target, external_data=external)
    before = {path.name: path.read_bytes() for path in full.iterdir()}
    with pytest.raises(ModelError, match=r"out\.onnx: cannot be written: No space left on device"):
        model_io.save(model_of(2), target, external_data=external)
    assert {path.name: path.read_bytes() for path in full.iterdir()} == before


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("mode", [0o555, 0o000, 0o755])
def test_another_user_may_not_and_changes_nothing(tmp_path, mode):
    place = tmp_path / "theirs"
    place.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:3]):  # pytest's own are closed to others
        folder.chmod(folder.stat().st_mode | 0o055)
    target = place / "out.onnx"
    model_io.save(model_of(1), target)
    before = target.read_bytes()
    place.chmod(mode)
    model = model_of(2)
    child = os.fork()
    if child == 0:
        code = 9
        try:
            os.setgid(65534)
            os.setuid(65534)
            model_io.save(model, target)
        except ModelError as error:
            code = 0 if "Permission denied" in str(error) else 8
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 0
    place.chmod(0o755)
    assert target.read_bytes() == before
    assert left_in(place) == ["out.onnx"]


def test_results_can_be_pickled(tmp_path, large):
    import bnfold

    result = bnfold.fold(large)
    again = pickle.loads(pickle.dumps(result))
    assert again.ledger == result.ledger
    assert again.to_proto().SerializeToString() == result.to_proto().SerializeToString()


def test_a_result_with_external_data_keeps_it_when_pickled(saved_external, tmp_path):
    import bnfold

    again = pickle.loads(pickle.dumps(bnfold.fold(saved_external)))
    again.save(tmp_path / "out.onnx")
    assert left_in(tmp_path) == ["external", "out.onnx", "weights.bin.HASH.data"]


def fold_to_bytes(path: str) -> bytes:
    import bnfold

    return bnfold.fold(path).to_proto().SerializeToString(deterministic=True)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_give_the_bytes_of_a_serial_run(tmp_path, method):
    import onnx

    paths = []
    for index, motif in enumerate(GROUPS["backward"][:8]):
        onnx.save(motif.model(), tmp_path / f"{index}.onnx")
        paths.append(str(tmp_path / f"{index}.onnx"))
    serial = [fold_to_bytes(path) for path in paths]
    with multiprocessing.get_context(method).Pool(4) as pool:
        assert pool.map(fold_to_bytes, paths) == serial


def test_a_model_that_one_file_cannot_hold_says_that_its_weights_lie_beside_it(
    tmp_path, saved, monkeypatch
):
    monkeypatch.setattr(saving, "_LIMIT_BYTES", 1 << 19)
    with pytest.warns(UserWarning, match=r"passes 2 GiB.*its weights lie beside it"):
        model_io.save(model_io.load(saved), tmp_path / "out.onnx")
    assert left_in(tmp_path) == ["models", "out.onnx", "out.onnx.HASH.data"]
    again = model_io.load(tmp_path / "out.onnx")
    model_io.save(again, tmp_path / "out.onnx")  # known by now: nothing is said
