"""Training that can be stopped at any moment, and goes on to the same weights."""

from models.training.loop import train

__all__ = ["train"]
