"""The training of a network, from a seed and a recipe, or from where it was stopped.

One seed gives one set of weights, bit by bit, for one version of torch on one kind of processor,
however often it was stopped; between versions the order of additions may change, and with it the
last digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.data import Examples, add_noise, training, validation
from models.evaluate import answers_of_module, metric
from models.recipe import Recipe
from models.training import checkpoint
from models.training.errors import DivergedError
from models.training.progress import Epoch, best_of, is_over
from models.training.state import State, start, weights_of

Watch = Callable[[State], None]
Tick = Callable[[int, int, int], None]


def train(
    recipe: Recipe,
    folder: Path | None = None,
    *,
    after_epoch: Watch = lambda state: None,
    after_step: Tick = lambda epoch, step, steps: None,
) -> State:
    """The run is over: its module has the weights to keep, in eval mode.

    Args:
        recipe: what to train, how long, and from which seed.
        folder: where its checkpoint is; it goes on from one that is there. None: none is kept.
        after_epoch: called with the state after each epoch, before its checkpoint is written, and
            once with the state that was gone on from.
        after_step: called with the epoch, the step in it, and the steps of an epoch.

    Raises:
        DivergedError: the loss or a weight is not a finite number any more.
        DataError: the checkpoint there is not one of this recipe.
    """
    examples, checked = training(recipe), validation(recipe)
    steps = len(examples.inputs) // recipe.batch_size
    with _reproducible(recipe.seed):
        state = start(recipe, steps)
        if folder is not None and checkpoint.resume(state, folder):
            after_epoch(state)
        while not is_over(state.history, recipe.epochs, recipe.patience):
            _epoch(state, examples, checked, steps, after_step)
            after_epoch(state)
            if folder is not None:
                checkpoint.save(state, folder)
    state.module.load_state_dict(state.best)
    state.module.eval()
    return state


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seeds torch and keeps it to one thread; the caller's generator and threads are restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of additions depends on the number of threads
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _epoch(
    state: State, examples: Examples, checked: Examples, steps: int, after_step: Tick
) -> None:
    """One epoch further, its figures in the history."""
    recipe, number = state.recipe, len(state.history) + 1
    order = state.rng.permutation(len(examples.inputs))[: steps * recipe.batch_size]
    losses, norms = 0.0, 0.0
    state.module.train()
    for i, rows in enumerate(order.reshape(steps, recipe.batch_size)):
        rate = state.optimizer.param_groups[0]["lr"]
        loss, norm = _step(state, examples, rows)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss} at {_place(number, i + 1, steps)}")
        losses, norms = losses + loss, norms + norm
        after_step(number, i + 1, steps)
    checked_loss, checked_metric = _validate(state, checked)
    is_sound = all(value.isfinite().all() for value in state.module.state_dict().values())
    if not is_sound or not math.isfinite(checked_loss or 0.0):
        raise DivergedError(f"a weight is not finite after {_place(number, steps, steps)}")
    state.history.append(
        Epoch(number, losses / steps, checked_loss, checked_metric, rate, norms / steps)
    )
    if recipe.schedule == "plateau":
        state.schedule.step(losses / steps if checked_loss is None else checked_loss)
    if best_of(state.history).number == number:
        state.best = weights_of(state.module)


def _place(epoch: int, step: int, steps: int) -> str:
    return f"step {(epoch - 1) * steps + step} (epoch {epoch})"


def _step(state: State, examples: Examples, rows: np.ndarray) -> tuple[float, float]:
    """The loss before the step, and the norm of its gradient."""
    inputs = examples.inputs[rows]
    if state.recipe.task == "denoise":
        inputs = add_noise(inputs, state.rng)
    loss = _loss(state.recipe)(
        state.module(torch.from_numpy(inputs)), torch.from_numpy(examples.targets[rows])
    )
    state.optimizer.zero_grad()
    loss.backward()
    gradients = [p.grad for p in state.module.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    state.optimizer.step()
    if state.recipe.schedule == "one-cycle":
        state.schedule.step()
    return loss.item(), norm.item()


def _validate(state: State, checked: Examples) -> tuple[float | None, float | None]:
    """Loss and metric in eval mode on the examples kept for it."""
    if not len(checked.inputs):
        return None, None
    outputs = answers_of_module(state.module, checked.inputs)
    loss = _loss(state.recipe)(torch.from_numpy(outputs), torch.from_numpy(checked.targets))
    return loss.item(), metric(state.recipe, outputs, checked.targets)


def _loss(recipe: Recipe) -> nn.Module:
    return nn.CrossEntropyLoss() if recipe.task == "classify" else nn.MSELoss()
