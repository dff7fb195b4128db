"""The highest IR version and opset that releases of onnxruntime load: the table of `--for`.

    python -m benchmarks.releases 1.17.3 1.22.1

Each release is fetched by pip into a folder of its own, and tried by a Relu of one element.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
from onnx import helper

from benchmarks.packages import fetch

_TRY = """
import sys
sys.path.insert(0, sys.argv[1])
import onnxruntime
onnxruntime.set_default_logger_severity(4)
for line in sys.stdin:
    try:
        onnxruntime.InferenceSession(line.strip(), providers=["CPUExecutionProvider"])
        print("yes", flush=True)
    except Exception:
        print("no", flush=True)
"""


def model_file(folder: Path, ir_version: int, opset: int) -> str:
    """A Relu, stamped so; what the installed onnx knows of these numbers does not matter."""
    value = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = ir_version
    path = folder / f"ir{ir_version}-opset{opset}.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def highest(version: str, packages: Path, folder: Path) -> tuple[int, int] | None:
    """The highest IR version and opset that the release loads; None where pip cannot get it."""
    where = fetch(f"onnxruntime=={version}", packages)
    if where is None:
        return None
    numbers = [(i, 13) for i in range(3, 20)] + [(8, i) for i in range(7, 40)]
    asked = "\n".join(model_file(folder, *pair) for pair in numbers)
    command = [sys.executable, "-c", _TRY, str(where)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    loads = [pair for pair, said in zip(numbers, done.stdout.split(), strict=True) if said == "yes"]
    return max(i for i, opset in loads if opset == 13), max(o for i, o in loads if i == 8)


def main() -> None:
    """Prints a line for each release that was named."""
    with tempfile.TemporaryDirectory() as name:
        for version in sys.argv[1:]:
            print(version, highest(version, Path(name), Path(name)), flush=True)


if __name__ == "__main__":
    main()
