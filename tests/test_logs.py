"""What the calls tell `logging`: nothing unless it is asked for, and then each call by its name."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold import model_io


def network(name: str = "n"):
    text = f"(float[N,3,9,9] x) => (float[M,4,P,Q] y) {{ a = Conv(x, w) y = BN(a, {name}) }}"
    return Motif("conv", text, {"w": (4, 3, 3, 3), name: Norm(4)}, "").model()


def test_each_call_says_what_came_of_it(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.INFO, "bnfold")
    folded = bnfold.optimize(network(), target=tmp_path / "folded.onnx").fold
    said = [(record.name, record.getMessage()) for record in caplog.records]
    assert [name for name, _ in said] == ["bnfold.fold", "bnfold.verify", "bnfold.optimize"]
    assert said[0][1].startswith(f"{folded!r} after ")
    assert said[1][1].startswith("<Verification equivalent: ")


def test_the_steps_are_told_too_and_whoever_asked_for_them_is_told_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "bnfold")
    seen = []
    bnfold.fold(network(), progress=lambda done, total, what: seen.append((done, total, what)))
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "ModelProto: begins"
    assert seen
    assert said[1:-1] == [f"{what} ({done} of {total})" for done, total, what in seen]


def test_a_name_cannot_write_a_line_of_its_own(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG, "bnfold")
    path = tmp_path / "a\nERROR forged \x1b[2J.onnx"
    model_io.save(model_io.load(network()), path)
    bnfold.inspect(path)
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert caplog.records[0].getMessage().endswith(r"a\nERROR forged \x1b[2J.onnx: begins")


def test_nothing_is_shown_unless_it_is_asked_for(tmp_path: Path) -> None:
    model_io.save(model_io.load(network()), tmp_path / "net.onnx")
    script = "import bnfold, sys; bnfold.fold(sys.argv[1])"
    for before, told in (("", False), ("import logging; logging.basicConfig(level='INFO');", True)):
        done = subprocess.run(
            [sys.executable, "-c", before + script, tmp_path / "net.onnx"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert not done.stdout
        assert ("INFO:bnfold.fold:<FoldResult" in done.stderr) == told
        assert told or not done.stderr
