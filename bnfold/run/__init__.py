"""All steps at once: export, fold, verify, bench, and one result of them."""

from bnfold.run.records import RunResult

__all__ = ["RunResult"]
