"""Each attack file ends each command in time, in bounds, and with at most one sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attacks import AT_RUN_TIME, ATTACKS
from tests.hostile.fuzzing import SECONDS, ending, import_everything
from tests.hostile.seeds import everything

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")

COMMANDS = {
    "fold": ("fold", "m.onnx", "-o", "out.onnx"),
    "verify": ("verify", "m.onnx", "m.onnx", "--samples", "2"),
    "verify against": ("verify", "seed.onnx", "m.onnx", "--samples", "2"),
    "bench": ("bench", "m.onnx", "--pairs", "5", "--level", "none"),
}
QUICK = ("fold",)
SECONDS_LONG = ("sixty constants of 16 MiB", "functions that double below the budget")
ALIKE = [attack for attack in ATTACKS if attack.startswith("200,000 empty fields")][1:]
ENDLESS = ("a loop without an end",)  # until the comparison of runs is given up
NOT_QUICK = {*AT_RUN_TIME, *ALIKE, *SECONDS_LONG, *ENDLESS}
PEAK_BYTES = 3 << 30  # the libraries take 100 MiB; sixty constants of 16, before and after, 2 GiB


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    import_everything()


def cases() -> Iterator[Any]:
    """Every attack on every command; what takes long, or is one of many alike, is for all tests."""
    for attack in ATTACKS:
        for command in COMMANDS:
            is_quick = command in QUICK and attack not in NOT_QUICK
            yield pytest.param(attack, command, marks=() if is_quick else pytest.mark.slow)


@pytest.mark.parametrize(("attack", "command"), list(cases()))
def test_an_attack_costs_little_and_ends_in_a_sentence(tmp_path: Path, attack: str, command: str):
    ATTACKS[attack](tmp_path)
    (tmp_path / "seed.onnx").write_bytes(everything().SerializeToString())
    is_quick = command in QUICK and attack not in AT_RUN_TIME
    # one run of the sixty constants takes onnxruntime a second, and verify makes a hundred
    longest = 180 if attack in SECONDS_LONG else 60
    end = ending(tmp_path, COMMANDS[command], SECONDS if is_quick else longest)
    assert end.is_good, f"{end.kind}: {end.stderr[-500:]}"
    assert end.peak_bytes < PEAK_BYTES or attack in AT_RUN_TIME
    if end.code == 2:
        assert end.stderr.startswith("bnfold: ")
        assert not (tmp_path / "out.onnx").exists()
    if (tmp_path / "out.onnx").exists():
        assert b"SECRETS!" not in (tmp_path / "out.onnx").read_bytes()
