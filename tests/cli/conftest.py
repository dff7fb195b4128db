"""A folder with a good model and every kind of bad one, and bnfold called as a user calls it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from click.testing import CliRunner, Result

from bnfold.cli import main

GOOD = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2, 5, 5] x) => (float[N, 3, 3, 3] y)
<float[3, 2, 3, 3] w, float[3] gamma = {1.5, -2, 0.5}, float[3] beta = {0.1, 0.2, 0.3},
 float[3] mean = {0.3, -0.1, 0.7}, float[3] var = {1.1, 0.4, 2}>
{
  [conv] c = Conv (x, w)
  [bn] y = BatchNormalization (c, gamma, beta, mean, var)
}
"""
STUCK = GOOD.replace("[bn] y =", "r = Relu (c)\n  [bn] y =").replace("(c, gamma", "(r, gamma")


def parsed(text: str) -> onnx.ModelProto:
    """The model that the text says, its weight filled from a seed."""
    model = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((3, 2, 3, 3)).astype(np.float32)
    for tensor in model.graph.initializer:
        if tensor.name == "w":
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight, "w"))
    names = {tensor.name for tensor in model.graph.initializer}
    if "w" not in names:
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return model


def in_bfloat16(path: Path) -> None:
    """The model of the file is in bfloat16 from now on."""
    model = onnx.load(path)
    model.opset_import[0].version = 22
    bfloat16 = onnx.TensorProto.BFLOAT16
    for end in (*model.graph.input, *model.graph.output):
        end.type.tensor_type.elem_type = bfloat16
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).ravel()
        tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, bfloat16, tensor.dims, values))
    onnx.save(model, path)


@dataclass(frozen=True)
class Bench:
    """A user's folder."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def call(self, *args: str | Path) -> Result:
        """What `bnfold ARGS` does, in this process."""
        return CliRunner().invoke(main, [str(arg) for arg in args])

    def spawn(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """What `bnfold ARGS` does, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "bnfold", *map(str, args)],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def content(self) -> dict[str, bytes | None]:
        """Every file with its bytes, every folder with None."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.folder.rglob("*"))
            if "__pycache__" not in path.parts
        }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    yield Bench(tmp_path)


@pytest.fixture
def model(place: Bench) -> Path:
    """A convolution and its batch norm, in `good.onnx`."""
    onnx.save(parsed(GOOD), place / "good.onnx")
    return place / "good.onnx"


@pytest.fixture
def stuck(place: Bench) -> Path:
    """A batch norm behind a Relu that is returned: it has nowhere to go."""
    onnx.save(parsed(STUCK), place / "stuck.onnx")
    return place / "stuck.onnx"


def a_bad_file(kind: str) -> Callable[[Path], None]:
    """Writes a bad model of that kind to a path."""

    def write(path: Path) -> None:
        good = parsed(GOOD).SerializeToString()
        match kind:
            case "missing":
                return
            case "folder":
                path.mkdir()
            case "empty":
                path.touch()
            case "text":
                path.write_text("this is no model\n" * 20)
            case "truncated":
                path.write_bytes(good[: len(good) * 2 // 3])
            case "without nodes":
                onnx.save(onnx.parser.parse_model(NO_NODES), path)
            case "broken link":
                path.symlink_to(path.with_name("nowhere"))
            case _:
                raise AssertionError(kind)

    return write


NO_NODES = '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] x) { }'
