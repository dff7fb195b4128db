"""The original is heard while the fold goes on: onnxruntime does not hold Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.opinion.answers import Answers, answers_of
from bnfold.fold.opinion.original_model import Original

Heard = Callable[[], Answers | Opinion]


@contextmanager
def heard_beside(original: Original | None) -> Iterator[Heard]:
    """What the block gets gives the original's answers, which are ready when the block is left.

    Nobody is asked beside a fold that has no batch norm to fold: only once the answers are wanted.
    """
    if original is None or not original.has_batch_norm:
        yield lambda: _answers(original)
        return
    with ThreadPoolExecutor(1, "bnfold-opinion") as beside:
        heard = beside.submit(answers_of, original)
        yield heard.result


def _answers(original: Original | None) -> Answers | Opinion:
    assert original is not None, "nobody asks where nothing is to be compared"
    return answers_of(original)
