"""Networks by name, and what a wrong name is answered."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import models
from bnfold.errors import UsageError
from models import evaluate, train


def test_every_name_can_be_built() -> None:
    assert len(models.names()) == len(set(models.names())) >= 18
    for name in models.names():
        assert not models.build(name).training


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(UsageError, match="'cnn_pots'; did you mean 'cnn_post'"):
        models.build("cnn_pots")


def test_a_name_that_is_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(UsageError, match=r"there are digits_cnn, .*, temporal"):
        models.build("zzzzzz")


@pytest.mark.parametrize("command", [train.main, evaluate.main])
def test_a_command_answers_a_wrong_name_in_one_sentence(command) -> None:
    result = CliRunner().invoke(command, ["preresnte", __file__])
    assert result.exit_code == 2
    assert "did you mean 'preresnet'?" in result.output
