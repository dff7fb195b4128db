"""Files that torch writes: each kind is told for what it is, and what is advised works."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import ModelError, UsageError
from bnfold.torch_files import torch_file

NET = """
import torch
class Net(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
def build():
    return Net()
"""


class Net(nn.Sequential):
    """Weights by the names of `NET`."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A file of each kind, beside the code of the network."""
    monkeypatch.chdir(tmp_path)
    net = Net().eval()
    Path("net_code.py").write_text(NET)
    torch.save(net.state_dict(), "weights.pt")
    torch.save(net.state_dict(), "older.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": net.state_dict(), "epoch": 3}, "checkpoint.ckpt")
    torch.save(net, "whole.pt")
    torch.save(net, "older_whole.pt", _use_new_zipfile_serialization=False)
    torch.save({"ema": net, "epoch": 3}, "objects.pt")
    torch.jit.save(torch.jit.trace(net, torch.ones(2, 3)), "script.pt")
    program = torch.export.export(net, (torch.ones(2, 3),))
    torch.export.save(program, "program.pt2")
    torch.save(net.state_dict(), "newer.pt", pickle_protocol=4)
    torch.save(net, "newer_whole.pt", pickle_protocol=4)
    shutil.copy("program.pt2", "program.pt")
    return tmp_path


KINDS = {
    "weights.pt": "weights",
    "older.pth": "weights",
    "checkpoint.ckpt": "weights",
    "whole.pt": "module",
    "newer.pt": "weights",
    "newer_whole.pt": "module",
    "older_whole.pt": "objects",  # it begins with the source of its classes
    "objects.pt": "objects",
    "script.pt": "TorchScript",
    "program.pt": "program",
}
NAME = f"{__name__}.Net"
WORDS = {
    "weights": "holds weights, and neither an ONNX model nor the code of a network",
    "module": f"is a pickled module ({NAME}), and bnfold never unpickles",
    "objects": f"has pickled objects in it ({NAME}), and bnfold never unpickles",
    "TorchScript": "is a TorchScript program, which cannot be exported",
    "program": "is a program of torch.export and not an ONNX model",
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_every_call_that_takes_a_network_tells_what_the_file_is(files):
    for name, kind in KINDS.items():
        found = torch_file(Path(name))
        assert found is not None and found.kind == kind, name
        said = f"{name} {WORDS[kind]}"
        with pytest.raises(UsageError) as caught:
            bnfold.export(name, torch.ones(2, 3), "out.onnx")
        assert str(caught.value).startswith(said)
        for call in (bnfold.fold, bnfold.inspect):
            with pytest.raises(ModelError) as refused:
                call(name)
            assert str(refused.value) == str(caught.value)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_what_is_no_file_of_weights_says_what_it_is_and_what_is_advised_works(files):
    refused = ("whole.pt", "older_whole.pt", "objects.pt", "script.pt", "program.pt", "newer.pt")
    for name in refused:
        with pytest.raises(ModelError) as caught:
            bnfold.export(Net(), torch.ones(2, 3), weights=name)
        assert "weights_only" not in str(caught.value)
        assert str(caught.value).startswith(name)
        if name == "script.pt":
            advice = str(caught.value).partition("; ")[2].removesuffix(" writes one for --weights")
            Path("weights.pt").unlink()
            exec(advice, {"torch": torch})
            bnfold.export("net_code.py:build", torch.ones(2, 3), weights="weights.pt", check=False)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80\x02garbage", b"PK\x03\x04", b"import torch\n"]
)
def test_what_is_no_file_of_torch_is_told_so(tmp_path, content):
    path = tmp_path / "net.pt"
    path.write_bytes(content)
    assert torch_file(path) is None
    with pytest.raises(ModelError) as caught:
        bnfold.export(Net(), torch.ones(2, 3), weights=path)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [pickle.dumps([1, 2]), b"\x80\x02\x8b\xff\xff\xff\x7f" + b"0" * 90]
)
def test_a_pickle_of_another_program_is_no_file_of_torch(tmp_path, content):
    (tmp_path / "list.onnx").write_bytes(content)
    assert torch_file(tmp_path / "list.onnx") is None
    with pytest.raises(ModelError, match="is not an ONNX model"):
        bnfold.inspect(tmp_path / "list.onnx")


def test_nothing_is_run_to_tell_what_a_pickle_is(tmp_path):
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = tmp_path / "net.pt"
    path.write_bytes(pickle.dumps({"net": Evil()}, protocol=2))
    found = torch_file(path)
    assert found is not None and found.kind == "objects"
    assert not (tmp_path / "ran").exists()
