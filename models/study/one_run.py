"""One run of the study: from a seed to a row of results."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.cnn import Cnn
from models.sources import SOURCES, Table
from models.study.grid import Cell, Grid


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        cell: which run.
        losses: mean training loss of each epoch.
        accuracies: on the validation digits after each epoch, in percent.
        held_out_percent: on the held-out digits at the end.
        lost_at_step: the step at which the loss was no longer a finite number; None for a run
            that went through.
    """

    cell: Cell
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    held_out_percent: float
    lost_at_step: int | None


def run(cell: Cell, grid: Grid) -> Outcome:
    """Trains it, in this process, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(cell.seed)
    module = initialised(cell)
    optimizer = torch.optim.SGD(module.parameters(), cell.learning_rate, momentum=grid.momentum)
    held_out, rest = SOURCES["digits"].read()
    validation, training = rest[: grid.validation], rest[grid.validation :]
    rng = np.random.RandomState(cell.seed)
    losses: list[float] = []
    accuracies: list[float] = []
    step = 0
    for _ in range(grid.epochs):
        total, steps = 0.0, len(training) // grid.batch_size
        order = rng.permutation(len(training))[: steps * grid.batch_size]
        module.train()
        for rows in order.reshape(steps, grid.batch_size):
            step += 1
            loss = _step(module, optimizer, training[rows])
            if not math.isfinite(loss):
                chance = accuracy_percent(module, held_out)
                return Outcome(cell, tuple(losses), tuple(accuracies), chance, step)
            total += loss
        losses.append(total / steps)
        accuracies.append(accuracy_percent(module, validation))
    held = accuracy_percent(module, held_out)
    return Outcome(cell, tuple(losses), tuple(accuracies), held, None)


def initialised(cell: Cell) -> nn.Module:
    """The variant, its convolutions drawn as He draws them, times the scale, with biases 0."""
    module = Cnn(cell.place, cell.dropout)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            with torch.no_grad():
                part.weight.mul_(cell.init_scale)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


def accuracy_percent(module: nn.Module, table: Table) -> float:
    """How many of the answers are right, in eval mode; an answer that is not a number is wrong."""
    module.eval()
    with torch.no_grad():
        answers: NDArray[np.float32] = module(torch.from_numpy(table.inputs)).numpy()
    right = (answers.argmax(axis=1) == table.labels) & np.isfinite(answers).all(axis=1)
    return float(100 * right.mean())


def _step(module: nn.Module, optimizer: torch.optim.Optimizer, batch: Table) -> float:
    loss = nn.functional.cross_entropy(
        module(torch.from_numpy(batch.inputs)), torch.from_numpy(batch.labels)
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
