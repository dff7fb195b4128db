"""The pass in real workflows of Olive."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

from bnfold.errors import BnfoldError, ModelError, UsageError
from tests.docs.blocks import blocks_of

os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"
pytest.importorskip("olive", reason="olive-ai is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Olive's own warnings

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"
MODEL = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 2] x) => (float[N, 2] y)
    <float[2] scale = {1.5, -2.0}, float[2] shift = {0.25, 1.0},
     float[2] mean = {0.5, -1.0}, float[2] variance = {2.0, 0.5}>
    { wide = MatMul (x, w1)
      bent = Relu (wide)
      h = MatMul (bent, w2)
      y = BatchNormalization (h, scale, shift, mean, variance) }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    proto = onnx.parser.parse_model(MODEL)
    draw = np.random.default_rng(0)
    for name, shape in {"w1": (2, 512), "w2": (512, 2)}.items():
        weight = draw.uniform(-0.1, 0.1, shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, name))
    onnx.save(proto, "net.onnx")
    return tmp_path


def config(**changed) -> dict:
    given = {
        "input_model": {"type": "ONNXModel", "model_path": "net.onnx"},
        "passes": {"fold": {"type": "FoldBatchNorm"}},
        "output_dir": "out",
        "cache_dir": "cache",
    }
    return {**given, **changed}


def answer(path) -> np.ndarray:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(3).standard_normal((4, 2)).astype(np.float32)
    return session.run(None, {"x": x})[0]


def folded() -> Path:
    (path,) = Path("out").rglob("*.onnx")
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert "BatchNormalization" not in operators
    np.testing.assert_allclose(answer(path), answer("net.onnx"), rtol=1e-5, atol=1e-5)
    return path


@pytest.mark.parametrize("verify", [True, False])
def test_a_workflow_folds_what_bnfold_folds(folder, verify):
    from bnfold.integrations.olive import run

    run(config(passes={"fold": {"type": "FoldBatchNorm", "verify": verify}}))
    folded()


def test_weights_may_lie_beside_the_model(folder):
    from bnfold.integrations.olive import run

    run(config(passes={"fold": {"type": "FoldBatchNorm", "save_as_external_data": True}}))
    path = folded()
    assert list(path.parent.glob("*.data"))


def test_it_stands_among_passes_of_olive(folder):
    from bnfold.integrations.olive import run

    fixed = {"type": "DynamicToFixedShape", "dim_param": ["N"], "dim_value": [4]}
    run(config(passes={"fix": fixed, "fold": {"type": "FoldBatchNorm"}}))
    assert onnx.load(folded()).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 4


def test_the_page_is_true(folder):
    from bnfold.integrations.olive import run

    (block,) = (b for b in blocks_of(PAGE.read_text(encoding="utf-8")) if b.file == "olive.json")
    Path("olive.json").write_text(block.text, encoding="utf-8")
    run("olive.json")
    folded()


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (config(passes={"fold": {"type": "FoldBatchNorm", "allow": ["nothing"]}}),
         UsageError, "nothing"),
        ({"passes": {}}, UsageError, "input_model"),
        (config(input_model={"type": "PyTorchModel", "model_loader": "load",
                             "model_script": "net.py"}),
         UsageError, "not a PyTorchModel"),
        (config(input_model={"type": "ONNXModel", "model_path": "broken.onnx"}),
         ModelError, "broken.onnx"),
        ("broken.json", UsageError, "broken.json: cannot be read"),
        ("broken.yaml", UsageError, "broken.yaml: cannot be read"),
        ("deep.json", UsageError, "deep.json: cannot be read"),
        ("list.json", UsageError, "list.json: a configuration is an object"),
        ("absent.json", UsageError, "absent.json"),
        ([1], UsageError, "a file or a dict, with input_model, not a list"),
        (config(passes=[{"type": "FoldBatchNorm"}]), UsageError, "does not carry it out"),
        (config(passes={"fold": {"type": "FoldBatchNorms"}}), UsageError, "foldbatchnorms"),
        (config(passes={"fold": {"type": "FoldBatchNorm", "verifi": False}}),
         UsageError, "no option 'verifi'; did you mean 'verify'"),
        (config(passes={"fold": {"type": "FoldBatchNorm", "verify": "maybe"}}),
         UsageError, "verify"),
        (config(input_model={"type": "ONNXModel", "model_path": "absent.onnx"}),
         UsageError, "absent.onnx"),
        (config(cache_dir="net.onnx"), UsageError, "net.onnx"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(folder, given, kind, said):
    from bnfold.integrations.olive import run

    for name in ("broken.onnx", "broken.json", "broken.yaml"):
        Path(name).write_text("{ nothing: [", encoding="utf-8")
    Path("deep.json").write_text("[" * 100_000, encoding="utf-8")
    Path("list.json").write_text("[]", encoding="utf-8")
    Path("net.py").write_text("import torch\n\ndef load(_):\n    return torch.nn.ReLU()\n")
    with pytest.raises(BnfoldError, match=said) as raised:
        run(given)
    assert isinstance(raised.value, kind)
    assert "\n" not in str(raised.value)
    assert not list(Path().glob("out/**/*.onnx"))


def test_the_package_configuration_is_one_that_olive_reads_from_a_file(folder):
    from olive.workflows import run

    from bnfold.integrations.olive import package_config

    Path("package.json").write_text(json.dumps(package_config()), encoding="utf-8")
    run(config(), package_config="package.json")
    folded()
