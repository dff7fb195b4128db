"""A SPEC becomes a module, or one sentence that says what is wrong with it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import MissingDependencyError, ModelError, UsageError
from bnfold.export import load_module

GOOD = """
    from torch import nn

    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(3, 2), nn.BatchNorm1d(2))

    net = Net()
    build = Net
    number = 3

    def nothing(): return None
    def text(): return "net"
    def fails(): raise RuntimeError("no GPU\\nlong story")
    def leaves(): raise SystemExit(2)
    def example_inputs(): return (1, 3)
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "user_net.py"
    path.write_text(textwrap.dedent(GOOD))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "user_net", raising=False)
    yield path
    sys.modules.pop("user_net", None)


@pytest.mark.parametrize("attribute", ["build", "net", "Net"])
@pytest.mark.parametrize("place", ["user_net", "user_net.py"])
def test_a_spec_names_a_factory_a_class_or_a_module_here(code, place, attribute):
    loaded = load_module(f"{place}:{attribute}")
    assert isinstance(loaded.module, nn.Sequential)
    assert loaded.examples() == (1, 3)


def test_a_file_can_import_its_neighbours_and_the_path_is_as_before(code, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "part_of_it.py").write_text("from torch import nn\nnorm = nn.ReLU\n")
    (tmp_path / "sub" / "whole.py").write_text("from part_of_it import norm as build\n")
    before = list(sys.path)
    assert isinstance(load_module("sub/whole.py:build").module, nn.ReLU)
    assert sys.path == before
    sys.modules.pop("part_of_it")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("user_net:absent", "user_net has no attribute 'absent'"),
        ("user_net:number", "user_net:number is a value of type int; it has to be a function"),
        ("user_net:nothing", "user_net:nothing gives None, not a torch.nn.Module"),
        ("user_net:text", "user_net:text gives a value of type str"),
        ("user_net:fails", "user_net:fails failed: RuntimeError: no GPU"),
        ("user_net:leaves", "user_net:leaves failed: SystemExit: 2"),
        ("user_nets:build", "user_nets: no module of that name"),
        ("user_net.part:build", "user_net.part: no module of that name"),
        ("absent.py:build", "absent.py: no such file"),
        ("absent.pt2", "absent.pt2: no such file"),
    ],
)
def test_a_spec_that_gives_no_module_is_one_sentence(code, spec, sentence):
    with pytest.raises(ModelError) as caught:
        load_module(spec)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["user_net", "user_net:", ":build", ""])
def test_a_spec_of_no_known_form_is_told_the_forms(code, spec):
    with pytest.raises(UsageError, match=r"package\.module:factory, path/file\.py:factory"):
        load_module(spec)


def test_weights_as_a_spec_are_told_to_name_the_code(tmp_path):
    path = tmp_path / "net.safetensors"
    path.touch()
    with pytest.raises(UsageError, match="holds weights, and neither"):
        load_module(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import absent_package", "user_net needs absent_package, which is not installed"),
        ("def broken(:", "user_net cannot be imported: SyntaxError"),
        ("1 / 0", "user_net cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_code_that_cannot_be_imported_says_why(code, text, sentence):
    code.write_text(text)
    with pytest.raises(ModelError) as caught:
        load_module("user_net:build")
    assert str(caught.value).startswith(sentence)
    assert caught.value.__cause__ is not None  # for --verbose


def test_a_broken_program_is_one_sentence(tmp_path):
    path = tmp_path / "net.pt2"
    path.write_bytes(b"not a zip")
    with pytest.raises(ModelError, match="not a program that this torch can load"):
        load_module(path, trust=True)


def capture(module: nn.Module, path: Path, **kwargs: object) -> Path:
    program = torch.export.export(module, (torch.randn(2, 3),), **kwargs)
    torch.export.save(program, path)
    return path


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.export's own
def test_a_program_is_exported_with_the_shapes_that_it_has(tmp_path):
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval()
    shapes = ({0: torch.export.Dim("n")},)
    result = bnfold.export(capture(module, tmp_path / "p.pt2", dynamic_shapes=shapes), trust=True)
    assert result.batch_norms == 1
    assert result.to_dict()["inputs"][0]["shape"] == ["batch", 3]
    assert result.check is not None
    assert [next(iter(f.shapes.values()))[0] for f in result.check.feeds] == [2, 1, 3]
    static = bnfold.export(capture(module, tmp_path / "s.pt2"), trust=True)
    assert static.to_dict()["inputs"][0]["shape"] == [2, 3]
    assert static.warnings == ("not dynamic: dimension 0 of input is fixed by the network",)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_program_in_training_mode_is_refused(tmp_path):
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).train()
    path = capture(module, tmp_path / "p.pt2")
    with pytest.raises(ModelError, match=r"captured in training mode; capture module\.eval\(\)"):
        load_module(path, trust=True)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weights": "w.pt"}, "has its weights in it"),
        ({"dynamic": {}}, "has its dynamic dimensions in it"),
        ({"fp16": True}, "has its dtypes in it"),
    ],
)
def test_a_program_takes_no_option_that_it_has_already(tmp_path, options, sentence):
    path = capture(nn.Sequential(nn.Linear(3, 2)).eval(), tmp_path / "p.pt2")
    with pytest.raises(UsageError, match=sentence):
        bnfold.export(path, trust=True, **options)


@pytest.mark.parametrize("package", ["torch", "onnxscript"])
def test_a_missing_package_is_told_with_the_way_to_install_it(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingDependencyError, match=r"pip install torch onnxscript safetensors"
    ) as caught:
        bnfold.export("models.digits_cnn:build")
    assert package in str(caught.value)
