"""Example inputs in every form that a caller may have, and targets that cannot be written."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import DataError, ModelError, UsageError
from bnfold.export import api
from bnfold.export.inputs import example_inputs, parse_input, parse_inputs


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(3)

    def forward(
        self, image: torch.Tensor, mask: torch.Tensor | None = None, *, gain: float = 1.0
    ) -> torch.Tensor:
        return self.bn(image) * gain if mask is None else self.bn(image) * gain + mask


class Many(nn.Module):
    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        return torch.cat(parts, 1)


IMAGE, MASK = torch.ones(2, 3), np.zeros((2, 3))


@pytest.mark.parametrize(
    ("given", "names", "shapes"),
    [
        (IMAGE, ["image"], [[2, 3]]),
        (MASK, ["image"], [[2, 3]]),
        ((4, 3), ["image"], [[4, 3]]),
        ([(4, 3), MASK], ["image", "mask"], [[4, 3], [2, 3]]),
        ({"mask": MASK, "image": IMAGE}, ["image", "mask"], [[2, 3], [2, 3]]),
        ({"image": IMAGE, "gain": 2.0}, ["image"], [[2, 3]]),
        (((IMAGE,), {"mask": IMAGE}), ["image", "mask"], [[2, 3], [2, 3]]),
        (lambda: (IMAGE, None), ["image"], [[2, 3]]),
    ],
)
def test_takes_tensors_arrays_shapes_names_and_functions(given, names, shapes):
    inputs = example_inputs(Pair(), given, "net")
    assert list(inputs.names) == names
    assert [list(leaf.shape) for leaf in inputs.leaves()] == shapes
    assert all(leaf.dtype is torch.float32 for leaf in inputs.leaves())


def test_names_of_a_forward_that_takes_any_number_are_the_callers():
    inputs = example_inputs(Many(), {"left": (2, 3), "right": (2, 4)}, "net")
    assert inputs.names == ("left", "right")
    assert example_inputs(Many(), [(2, 3), (2, 4)], "net").names == ("parts_0", "parts_1")


def test_floats_get_the_dtype_of_the_module_and_integers_keep_theirs():
    inputs = example_inputs(Pair().half(), [MASK, np.arange(3)], "net")
    assert [leaf.dtype for leaf in inputs.leaves()] == [torch.float16, torch.int64]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, r"net: the shapes of its inputs \(image\) are not known; give --input image:1,3"),
        ({"img": (2, 3)}, "net has no input 'img'; its inputs are image, mask, gain"),
        ({"mask": (2, 3)}, "net: missing a required argument: 'image'"),
        ([(2, 3)] * 4, "net: too many positional arguments"),
        ([object()], "an input of type object is neither a tensor nor a shape"),
    ],
)
def test_inputs_that_make_no_sense_are_one_sentence(given, sentence):
    with pytest.raises(UsageError, match=sentence):
        example_inputs(Pair(), given, "net")


def test_inputs_that_the_module_refuses_are_named_with_their_shapes():
    with pytest.raises(DataError, match=r"Pair does not run on inputs image \[2, 5\]: "):
        bnfold.export(Pair(), (2, 5))


def test_an_input_option_is_a_shape_or_a_file(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    assert parse_input("x:1,3,224,224") == ("x", (1, 3, 224, 224))
    name, array = parse_input(f"x:{tmp_path / 'x.npy'}")
    assert name == "x"
    assert array.shape == (2, 3)


@pytest.mark.parametrize("text", ["x", "x:", ":1,2", "x:1,b", "x:1,-2", "x:image.png"])
def test_an_input_option_of_no_known_form_is_refused(text):
    with pytest.raises(UsageError, match="--input"):
        parse_input(text)


def test_an_input_file_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        parse_input(f"x:{tmp_path / 'absent.npy'}")
    (tmp_path / "x.npy").write_text("text")
    with pytest.raises(DataError, match=r"not a \.npy array"):
        parse_input(f"x:{tmp_path / 'x.npy'}")


def test_a_target_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "load_module", None)  # must not be reached
    for target, sentence in (
        (tmp_path / "absent" / "m.onnx", "does not exist"),
        (tmp_path, "is a folder"),
        ("/proc/m.onnx", "cannot write there"),
    ):
        with pytest.raises(UsageError, match=sentence):
            bnfold.export(Pair(), (2, 3), target)


@pytest.mark.parametrize("opset", [0, 17, 24])
def test_an_opset_that_the_exporter_cannot_write_is_refused(opset):
    with pytest.raises(UsageError, match=rf"opset {opset} is not supported.*18 to 23"):
        bnfold.export(Pair(), (2, 3), opset=opset)


class Eigen(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(x @ x.T)


class DataDependent(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize("module", [Eigen(), DataDependent()], ids=["operator", "branch"])
def test_what_the_exporter_cannot_do_is_one_sentence_and_no_file(tmp_path, module, capfd):
    with pytest.raises(ModelError) as caught:
        bnfold.export(module, (3, 3), tmp_path / "m.onnx")
    assert str(caught.value).startswith(f"{type(module).__name__} cannot be exported: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_an_export_is_for_a_release_of_the_runtime():
    """1.17 loads IR version 9, and the default would be 10."""
    result = bnfold.export(Pair(), (2, 3), runtime="onnxruntime==1.17")
    assert result.model.ir_version <= 9
    assert any("which onnxruntime 1.17 loads" in note for note in result.notes)
    with pytest.raises(UsageError, match=r"opset 21: onnxruntime 1\.17 loads opset 20 at most"):
        bnfold.export(Pair(), (2, 3), opset=21, runtime="onnxruntime==1.17")
    assert bnfold.export(Pair(), (2, 3), opset=18, runtime="1.32").opset == 18


def test_a_shape_of_more_numbers_than_can_be_made_up_is_refused(network):
    module, _ = network("conv2d")
    with pytest.raises(UsageError, match=r"shape \[99999, 3, 99999, 9\] would take 269,994,"):
        bnfold.export(module, (99999, 3, 99999, 9))


def test_the_only_input_needs_no_name(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    assert parse_inputs(["1,3,8,8"]) == (1, 3, 8, 8)
    assert parse_inputs([str(tmp_path / "x.npy")]).shape == (2, 3)
    assert parse_inputs(["x:1,3"]) == {"x": (1, 3)}
    assert parse_inputs([]) is None
    with pytest.raises(UsageError, match="each needs its name: NAME:1,3"):
        parse_inputs(["x:1,3", "1,3"])
