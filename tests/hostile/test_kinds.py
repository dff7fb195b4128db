"""What no exporter says ends each command in time, in bounds, and in one sentence where refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.hostile.fuzzing import COMMANDS, ending, import_everything
from tests.hostile.kinds import files, plain

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux"),
    pytest.mark.slow,
]
PEAK_BYTES = 1 << 30
PARTS = 8  # so that several processes share them


def test_there_are_hundreds_and_each_is_another():
    found = dict(files())
    assert len(found) > 600
    assert len(set(found.values())) > 600


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("command", ["fold", "verify"])
def test_each_ends_as_a_command_may_end(tmp_path: Path, command: str, part: int):
    import_everything()
    bad, count = [], 0
    for index, (name, data) in enumerate(files()):
        if index % PARTS != part:
            continue
        for path in tmp_path.iterdir():
            path.unlink()
        (tmp_path / "m.onnx").write_bytes(data)
        (tmp_path / "seed.onnx").write_bytes(plain().SerializeToString())
        end = ending(tmp_path, COMMANDS[command])
        left = {path.name for path in tmp_path.iterdir()} - {"m.onnx", "seed.onnx", "stderr"}
        allowed = {n for n in left if n.startswith("out.onnx") and end.code == 0}
        count += 1
        if not end.is_good or end.peak_bytes > PEAK_BYTES or left - allowed:
            bad.append(f"{name}: {end.kind}, {end.peak_bytes >> 20} MiB, {end.stderr[-200:]}")
    print(command, part, count)  # noqa: T201 - shown with -s
    assert bad == []
