"""What a run writes down: `metrics.csv`, and beside it events for TensorBoard.

Both are made from the state after each epoch. A run that goes on writes the CSV again from its
history, and its events from the epoch on that it went on from.
"""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Protocol

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.data import training
from models.training.progress import Epoch
from models.training.state import State
from models.training.whole import write_whole

CSV_NAME = "metrics.csv"
WATCHED = 64  # examples whose activations are looked at
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Sigmoid)


class Writer(Protocol):
    """What is used of TensorBoard's `SummaryWriter`."""

    def add_scalar(self, tag: str, value: float, step: int) -> None: ...  # noqa: D102

    def add_histogram(self, tag: str, values: torch.Tensor, step: int) -> None: ...  # noqa: D102

    def flush(self) -> None: ...  # noqa: D102


class Diary:
    """Called after each epoch; see `opened`."""

    def __init__(self, folder: Path, events: EventLog | None) -> None:
        self._folder = folder
        self._events = events

    def __call__(self, state: State) -> None:
        """Writes the epoch that just ended."""
        write_whole(self._folder / CSV_NAME, as_csv(state.history).encode())
        if self._events is not None:
            self._events.write(state)


def as_csv(history: list[Epoch]) -> str:
    """A line for each epoch; a figure that there is not is empty."""
    text = io.StringIO()
    columns = [field.name for field in fields(Epoch)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in history)
    return text.getvalue()


def has_tensorboard() -> bool:
    """Whether events can be written."""
    return importlib.util.find_spec("tensorboard") is not None


@contextmanager
def opened(folder: Path, done: int) -> Iterator[Diary]:
    """The diary of a run that has so many epochs behind it; events only with TensorBoard."""
    if not has_tensorboard():
        yield Diary(folder, None)
        return
    from torch.utils.tensorboard.writer import SummaryWriter

    # What an earlier start wrote of this epoch and later ones is not shown: it is written again.
    with SummaryWriter(str(folder), purge_step=done + 1) as writer:
        yield Diary(folder, EventLog(writer, done))


class EventLog:
    """Loss, metric, rate, gradients, batch norms and activations, by epoch."""

    def __init__(self, writer: Writer, done: int) -> None:
        self._writer = writer
        self._done = done

    def write(self, state: State) -> None:
        """The last epoch of the state, unless it was written before."""
        epoch = state.history[-1]
        if epoch.number <= self._done:
            return
        self._figures(epoch, state.recipe.metric)
        self._gradients(state.module, epoch.number)
        self._batch_norms(state.module, epoch.number)
        self._activations(state, epoch.number)
        self._writer.flush()

    def _figures(self, epoch: Epoch, metric: str) -> None:
        values = {
            "loss/training": epoch.loss,
            "loss/validation": epoch.validation_loss,
            f"{metric}/validation": epoch.validation_metric,
            "learning_rate": epoch.learning_rate,
            "gradient_norm/all": epoch.gradient_norm,
        }
        for tag, value in values.items():
            if value is not None:
                self._writer.add_scalar(tag, value, epoch.number)

    def _gradients(self, module: nn.Module, number: int) -> None:
        """Of the last step, parameter by parameter."""
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                norm = parameter.grad.norm().item()
                self._writer.add_scalar(f"gradient_norm/{name}", norm, number)

    def _batch_norms(self, module: nn.Module, number: int) -> None:
        for name, norm in module.named_modules():
            if isinstance(norm, _BatchNorm):
                for what in ("running_mean", "running_var"):
                    values = getattr(norm, what)
                    self._writer.add_histogram(f"batch_norm/{name}/{what}", values, number)
                    mean = values.mean().item()
                    self._writer.add_scalar(f"batch_norm/{name}/{what}_over_channels", mean, number)

    def _activations(self, state: State, number: int) -> None:
        for name, values in activations_of(state):
            self._writer.add_histogram(f"activation/{name}", values, number)


def activations_of(state: State) -> list[tuple[str, torch.Tensor]]:
    """What comes out of each activation module for the first examples, in eval mode."""
    seen: list[tuple[str, torch.Tensor]] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return module.register_forward_hook(lambda _, __, out: seen.append((name, out.detach())))

    module = state.module
    named = [(n, m) for n, m in module.named_modules() if isinstance(m, ACTIVATIONS)]
    hooks = [watch(name, part) for name, part in named]
    module.eval()
    try:
        with torch.no_grad():
            module(torch.from_numpy(training(state.recipe).inputs[:WATCHED]))
    finally:
        module.train()
        for hook in hooks:
            hook.remove()
    return seen
