"""A model cannot make bnfold read what is not its own; onnx refuses the same."""

import os
import socket
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from bnfold import model_io
from bnfold.errors import ModelError


@pytest.fixture
def secret(tmp_path):
    """A file outside the model's folder, as long as the data of its tensors."""
    path = tmp_path / "secret"
    path.write_bytes(b"\x01" * (1 << 20))
    return path


def _file_link(folder, secret):
    (folder / "evil").symlink_to(os.path.relpath(secret, folder))
    return "evil"


def _absolute_link(folder, secret):
    (folder / "evil").symlink_to(secret)
    return "evil"


def _folder_link(folder, secret):
    (folder / "sub").symlink_to(secret.parent)
    return f"sub/{secret.name}"


def _deep_folder_link(folder, secret):
    (folder / "a").mkdir()
    (folder / "a" / "b").symlink_to(secret.parent)
    return f"a/b/{secret.name}"


def _link_within_the_folder(folder, secret):
    (folder / "own").write_bytes(secret.read_bytes())
    (folder / "evil").symlink_to("own")
    return "evil"


def _hard_link(folder, secret):
    (folder / "evil").hardlink_to(secret)
    return "evil"


def _named_pipe(folder, _):
    os.mkfifo(folder / "evil")
    return "evil"


def _linked_device(folder, _):
    (folder / "evil").symlink_to("/dev/zero")
    return "evil"


def _device(folder, _):
    try:
        os.mknod(folder / "evil", 0o600 | 0o020000, os.makedev(1, 5))
    except OSError:
        pytest.skip("only root may make a device")
    return "evil"


def _socket(folder, _):
    before = Path.cwd()
    os.chdir(folder)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind("evil")
    finally:
        os.chdir(before)
    return "evil"


def _folder(folder, _):
    (folder / "evil").mkdir()
    return "evil"


KINDS = {
    _file_link: "is a symbolic link",
    _absolute_link: "is a symbolic link",
    _folder_link: "is a symbolic link",
    _deep_folder_link: "is a symbolic link",
    _link_within_the_folder: "is a symbolic link",
    _hard_link: "is a hard link",
    _named_pipe: "is a named pipe",
    _linked_device: "is a symbolic link",
    _device: "is a device",
    _socket: "is a socket",
    _folder: "is a folder",
    lambda *_: "a\0b": "leaves the model's folder",
}
IDS = [kind.__name__.strip("_") for kind in KINDS]


def _pointed_at(path, location, place):
    """The model with one tensor, an initializer's or an attribute's, at the location."""
    proto = onnx.load(path, load_external_data=False)
    tensor = {
        "initializer": lambda: proto.graph.initializer[0],
        "attribute": lambda: proto.graph.node[0].attribute[0].t,
        "subgraph": lambda: proto.graph.node[3].attribute[0].g.initializer[0],
    }[place]()
    del tensor.external_data[:]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(proto.SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
@pytest.mark.parametrize(("kind", "why"), KINDS.items(), ids=IDS)
def test_data_that_may_not_be_the_models_own_is_not_read(saved_external, secret, kind, why, place):
    _pointed_at(saved_external, kind(saved_external.parent, secret), place)
    for read in (model_io.load, model_io.sha256):
        with pytest.raises(ModelError, match=why) as caught:
            read(saved_external)
        assert str(saved_external) in str(caught.value)
        assert "\n" not in str(caught.value)
    if place != "subgraph":  # onnx itself: the anchor
        with pytest.raises((onnx.checker.ValidationError, OSError, ValueError)):
            onnx.load(saved_external)


@pytest.mark.parametrize(("kind", "why"), list(KINDS.items())[:7], ids=IDS[:7])
def test_a_model_that_onnx_ir_loaded_reads_nothing_else_either(saved_external, secret, kind, why):
    _pointed_at(saved_external, kind(saved_external.parent, secret), "initializer")
    with pytest.raises(ModelError, match=why):
        model_io.load(ir.load(saved_external))


def test_data_in_a_folder_below_is_the_models_own(saved_external, large, same):
    below = saved_external.with_name("a") / "b"
    below.mkdir(parents=True)
    saved_external.with_name("weights.bin").rename(below / "weights.bin")
    proto = onnx.load(saved_external, load_external_data=False)
    for tensor in model_io.walk.tensors(proto):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "a/b/weights.bin"
    saved_external.write_bytes(proto.SerializeToString())
    assert same(model_io.to_proto(model_io.load(saved_external)), large)


def test_the_folder_of_the_model_may_be_a_link(saved_external, large, same, tmp_path):
    (tmp_path / "link").symlink_to(saved_external.parent)
    loaded = model_io.load(tmp_path / "link" / saved_external.name)
    assert same(model_io.to_proto(loaded), large)


def test_a_model_that_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="is a named pipe"):
        model_io.load(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="is a device"):
        model_io.load("/dev/zero")
