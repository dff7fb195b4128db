"""What an exporter did not mean is mended by name, told, and never called a fold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import bnfold
from bnfold.cli import main
from bnfold.errors import UsageError
from bnfold.fold.api import repaired
from tests.fold.property.oracle import kinds_of, run_runtime
from tests.fold.property.text_models import model, norm, weight

TEXT = "(float[N,3,5,5] x) => (float[N,4,5,5] y) {{ a = Conv(x, w) {} y = Relu(b) }}"
CONSTANTS = {"w": weight(4, 3, 1, 1), **norm("n", 4)}
PARAMETERS = "(a, ng, nb, nm, nv)"
TRAINING = {
    17: f"b, mean, spread = BatchNormalization<training_mode = 1>{PARAMETERS}",
    9: f"b, m, v, sm, sv = BatchNormalization{PARAMETERS}",
    6: f"b = BatchNormalization<is_test = 0>{PARAMETERS}",
}


def in_inference(opset: int) -> onnx.ModelProto:
    text = f"b = BatchNormalization{PARAMETERS}"
    return model(TEXT.format(text), CONSTANTS, opset=max(opset, 9))


def x() -> dict[str, np.ndarray]:
    return {"x": weight(2, 3, 5, 5, seed=4)}


@pytest.mark.parametrize("opset", TRAINING)
def test_a_batch_norm_in_training_mode_uses_its_stored_statistics(opset: int) -> None:
    parsed = model(TEXT.format(TRAINING[opset]), CONSTANTS, opset=opset)
    assert "training-mode" in {r.code for d in bnfold.inspect(parsed).kept for r in d.refusals}
    result = bnfold.fold(parsed, repair="inference", strict=True)
    assert kinds_of(result) == ["Conv", "Relu"]
    assert len(result.ledger.repairs) == 1
    assert "stored statistics" in result.ledger.repairs[0]
    wanted, found = run_runtime(in_inference(opset), x()), run_runtime(result.to_proto(), x())
    assert wanted is not None
    assert found is not None
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-5)


def test_statistics_that_are_read_keep_the_training() -> None:
    text = TEXT.format(TRAINING[17]).replace("4,5,5] y)", "4,5,5] y, float[4] mean)")
    result = bnfold.fold(model(text, CONSTANTS), repair="inference")
    assert result.ledger.repairs == ()
    assert "BatchNormalization" in kinds_of(result)


@pytest.mark.slow
def test_a_repaired_fold_is_compared_with_the_repaired_original(tmp_path: Path) -> None:
    """In verify, run and optimize; without the repair it is another function."""
    parsed = model(TEXT.format(TRAINING[17]), CONSTANTS)
    folded = bnfold.fold(parsed, repair="inference").to_proto()
    assert bnfold.verify(parsed, folded).verdict == "different"
    assert bnfold.verify(parsed, folded, repair="inference").is_equivalent
    assert bnfold.optimize(parsed, repair="inference").verification.is_equivalent
    assert bnfold.run(parsed, repair="inference", pairs=5).verification.is_equivalent
    paths = [tmp_path / "original.onnx", tmp_path / "folded.onnx"]
    for path, each in zip(paths, (parsed, folded), strict=True):
        onnx.save(each, path)
    words = ["verify", *map(str, paths), "--quiet"]
    for more, code in (([], 1), (["--repair", "inference"], 0)):
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        assert (ended.value.code or 0) == code
    with pytest.raises(UsageError, match="choose from"):
        bnfold.verify(parsed, folded, repair="nothing")


OLD = f"b = BatchNormalization<spatial = 0>{PARAMETERS}"


def test_one_number_for_each_channel_means_spatial() -> None:
    parsed = model(TEXT.format(OLD), CONSTANTS, opset=8)
    (kept,) = bnfold.inspect(parsed).kept
    assert any("--repair spatial" in refusal.advice for refusal in kept.refusals)
    result = bnfold.fold(parsed, repair=("spatial",), strict=True)
    assert kinds_of(result) == ["Conv", "Relu"]
    wanted, found = run_runtime(in_inference(9), x()), run_runtime(result.to_proto(), x())
    assert wanted is not None
    assert found is not None
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-5)


@pytest.mark.parametrize("way", ["Constant", "Identity"])
def test_parameters_that_nodes_hand_on_are_repaired_too(way: str) -> None:
    """As the refusal advises."""
    parsed = model(TEXT.format(OLD), CONSTANTS, opset=8)
    names = {"ng", "nb", "nm", "nv"}
    for tensor in [each for each in parsed.graph.initializer if each.name in names]:
        if way == "Constant":
            parsed.graph.initializer.remove(tensor)
            made = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        else:
            made = onnx.helper.make_node("Identity", [f"{tensor.name} stored"], [tensor.name])
            tensor.name = made.input[0]
        parsed.graph.node.insert(0, made)
    (kept,) = [d for d in bnfold.inspect(parsed).kept if d.op == "BatchNormalization"]
    assert any("--repair spatial" in refusal.advice for refusal in kept.refusals)
    result = bnfold.fold(parsed, repair="spatial", strict=True)
    assert len(result.ledger.repairs) == 1
    assert "BatchNormalization" not in kinds_of(result)
    wanted, found = run_runtime(in_inference(9), x()), run_runtime(result.to_proto(), x())
    assert wanted is not None
    assert found is not None
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-5)


@pytest.mark.parametrize("equal", [True, False])
def test_maps_need_no_repair_and_fold_where_they_are_equal_everywhere(equal: bool) -> None:
    maps = {
        name: np.repeat(value, 25).reshape(4, 5, 5).copy() for name, value in norm("n", 4).items()
    }
    if not equal:
        maps["nb"][1, 2, 3] += 1
    parsed = model(TEXT.format(OLD), {"w": CONSTANTS["w"], **maps}, opset=8)
    result = bnfold.fold(parsed, repair="spatial", strict=True)
    assert result.ledger.repairs == ()
    assert ("BatchNormalization" in kinds_of(result)) != equal
    wanted, found = run_runtime(parsed, x()), run_runtime(result.to_proto(), x())
    assert wanted is not None
    assert found is not None
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-5)


def test_nothing_is_repaired_that_was_not_asked_for_and_the_callers_model_stays() -> None:
    parsed = model(TEXT.format(TRAINING[17]), CONSTANTS)
    before = parsed.SerializeToString(deterministic=True)
    assert bnfold.fold(parsed, repair="spatial").ledger.repairs == ()
    assert "BatchNormalization" in kinds_of(bnfold.fold(parsed))
    assert [node.op_type for node in repaired(parsed, "inference").graph][1] == "BatchNormalization"
    assert parsed.SerializeToString(deterministic=True) == before
    with pytest.raises(UsageError, match="spatial"):
        bnfold.fold(parsed, repair="spacial")


def test_the_command_verifies_against_what_was_repaired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, record = (tmp_path / name for name in ("in.onnx", "out.onnx", "r.json"))
    onnx.save(model(TEXT.format(TRAINING[17]), CONSTANTS), source)
    said = ["fold", str(source), "-o", str(target), "--repair", "inference", "--verify"]
    with pytest.raises(SystemExit) as left:
        main([*said, "--json", str(record)])
    assert left.value.code in (0, None)
    result = json.loads(record.read_text(encoding="utf-8"))["result"]
    assert result["verification"]["verdict"] == "equivalent"
    assert len(result["repairs"]) == 1
    assert "computes something else" in capsys.readouterr().out
