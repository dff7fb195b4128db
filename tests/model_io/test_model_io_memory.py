"""Memory follows the largest tensor, not the model."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest

SCRIPT = """
import json, resource, sys
from bnfold import model_io
def memory():
    fields = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return int(fields["RssAnon"].split()[0]) >> 10, peak
start = memory()
model = model_io.load(sys.argv[1])
loaded = memory()
model_io.save(model, sys.argv[2])
print(json.dumps([start, loaded, memory()]))
"""
TENSOR_MB, TENSORS = 15, 20


def write_model(path, external):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) { y = Neg (x) }'
    )
    draw = np.random.default_rng(0)
    for i in range(TENSORS):
        weight = draw.random((TENSOR_MB, 1 << 18), np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight, f"w{i}"))
    onnx.save(model, path, save_as_external_data=external, location="weights.bin")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("external", [False, True])
def test_a_large_model_is_never_in_memory_as_a_whole(tmp_path, external):
    """300 MB of weights: next to none of it is anonymous, and no page is there twice."""
    write_model(tmp_path / "a.onnx", external)
    paths = [str(tmp_path / name) for name in ("a.onnx", "b.onnx")]
    command = [sys.executable, "-c", SCRIPT, *paths]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (anon_start, peak_start), (anon_loaded, _), (anon_end, peak_end) = json.loads(output)
    whole = TENSOR_MB * TENSORS
    assert anon_loaded - anon_start < 40
    assert anon_end - anon_start < 60
    assert peak_end - peak_start < whole + 2 * TENSOR_MB + 60
