"""The committed weights are what the recipes say, and the recipes train."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import bnfold
from models import data, evaluate, table, train
from models.recipe import RECIPES, Recipe
from models.stored import with_stored_weights

EACH = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


@EACH
def test_the_recorded_metric_is_that_of_the_committed_weights(recipe: Recipe) -> None:
    record = json.loads(recipe.record_path.read_text())
    outputs = evaluate.outputs_of_module(recipe, with_stored_weights(recipe.name))
    assert evaluate.metric_of(recipe, outputs) == pytest.approx(record["value"], abs=1e-3)
    assert record["metric"] == recipe.metric
    assert (record["seed"], record["epochs"]) == (recipe.seed, recipe.epochs)


@EACH
def test_the_network_is_good_at_its_task(recipe: Recipe) -> None:
    floor = {"accuracy_percent": 97.0, "psnr_db": 17.0}[recipe.metric]
    assert json.loads(recipe.record_path.read_text())["value"] > floor


@EACH
def test_the_weights_are_small_enough_to_commit(recipe: Recipe) -> None:
    assert recipe.weights_path.stat().st_size < 2 * 2**20


def test_no_held_out_image_is_trained_on() -> None:
    seen = {image.tobytes() for image in data.training("classify").inputs}
    held_out = data.held_out("classify").inputs
    assert len(seen) == 1297
    assert len(held_out) == 500
    assert not any(image.tobytes() in seen for image in held_out)


def test_the_smallest_network_learns_in_a_few_epochs_and_the_same_each_time() -> None:
    recipe = replace(RECIPES["digits_mlp"], epochs=3)
    before = evaluate.metric_of(
        recipe, evaluate.outputs_of_module(recipe, recipe.build_untrained())
    )
    losses: list[float] = []
    module = train.train(recipe, lambda epoch, loss: losses.append(loss))
    after = evaluate.metric_of(recipe, evaluate.outputs_of_module(recipe, module))
    assert before < 40
    assert after > 90
    assert losses == sorted(losses, reverse=True)
    again = train.train(recipe)
    for name, value in module.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_training_leaves_the_callers_generator_and_threads_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    threads = torch.get_num_threads()
    torch.manual_seed(7)
    train.train(replace(RECIPES["digits_mlp"], epochs=1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def test_the_training_command_writes_weights_and_record(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    result = CliRunner().invoke(train.main, ["digits_mlp", "--epochs=1", f"--out={out}"])
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "w.json").read_text())
    assert out.stat().st_size > 0
    assert record["epochs"] == 1
    assert record["versions"]["torch"] == torch.__version__


@pytest.mark.slow
@EACH
def test_the_recipe_gives_the_committed_metric(recipe: Recipe) -> None:
    """Bit by bit only where torch and the processor are the same: so the metric, with a margin."""
    outputs = evaluate.outputs_of_module(recipe, train.train(recipe))
    recorded = json.loads(recipe.record_path.read_text())["value"]
    assert evaluate.metric_of(recipe, outputs) == pytest.approx(recorded, abs=1.0)


def test_held_out_inputs_are_written_under_the_name_of_the_input(tmp_path: Path) -> None:
    out = tmp_path / "held_out.npz"
    result = CliRunner().invoke(data.main, [str(out), "--model", "digits_denoiser"])
    assert result.exit_code == 0, result.output
    with np.load(out) as arrays:
        assert list(arrays) == ["noisy"]
        assert np.array_equal(arrays["noisy"], data.held_out("denoise").inputs)


def test_the_table_in_the_readme_is_the_generated_one() -> None:
    text = table.README.read_text()
    assert table.with_table(text) == text


def test_an_exported_network_is_evaluated_by_name(tmp_path: Path) -> None:
    recipe = RECIPES["digits_mlp"]
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    bnfold.export("models.digits_mlp:build", path=paths[0])
    paths[1].write_bytes(paths[0].read_bytes())
    result = CliRunner().invoke(evaluate.main, [recipe.name, *map(str, paths)])
    assert result.exit_code == 0, result.output
    value = json.loads(recipe.record_path.read_text())["value"]
    assert result.output.splitlines() == [
        f"{value:.4f} % right  {paths[0]}",
        f"{value:.4f} % right  {paths[1]}",
        "same top-1 on 500 of 500 images",
    ]
