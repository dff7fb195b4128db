"""What CI asks of a deployed model: it computes what was trained, and no batch norm is left.

    python -m pytest examples/test_deployed_model.py

Here both models are made from a network of this project; give the fixture the paths of yours. A
failing assertion prints the table that shows where the two part.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import bnfold
from bnfold.pytest_plugin import assert_equivalent, assert_folds
from models.data import held_out
from models.recipe import RECIPES

PRICES = ["rectifier"]  # what your deployment pays for


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The trained and the deployed model; put the paths of yours here."""
    folder = tmp_path_factory.mktemp("models")
    trained, deployed = folder / "trained.onnx", folder / "deployed.onnx"
    bnfold.export("models.cnn:post", path=trained)
    bnfold.fold(trained, allow=PRICES).save(deployed)
    return trained, deployed


def test_the_deployed_model_computes_what_was_trained(models: tuple[Path, Path]) -> None:
    """On examples that nothing was trained on, and on random numbers."""
    trained, deployed = models
    assert_equivalent(trained, deployed, data=held_out(RECIPES["cnn_post"]).inputs[:64])
    assert_equivalent(trained, deployed)


def test_no_batch_norm_is_left(models: tuple[Path, Path]) -> None:
    """The deployed model has none, and folding the trained one again leaves none."""
    trained, deployed = models
    assert_folds(trained, leaves=0, allow=PRICES)
    assert bnfold.inspect(deployed).batch_norms_before == 0
