"""Each attack file ends each command in time, in bounds, and with at most one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.hostile.attacks import AT_RUN_TIME, ATTACKS
from tests.hostile.campaign import SECONDS, ending, import_everything
from tests.hostile.seeds import everything

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")

COMMANDS = {
    "fold": ("fold", "m.onnx", "-o", "out.onnx"),
    "verify": ("verify", "m.onnx", "m.onnx", "--samples", "2"),
    "verify against": ("verify", "seed.onnx", "m.onnx", "--samples", "2"),
    "bench": ("bench", "m.onnx", "--pairs", "5", "--level", "none"),
}
QUICK = ("fold",)
PEAK_BYTES = 2 << 30  # the libraries alone take 100 MiB; the largest constant 64


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    import_everything()


@pytest.mark.parametrize(
    "command",
    [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in COMMANDS],
)
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_costs_little_and_ends_in_a_sentence(tmp_path: Path, attack: str, command: str):
    ATTACKS[attack](tmp_path)
    (tmp_path / "seed.onnx").write_bytes(everything().SerializeToString())
    end = ending(tmp_path, COMMANDS[command], SECONDS if command in QUICK else 60)
    assert end.is_good, f"{end.kind}: {end.stderr[-500:]}"
    assert end.peak_bytes < PEAK_BYTES or attack in AT_RUN_TIME
    if end.code == 2:
        assert end.stderr.startswith("bnfold: ")
        assert not (tmp_path / "out.onnx").exists()
    if (tmp_path / "out.onnx").exists():
        assert b"SECRETS!" not in (tmp_path / "out.onnx").read_bytes()
