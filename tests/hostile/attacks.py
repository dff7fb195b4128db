"""Attack files, each built by a function: small to write, and meant to cost whoever reads them.

    python -m tests.hostile.attacks FOLDER

writes them all, one folder each with a model `m.onnx`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

from bnfold import wire

HEAD = '<ir_version: 9, opset_import: ["": 18, "own": 1]>'
HUGE = 1 << 40
_NORM = (
    "<float[4] s = {1.0, 2.0, 1.0, 1.0}, float[4] b = {1.0, 2.0, 1.0, 1.0}, "
    "float[4] m = {0.0, 0.5, 0.0, 0.0}, float[4] v = {1.0, 2.0, 1.0, 1.0}"
)
_CONV = "a = Conv (x, eye) n = BatchNormalization (a, s, b, m, v)"

Built = Callable[[Path], None]


def _saved(model: onnx.ModelProto) -> Built:
    return lambda folder: onnx.save(model, folder / "m.onnx")


def _model(body: str, functions: str = "", **tensors: np.ndarray) -> onnx.ModelProto:
    """A batch norm `n` of the input, and whatever the body does, up to `y`."""
    declared = "float[1,4,6,6] x) => (float[1,4,H,W] y)"
    model = onnx.parser.parse_model(
        f"{HEAD} g ({declared} {_NORM}> {{ {_CONV} {body} }} {functions}"
    )
    tensors["eye"] = np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in tensors.items())
    return model


def _integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _constant(body: str, **tensors: np.ndarray) -> Built:
    """A constant `k` that the body computes; the model adds its sum, so that any size fits."""
    return _saved(_model(f"{body} r = ReduceSum <keepdims = 0> (k) y = Add (n, r)", **tensors))


def _many(count: int, each: int) -> Built:
    """So many constants, each of which is within a budget for one."""
    body = "".join(
        f"c{i} = ConstantOfShape <value = float[1] {{{i}.5}}> (size) "
        f"r{i} = ReduceSum <keepdims = 0> (c{i}) "
        f"z{i} = Add ({'n' if i == 0 else f'z{i - 1}'}, r{i}) "
        for i in range(count)
    )
    return _saved(_model(f"{body} y = Relu (z{count - 1})", size=_integers(each)))


def _doubling(step: str, count: int) -> Built:
    body = " ".join(step.replace("NEW", f"d{i + 1}").replace("OLD", f"d{i}") for i in range(count))
    tensors = {"d0": np.ones((1, 1, 2, 2), np.float32), "two": np.array([1, 1, 2, 2], np.float32)}
    return _constant(f"{body} k = Identity (d{count})", **tensors)


def _calls(levels: int, times: int, last: str) -> Built:
    imports = '<opset_import: ["own": 1, "": 18], domain: "own">'

    def function(i: int) -> str:
        body = " ".join(
            f"b{t} = own.f{i + 1} ({'a' if t == 0 else f'b{t - 1}'})" for t in range(times)
        )
        return f"{imports} f{i} (a) => (b{times - 1}) {{ {body} }}"

    leaf = f"{imports} f{levels} (a) => (b) {{ b = {last} (a) }}"
    functions = " ".join(map(function, range(levels))) + leaf
    return _saved(_model("y = own.f0 (n)", functions))


def _loop(trips: int, body: str) -> Built:
    text = f"""y = Loop (trips, go, n) <body = body (int64 i, bool c, float[1,4,6,6] h)
        => (bool d, float[1,4,6,6] k) {{ {body} }}>"""
    return _saved(_model(text, trips=np.array(trips), go=np.array(True)))


def _fan(readers: int) -> Built:
    """One value with very many readers, each of which could take the batch norm."""
    body = "".join(f"r{i} = Relu (n) " for i in range(readers))
    names = ", ".join(f"r{i}" for i in range(readers))
    return _saved(_model(f"{body} y = Sum ({names})"))


def _bytes(make: Callable[[], bytes]) -> Built:
    return lambda folder: (folder / "m.onnx").write_bytes(make()) and None


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of the protobuf wire format."""
    return wire.header(number, len(content)) + content


def _nested(levels: int) -> bytes:
    inner = b""
    for _ in range(levels):
        inner = _field(1, _field(5, _field(6, inner) + _field(1, b"body")) + _field(4, b"If"))
    return b"\x08\x08" + _field(7, inner) + _field(8, b"\x10\x11")


def _empty_fields(number: int) -> bytes:
    many = _field(number, b"") * 200_000
    return _model("y = Relu (n)").SerializeToString() + _field(7, many)


def _external(location: str, prepare: Callable[[Path], None]) -> Built:
    def build(folder: Path) -> None:
        model = _model("y = Mul (n, w)")
        tensor = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[1])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        prepare(folder)
        onnx.save(model, folder / "m.onnx")

    return build


def _hard_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "secret").write_bytes(b"SECRETS!")
    os.link(folder / "elsewhere" / "secret", folder / "data")


def _link(folder: Path) -> None:
    (folder / "data").symlink_to("/etc/passwd")


def _folder_link(folder: Path) -> None:
    (folder / "sub").symlink_to("/etc")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "data")


def _nothing(_: Path) -> None:
    """The location alone is the attack."""


def _gemm() -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[2,4] x) => (float[2,4] y) {_NORM}> "
        "{ a = Gemm (x, w, c) y = BatchNormalization (a, s, b, m, v) }"
    )
    for name, shape in (("w", (4, 4)), ("c", (3, 5))):
        model.graph.initializer.append(numpy_helper.from_array(np.ones(shape, np.float32), name))
    return model


def _tensor(**fields: object) -> Built:
    model = _model("y = Mul (n, w)")
    fields = {"name": "w", "data_type": TensorProto.FLOAT, **fields}
    model.graph.initializer.append(TensorProto(**fields))
    return _saved(model)


def _input(*dims: int) -> Built:
    model = _model("y = Relu (n)")
    shape = helper.make_tensor_type_proto(TensorProto.FLOAT, dims)
    model.graph.input[0].type.CopyFrom(shape)
    return _saved(model)


AT_RUN_TIME = ("a loop that grows",)
"""Sizes that only a run tells: memory is bounded by what the system can spare."""

ATTACKS: dict[str, Built] = {
    "expand": _constant("k = Expand (one, size)", one=np.ones(1, np.float32), size=_integers(HUGE)),
    "expand, in all axes": _constant(
        "k = Expand (one, size)", one=np.ones(1, np.float32), size=_integers(*[2] * 60)
    ),
    "tile": _constant("k = Tile (one, size)", one=np.ones(1, np.float32), size=_integers(HUGE)),
    "range": _constant(
        "k = Range (zero, limit, step)",
        zero=np.array(0.0, np.float32), limit=np.array(1e30, np.float32),
        step=np.array(1.0, np.float32),
    ),
    "range without a step": _constant(
        "k = Range (zero, limit, zero)",
        zero=np.array(0.0, np.float32), limit=np.array(1e3, np.float32),
    ),
    "constant of shape": _constant("k = ConstantOfShape (size)", size=_integers(HUGE)),
    "constant of a negative shape": _constant("k = ConstantOfShape (size)", size=_integers(-5)),
    "one hot": _constant(
        "k = OneHot (i, depth, ends)", i=_integers(1), depth=np.array(HUGE),
        ends=np.array([0, 1], np.float32),
    ),
    "pad": _constant(
        "k = Pad (one, pads)", one=np.ones(1, np.float32), pads=_integers(0, HUGE)
    ),
    "too few pads": _saved(_model("y = Pad (n, pads)", pads=_integers(1, 1))),
    "gather out of bounds": _constant(
        "k = Gather (one, i)", one=np.ones(1, np.float32), i=_integers(HUGE)
    ),
    "sixty constants of 16 MiB": _many(60, 1 << 22),
    "concat that doubles": _doubling("NEW = Concat <axis = 3> (OLD, OLD)", 40),
    "resize that doubles": _doubling("NEW = Resize (OLD, , two)", 16),
    "add that doubles": _doubling("NEW = Add (OLD, OLD)", 400),
    "functions that double": _calls(40, 2, "Relu"),
    "functions that double below the budget": _calls(10, 2, "Relu"),
    "a function that calls itself": _calls(1, 1, "own.f0"),
    "a loop without an end": _loop((1 << 63) - 1, "d = Identity (c) k = Relu (h)"),
    "a loop that grows": _loop(
        (1 << 63) - 1, "d = Identity (c) j = Concat <axis = 3> (h, h) k = Relu (j)"
    ),
    "a fan of 500 readers": _fan(500),
    "messages of 20,000 levels": _bytes(lambda: _nested(20_000)),
    "messages of 33 levels": _bytes(lambda: _nested(33)),
    **{
        f"200,000 empty fields {number}": _bytes(lambda number=number: _empty_fields(number))
        for number in (1, 5, 11, 12, 13, 14, 15, 16)
    },
    "data above the folder": _external("../data", _nothing),
    "data at the root": _external("/etc/passwd", _nothing),
    "data by a link": _external("data", _link),
    "data by a linked folder": _external("sub/passwd", _folder_link),
    "data by a hard link": _external("data", _hard_link),
    "data in a pipe": _external("data", _pipe),
    "data in a device": _external("data", lambda folder: (folder / "data").symlink_to("/dev/zero")),
    "an addend that does not fit": _saved(_gemm()),
    "65 axes": _tensor(dims=[1] * 65, float_data=[1.0]),
    "a shape of 2^126": _tensor(dims=[1 << 62, 1 << 62, 4]),
    "no elements of a huge shape": _tensor(dims=[0, 1 << 62, 1 << 62]),
    "data of another type": _tensor(dims=[1], int64_data=[1]),
    "text in a file": _tensor(
        dims=[1], data_type=TensorProto.STRING, data_location=TensorProto.EXTERNAL
    ),
    "a file that is not named": _tensor(dims=[1], data_location=TensorProto.EXTERNAL),
    "an input of 2^60": _input(1, 4, 1 << 29, 1 << 29),
    "an input of 65 axes": _input(*[1] * 65),
}  # fmt: skip


def write(folder: Path) -> None:
    """All of them are in the folder."""
    for name, build in ATTACKS.items():
        place = folder / name.replace(" ", "-").replace(",", "")
        place.mkdir(parents=True)
        build(place)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
