"""The trained networks: exported, folded, and held to what their modules compute."""

from __future__ import annotations

import pytest
import torch

import bnfold
from bnfold.pytest_plugin import assert_equivalent, assert_folds
from models.data import held_out
from models.recipe import RECIPES
from models.stored import with_stored_weights
from tests.models.data_there import needs_data_of

FAST = "digits_mlp"


@pytest.mark.parametrize(
    "name",
    [name if name == FAST else pytest.param(name, marks=pytest.mark.slow) for name in RECIPES],
)
def test_a_trained_network_is_the_same_after_export_and_fold(name, tmp_path):
    needs_data_of(RECIPES[name])
    module = with_stored_weights(name)
    examples = held_out(RECIPES[name]).inputs[:96]
    path = tmp_path / "model.onnx"
    bnfold.export(module, (torch.from_numpy(examples[:2]),), path)
    result = bnfold.fold(path)
    assert_folds(path, leaves=result.ledger.batch_norms_after)
    found = assert_equivalent(path, result.model, data=examples)
    assert all(row.top1_agree == row.samples for row in found.decisions)
    assert_equivalent(path, result.model)
    assert_equivalent(module, result.model, data=examples)
