"""What can go wrong, each kind with the exit code that the command line gives it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class BnfoldError(Exception):
    """A failure that a user can understand; the message has where, what, and what to do."""

    exit_code: ClassVar[int] = 5


class ModelsDifferError(BnfoldError):
    """Two models that should compute the same do not."""

    exit_code = 1


class UsageError(BnfoldError):
    """A request that does not make sense: an unknown rule, a flag without its partner."""

    exit_code = 2


class ModelError(BnfoldError):
    """A model that is missing, malformed, or not supported."""

    exit_code = 2


class DataError(BnfoldError):
    """Input data that is missing, malformed, or does not fit the model."""

    exit_code = 2


class MissingDependencyError(BnfoldError):
    """An optional package that this request needs is not installed."""

    exit_code = 2


class InconclusiveError(BnfoldError):
    """No honest yes or no: too noisy, or not verifiable."""

    exit_code = 3


class ProviderUnavailableError(BnfoldError):
    """The requested execution provider does not really run here."""

    exit_code = 4


class InternalError(BnfoldError):
    """A bug in bnfold."""

    exit_code = 5


_SYNONYMS = {"gpu": "cuda", "nvidia": "cuda"}


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that means the same as the word, or is spelt most like it; None without one."""
    import difflib  # here, as nobody misspells a word in most runs

    by_lower = {choice.lower(): choice for choice in choices}
    if _SYNONYMS.get(word.lower()) in by_lower:
        return by_lower[_SYNONYMS[word.lower()]]
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'fold'?` for the end of a sentence; nothing where no choice is near."""
    near = nearest(word, choices)
    return "" if near is None else f"; did you mean '{near}'?"
