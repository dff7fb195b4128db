"""Training learns, goes on where it was stopped, writes down what it did, and stops when lost."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from models import evaluate
from models.recipe import RECIPES
from models.train import main
from models.training import checkpoint, diary, result, train
from models.training.loop import Tick

ROOT = Path(__file__).parents[2]
MLP = replace(RECIPES["digits_mlp"], epochs=3)
EARLY = replace(RECIPES["cnn_post_dropout"], epochs=3)


class StoppedError(Exception):
    """Somebody stopped it."""


def stop_at(epoch: int, step: int) -> Tick:
    def after_step(now: int, done: int, steps: int) -> None:
        if (now, done) == (epoch, step):
            raise StoppedError

    return after_step


def invoke(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_the_smallest_network_learns_in_a_few_epochs_and_the_same_each_time() -> None:
    before = evaluate.metric_of(MLP, evaluate.outputs_of_module(MLP, MLP.build_untrained()))
    state = train(MLP)
    after = evaluate.metric_of(MLP, evaluate.outputs_of_module(MLP, state.module))
    assert before < 40
    assert after > 90
    losses = [epoch.loss for epoch in state.history]
    assert losses == sorted(losses, reverse=True)
    again = train(MLP)
    for name, value in state.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name


def test_training_leaves_the_callers_generator_and_threads_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    threads = torch.get_num_threads()
    torch.manual_seed(7)
    train(replace(MLP, epochs=1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("recipe", [MLP, EARLY], ids=["one cycle", "plateau and dropout"])
def test_a_run_that_was_stopped_ends_with_the_bytes_of_one_that_was_not(recipe, tmp_path) -> None:
    (tmp_path / "stopped").mkdir()
    with pytest.raises(StoppedError):
        train(recipe, tmp_path / "stopped", after_step=stop_at(1, 4))
    with pytest.raises(StoppedError):
        train(recipe, tmp_path / "stopped", after_step=stop_at(3, 4))
    assert checkpoint.epochs_in(tmp_path / "stopped") == 2
    torch.rand(3)  # what happens in between is of no account
    result.save(train(recipe, tmp_path / "stopped"), tmp_path / "a.safetensors")
    result.save(train(recipe), tmp_path / "b.safetensors")
    for end in ("safetensors", "json"):
        assert (tmp_path / f"a.{end}").read_bytes() == (tmp_path / f"b.{end}").read_bytes()


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_bytes_and_metrics(tmp_path: Path) -> None:
    def start(name: str) -> subprocess.Popen[bytes]:
        arguments = ["digits_mlp", "--epochs=12", "--logdir", tmp_path / name]
        out = ["--out", tmp_path / f"{name}.safetensors"]
        return subprocess.Popen(
            [sys.executable, "-m", "models.train", *arguments, *out], cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    whole, killed = start("whole"), start("killed")
    while not (tmp_path / "killed" / checkpoint.NAME).exists():
        assert killed.poll() is None
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed.safetensors").exists()
    assert start("killed").wait() == 0
    assert whole.wait() == 0
    for name in ("{}.safetensors", "{}.json", "{}/metrics.csv"):
        one, other = (tmp_path / name.format(run) for run in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes(), name


def test_training_ends_when_validation_stays_as_it_is_and_keeps_the_best_epoch() -> None:
    impatient = replace(EARLY, epochs=40, patience=1, learning_rate=0.1)
    state = train(impatient)
    losses = [epoch.validation_loss for epoch in state.history]
    assert len(losses) < 40
    assert losses[-1] > min(losses)
    checked = evaluate.answers_of_module(state.module, _validation(impatient).inputs)
    loss = torch.nn.functional.cross_entropy(
        torch.from_numpy(checked), torch.from_numpy(_validation(impatient).targets)
    )
    assert loss.item() == pytest.approx(min(losses), rel=1e-6)


def _validation(recipe):
    from models.data import validation

    return validation(recipe)


def test_the_rate_becomes_smaller_when_validation_stays_as_it_is() -> None:
    state = train(replace(EARLY, epochs=7, patience=3, learning_rate=1.0))
    rates = [epoch.learning_rate for epoch in state.history]
    assert rates[0] == 1.0
    assert rates[-1] < 1.0


def test_the_command_writes_weights_record_and_metrics(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    code, said = invoke("digits_mlp", "--epochs=2", f"--out={out}", "--logdir", tmp_path / "log")
    assert code == 0, said
    assert "epoch 2 of 2: loss" in said
    record = json.loads((tmp_path / "w.json").read_text())
    assert out.stat().st_size > 0
    assert record["epochs"] == 2
    assert record["versions"]["torch"] == torch.__version__
    with (tmp_path / "log" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_another_recipe_does_not_write_over_the_committed_weights(tmp_path: Path) -> None:
    before = MLP.weights_path.read_bytes()
    code, said = invoke("digits_mlp", "--epochs=1", "--logdir", tmp_path)
    assert code == 0, said
    assert MLP.weights_path.read_bytes() == before
    assert (tmp_path / "digits_mlp.safetensors").exists()


def test_the_events_hold_what_tensorboard_should_show(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")

    def stopped_before_its_checkpoint(state) -> None:
        written(state)
        if len(state.history) == 2:
            raise StoppedError

    with pytest.raises(StoppedError), diary.opened(tmp_path, 0) as written:
        train(EARLY, tmp_path, after_epoch=stopped_before_its_checkpoint)
    assert checkpoint.epochs_in(tmp_path) == 1
    with diary.opened(tmp_path, checkpoint.epochs_in(tmp_path)) as written:
        state = train(EARLY, tmp_path, after_epoch=written)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path)).Reload()
    scalars, histograms = events.Tags()["scalars"], events.Tags()["histograms"]
    history = state.history
    for tag, values in {
        "loss/training": [epoch.loss for epoch in history],
        "loss/validation": [epoch.validation_loss for epoch in history],
        "accuracy_percent/validation": [epoch.validation_metric for epoch in history],
        "learning_rate": [epoch.learning_rate for epoch in history],
        "gradient_norm/all": [epoch.gradient_norm for epoch in history],
    }.items():
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3], tag
        assert [event.value for event in events.Scalars(tag)] == pytest.approx(values), tag
    assert "gradient_norm/features.0.weight" in scalars
    norms = [name for name, _ in state.module.named_modules() if name in _norms(state.module)]
    assert len(norms) == 4
    for name in norms:
        assert f"batch_norm/{name}/running_mean" in histograms
        assert f"batch_norm/{name}/running_var" in histograms
    relus = [name for name in histograms if name.startswith("activation/")]
    assert len(relus) == 4
    last = events.Histograms("batch_norm/features.2/running_var")[-1].histogram_value
    assert last.num == 16
    assert last.min > 0


def _norms(module: torch.nn.Module) -> set[str]:
    return {n for n, part in module.named_modules() if isinstance(part, torch.nn.BatchNorm2d)}


def test_looking_at_activations_changes_nothing() -> None:
    seen = []
    state = train(EARLY, after_epoch=lambda state: seen.append(diary.activations_of(state)))
    again = train(EARLY)
    for name, value in state.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name
    assert all((values >= 0).all() for epoch in seen for _, values in epoch)


def test_a_lost_run_says_at_which_step_and_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    good = train(EARLY, tmp_path, after_step=lambda *_: None)
    kept = (tmp_path / checkpoint.NAME).read_bytes()
    assert len(good.history) == 3
    code, said = invoke("cnn_post", "--learning-rate=1e30", "--logdir", tmp_path / "lost")
    assert code == 1
    assert said.splitlines()[-1].startswith("Error: the loss is nan at step 2 (epoch 1); no epoch")
    assert not (tmp_path / "lost" / checkpoint.NAME).exists()
    assert (tmp_path / checkpoint.NAME).read_bytes() == kept


def test_what_is_lost_later_leaves_the_checkpoint_of_the_epoch_before(tmp_path: Path) -> None:
    def spoil(state) -> None:
        if len(state.history) == 1:
            state.optimizer.param_groups[0]["lr"] = 1e30

    recipe = replace(EARLY, name="cnn_post_dropout")
    with pytest.raises(Exception, match=r"step 19 \(epoch 2\)"):
        train(recipe, tmp_path, after_epoch=spoil)
    assert checkpoint.epochs_in(tmp_path) == 1
    saved = torch.load(tmp_path / checkpoint.NAME, weights_only=True)
    assert all(value.isfinite().all() for value in saved["module"].values())


def test_a_checkpoint_of_another_network_or_recipe_is_refused(tmp_path: Path) -> None:
    train(replace(MLP, epochs=1), tmp_path)
    kept = (tmp_path / checkpoint.NAME).read_bytes()
    code, said = invoke("cnn_pre", "--logdir", tmp_path)
    assert code == 2
    assert "is a checkpoint of digits_mlp, not of cnn_pre: give another --logdir" in said
    code, said = invoke("digits_mlp", "--epochs=1", "--seed=5", "--logdir", tmp_path)
    assert code == 2
    assert "was made with seed 0, not 5" in said
    assert (tmp_path / checkpoint.NAME).read_bytes() == kept


def test_a_checkpoint_that_is_none_is_refused_and_fresh_starts_anew(tmp_path: Path) -> None:
    (tmp_path / checkpoint.NAME).write_bytes(b"not this")
    code, said = invoke("digits_mlp", "--epochs=1", "--logdir", tmp_path)
    assert code == 2
    assert "cannot be read as a checkpoint" in said
    code, said = invoke("digits_mlp", "--epochs=1", "--logdir", tmp_path, "--fresh")
    assert code == 0, said


def test_a_log_directory_that_cannot_be_written_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = invoke("digits_mlp", "--logdir", tmp_path / "file" / "below")
    assert code == 2
    assert "nothing can be written there" in said
    assert "epoch" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["temporal", "--data=digits"], "temporal cannot be trained on 'digits'; it takes vowels"),
        (["cnn_pre", "--data=mnst"], "did you mean 'mnist'"),
        (["cnn_pre", "--learning-rate=-1"], "has to be above 0"),
        (["cnn_pre", "--learning-rate=nan"], "has to be above 0"),
    ],
)
def test_a_request_that_makes_no_sense_is_told(arguments, said, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = invoke(*arguments)
    assert code == 2
    assert said in output
