"""What is known of a training run after each epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One epoch; validation figures are None where the recipe keeps no examples for it.

    Attributes:
        number: from 1.
        loss: mean over its steps, in training mode.
        validation_loss: in eval mode.
        validation_metric: as the recipe's `metric` names it.
        learning_rate: of its last step.
        gradient_norm: of all parameters together, mean over its steps.
    """

    number: int
    loss: float
    validation_loss: float | None
    validation_metric: float | None
    learning_rate: float
    gradient_norm: float


def best_of(history: list[Epoch]) -> Epoch:
    """The epoch whose weights are kept: of the smallest validation loss, or the last one."""
    if history[-1].validation_loss is None:
        return history[-1]
    return min(history, key=lambda epoch: (epoch.validation_loss, epoch.number))


def is_over(history: list[Epoch], epochs: int, patience: int | None) -> bool:
    """Whether all epochs are done, or none of the last `patience` was the best one."""
    if not history:
        return False
    waited = history[-1].number - best_of(history).number
    return history[-1].number >= epochs or (patience is not None and waited >= patience)
