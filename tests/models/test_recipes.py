"""The committed weights are what the recipes say, and the recipes train."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import bnfold
from models import card, evaluate, table
from models.recipe import RECIPES, Recipe
from models.stored import with_stored_weights
from models.training import train
from tests.models.data_there import EACH, needs_data_of


@EACH
def test_the_recorded_metric_is_that_of_the_committed_weights(recipe: Recipe) -> None:
    needs_data_of(recipe)
    record = card.record_of(recipe)
    outputs = evaluate.outputs_of_module(recipe, with_stored_weights(recipe.name))
    assert evaluate.metric_of(recipe, outputs) == pytest.approx(record["value"], abs=1e-3)


@EACH
def test_the_record_is_of_the_recipe_as_it_is(recipe: Recipe) -> None:
    record = card.record_of(recipe)
    assert (record["name"], record["data"]) == (recipe.name, recipe.data)
    assert (record["metric"], record["seed"]) == (recipe.metric, recipe.seed)
    assert record["kept_epoch"] <= record["epochs"] <= recipe.epochs
    if recipe.patience is None:
        assert record["epochs"] == recipe.epochs


@EACH
def test_the_network_is_good_at_its_task(recipe: Recipe) -> None:
    floor = {"accuracy_percent": 96.0, "psnr_db": 17.0}[recipe.metric]
    assert card.record_of(recipe)["value"] > floor


@EACH
def test_the_weights_are_small_enough_to_commit(recipe: Recipe) -> None:
    assert recipe.weights_path.stat().st_size < 2**20


@EACH
def test_the_spec_of_the_recipe_gives_the_trained_network(recipe: Recipe) -> None:
    module, builder = recipe.spec.split(":")
    built = getattr(importlib.import_module(module), builder)()
    assert not built.training
    expected = with_stored_weights(recipe.name).state_dict()
    for name, value in built.state_dict().items():
        assert torch.equal(value, expected[name]), name
    (inputs,) = importlib.import_module(module).example_inputs()
    assert built(inputs).shape[0] == len(inputs)


@EACH
def test_the_docstring_counts_the_batch_norms_right(recipe: Recipe) -> None:
    numbers = "zero one two three four five six seven eight nine ten eleven".split()
    numbers += "twelve thirteen fourteen fifteen sixteen seventeen".split()
    told = type(recipe.build_untrained()).__doc__ or ""
    if "batch norms" not in told:
        pytest.skip("this network says no number: it has variants")
    count = card.batch_norms_of(recipe)
    word = {**dict(enumerate(numbers)), 35: "thirty-five"}[count]
    assert f"{word} batch norms" in told


@pytest.mark.slow
@EACH
def test_the_recipe_gives_the_committed_metric(recipe: Recipe) -> None:
    """Bit by bit only where torch and the processor are the same: so the metric, with a margin."""
    if recipe.patience is not None and recipe.name not in ("pointnet", "temporal"):
        pytest.skip("takes minutes; two that stop early stand for the rest")
    needs_data_of(recipe)
    outputs = evaluate.outputs_of_module(recipe, train(recipe).module)
    recorded = card.record_of(recipe)["value"]
    assert evaluate.metric_of(recipe, outputs) == pytest.approx(recorded, abs=1.5)


def test_the_table_in_the_readme_is_the_generated_one() -> None:
    text = table.README.read_text()
    assert table.with_table(text) == text


@EACH
def test_the_card_is_the_generated_one(recipe: Recipe) -> None:
    assert (card.CARDS / f"{recipe.name}.md").read_text() == card.card(recipe)


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
