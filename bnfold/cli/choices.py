"""Parameters whose value is one of a few words, each with what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from bnfold.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic for type checkers only, in some versions

PROVIDERS = {"cpu": "this machine's processor", "cuda": "an NVIDIA GPU, by onnxruntime-gpu"}
HALVES = {
    "float16": "11 bits of precision, up to 65504",
    "bfloat16": "8 bits, the range of float32",
}
LEVELS = {
    "all": "what ships",
    "extended": "without layouts for this CPU",
    "basic": "constants and plain fusions",
    "none": "stands for runtimes that optimise little",
}
ALLOWANCES = {
    "constant-map": "an Add and its map, where the shift meets a padded border",
    "clone": "a copy of an operator that others read too",
    "rectifier": "a Max with bounds per channel for a Relu, which runtimes do not fuse",
    "cast": "the scale moved into the type on the other side of a Cast, where it rounds otherwise",
    "all": "all of these",
}


REPAIRS = {
    "spatial": "spatial = 0 with one number for each channel is spatial = 1",
    "inference": "a batch norm in training mode uses its stored statistics",
}


class OneOf(ParamType):
    """One of the words; where `several`, more of them may stand in one value, between commas."""

    name = "word"

    def __init__(self, noun: str, meanings: Mapping[str, str], *, several: bool = False) -> None:
        self._noun = noun
        self.meanings = dict(meanings)
        self._is_several = several

    @property
    def legend(self) -> str:
        """What each word means, for help."""
        return "; ".join(f"{word}: {meaning}" for word, meaning in self.meanings.items())

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The words, as a usage line has them."""
        return f"[{'|'.join(self.meanings)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value as it was written.

        Raises:
            UsageError: it is none of the words.
        """
        for word in value.split(",") if self._is_several else (value,):
            if word not in self.meanings:
                option = param.opts[-1] if param is not None else self.name
                near = did_you_mean(word, self.meanings)
                raise UsageError(
                    f"{option}: unknown {self._noun} '{word}'; "
                    f"choose from {', '.join(self.meanings)}{near}"
                )
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that begin so, with what they mean."""
        return [
            CompletionItem(word, help=meaning)
            for word, meaning in self.meanings.items()
            if word.startswith(incomplete)
        ]


PROVIDER = OneOf("provider", PROVIDERS)
HALF = OneOf("half precision", HALVES)
LEVEL = OneOf("optimisation level", LEVELS)
ALLOWANCE = OneOf("rewrite with a price", ALLOWANCES, several=True)
REPAIR = OneOf("repair", REPAIRS)


def repair_option(meaning: str) -> Callable[[Any], Any]:
    """`--repair`, which mends one of `REPAIRS`; what that is for stands in front of them."""
    text = f"{meaning} {REPAIR.legend}. Repeatable."
    return click.option("--repair", multiple=True, type=REPAIR, help=text)
