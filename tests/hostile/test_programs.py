"""Files that would run code of their author: nothing of it runs unless somebody says --trust."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import BnfoldError, DataError, UsageError

WARNING = pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.export's own


class Attack:
    """Unpickling it makes the file `ran`."""

    def __init__(self, ran: Path) -> None:
        self._ran = ran

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self._ran), os.O_CREAT)


def pickled(ran: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": Attack(ran)}, buffer)
    return buffer.getvalue()


def remade(program: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(target, "w") as out:
        for name in source.namelist():
            out.writestr(name, change(name, source.read(name)))
    return target


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.ones(1, 3, 8, 8),)), path)
    return path


@pytest.fixture(params=["a pickle among its inputs", "an expression in its shapes"])
def attack(request: pytest.FixtureRequest, program: Path, tmp_path: Path) -> Path:
    """A program that makes the file `ran` beside it when torch reads it."""
    ran, target = tmp_path / "ran", tmp_path / "attack.pt2"
    if "pickle" in request.param:
        return remade(
            program, target, lambda name, data: pickled(ran) if "sample_inputs" in name else data
        )
    said = f"__import__('os').open({str(ran)!r}, 64)".replace('"', "'")
    evil = f'{{"as_expr": {{"expr_str": "{said}", "hint": null}}}}'.encode()
    return remade(program, target, lambda _, data: data.replace(b'{"as_int": 8}', evil))


@WARNING
def test_the_attacks_work_on_who_trusts_them(attack):
    with pytest.raises(BnfoldError):
        bnfold.export(attack, trust=True)
    assert (attack.parent / "ran").exists()


@WARNING
def test_a_program_is_not_read_without_trust(attack, tmp_path):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) { y = Relu (x) }'
    )
    for read in (lambda: bnfold.export(attack), lambda: bnfold.verify(str(attack), model)):
        with pytest.raises(UsageError, match=r"may run code of its author.*--trust"):
            read()
    assert not (tmp_path / "ran").exists()


@WARNING
def test_a_program_that_is_trusted_is_exported(program):
    assert bnfold.export(program, trust=True).batch_norms == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TorchScript
@pytest.mark.parametrize("kind", ["a pickle", "TorchScript"])
def test_weights_run_nothing(kind, tmp_path):
    ran, weights = tmp_path / "ran", tmp_path / "w.pt"
    if kind == "a pickle":
        weights.write_bytes(pickled(ran))
    else:
        torch.jit.script(nn.Linear(2, 2)).save(weights)
    with pytest.raises(BnfoldError, match=r"w\.pt") as caught:
        bnfold.export(nn.Linear(2, 2), (1, 2), weights=weights)
    assert "\n" not in str(caught.value)
    assert not ran.exists()


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_run_nothing(suffix, tmp_path):
    ran, path = tmp_path / "ran", tmp_path / f"x.{suffix}"
    array = np.array([Attack(ran)], dtype=object)
    save = np.save if suffix == "npy" else lambda file, value: np.savez(file, x=value)
    save(path, array)
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) { y = Relu (x) }'
    )
    with pytest.raises(DataError, match=rf"x\.{suffix}"):
        bnfold.verify(model, model, data=path)
    assert not ran.exists()
