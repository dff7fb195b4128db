"""Gives a model larger than one file can hold to each command, and says what memory it took.

    python -m tests.hostile.large FOLDER [--mib 2600] [--layout one|each] [--commands fold,verify]

The folder needs some four times the size. Prints one JSON line for each command: its exit code,
its seconds, and its peak of anonymous memory, which is that of all its processes together and
leaves out the pages of files that are only mapped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import psutil
from onnx import helper, numpy_helper

CHANNELS = 4096  # a weight of 64 MiB
_STEP_S = 0.02
SIZES = ("--dim", "h=4", "--dim", "w=4")  # a run at 224 x 224 would take minutes in float64
COMMANDS = {
    "inspect": ("inspect", "m.onnx"),
    "fold": ("fold", "m.onnx", "-o", "folded/out.onnx", "--force"),
    "fold --simplify": ("fold", "m.onnx", "-o", "simple/out.onnx", "--simplify", "--force"),
    "verify": ("verify", "m.onnx", "folded/out.onnx", "--samples", "2", *SIZES),
    "bench": ("bench", "m.onnx", "folded/out.onnx", "--pairs", "5", "--level", "none", *SIZES),
    "run": ("run", "m.onnx", "-o", "all", "--force", *SIZES),
}


def build(folder: Path, mib: int, *, one_file: bool) -> None:
    """A chain of convolutions with batch norms, its weights beside it."""
    count = max(mib * (1 << 20) // (CHANNELS * CHANNELS * 4), 1)
    draw = np.random.default_rng(0)
    nodes, tensors, last = [], [], "x"
    for i in range(count):
        names = [f"{name}{i}" for name in ("scale", "bias", "mean", "variance")]
        weight = draw.standard_normal((CHANNELS, CHANNELS, 1, 1), np.float32) / np.sqrt(CHANNELS)
        tensors.append((f"weight{i}", weight.astype(np.float32)))
        tensors += [(name, draw.uniform(0.5, 1.5, CHANNELS).astype(np.float32)) for name in names]
        nodes += [
            helper.make_node("Conv", [last, f"weight{i}"], [f"c{i}"], name=f"conv{i}"),
            helper.make_node("BatchNormalization", [f"c{i}", *names], [f"n{i}"], name=f"norm{i}"),
            helper.make_node("Relu", [f"n{i}"], [f"r{i}"], name=f"relu{i}"),
        ]
        last = f"r{i}"
    ends = [helper.make_tensor_value_info(n, 1, ["batch", CHANNELS, "h", "w"]) for n in ("x", last)]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:])
    files = {}
    for name, array in tensors:
        proto = graph.initializer.add(name=name, data_type=1, dims=array.shape)
        if array.nbytes <= 1 << 16:
            proto.CopyFrom(numpy_helper.from_array(array, name))
            continue
        location = "weights.bin" if one_file else f"{name}.bin"
        offset = files.get(location, 0)
        with (folder / location).open("ab") as file:
            file.write(array.tobytes())
        files[location] = offset + array.nbytes
        proto.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", array.nbytes)):
            proto.external_data.add(key=key, value=str(value))
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    (folder / "m.onnx").write_bytes(model.SerializeToString())


def measured(folder: Path, command: tuple[str, ...]) -> dict[str, object]:
    """How the command ended and what it took."""
    begin, peak = time.monotonic(), 0
    with (folder / "said").open("w") as said:
        process = psutil.Popen(
            [sys.executable, "-m", "bnfold", *command], cwd=folder, stdout=said, stderr=said
        )
        while process.poll() is None:
            peak = max(peak, _anonymous_bytes(process))
            time.sleep(_STEP_S)
    return {
        "code": process.returncode,
        "seconds": round(time.monotonic() - begin, 1),
        "peak_anonymous_mib": peak >> 20,
        "said": (folder / "said").read_text()[-300:],
    }


def _anonymous_bytes(process: psutil.Process) -> int:
    """Of the process and all below it."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            status = Path(f"/proc/{one.pid}/status").read_text()
            lines = dict(line.split(":", 1) for line in status.splitlines())
            total += int(lines.get("RssAnon", "0 kB").split()[0]) << 10
    except (OSError, psutil.Error):
        pass  # it ended meanwhile
    return total


def main() -> None:
    """Runs the commands that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mib", type=int, default=2600)
    parser.add_argument("--layout", choices=("one", "each"), default="one")
    parser.add_argument("--commands", default=",".join(COMMANDS))
    asked = parser.parse_args()
    for name in ("folded", "simple"):
        (asked.folder / name).mkdir(parents=True, exist_ok=True)
    if not (asked.folder / "m.onnx").exists():
        build(asked.folder, asked.mib, one_file=asked.layout == "one")
    for name in asked.commands.split(","):
        found = measured(asked.folder, COMMANDS[name])
        print(json.dumps({"command": name, **found}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
