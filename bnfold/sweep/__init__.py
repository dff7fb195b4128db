"""A whole fleet of models, folded and verified side by side; one that fails stops no other."""

from bnfold.sweep.api import sweep
from bnfold.sweep.records import Outcome, Speed, SweepResult, Timing

__all__ = ["Outcome", "Speed", "SweepResult", "Timing", "sweep"]
