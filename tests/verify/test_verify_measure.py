"""The measure itself: what it forgives, and what it does not."""

from __future__ import annotations

import numpy as np

from bnfold.verify.measure import judge
from bnfold.verify.tally import Tally

ULP = float(np.finfo(np.float32).eps)
FEEDS, ROWS, CLASSES = 8, 2, 1000


def _tally(generator: np.random.Generator, scale: np.ndarray) -> Tally:
    """Errors of a classifier [ROWS, CLASSES] on each feed; scale [FEEDS, CLASSES]."""
    tally = Tally()
    for feed in range(FEEDS):
        error = 1e-6 * scale[feed] * generator.standard_normal((ROWS, CLASSES))
        tally.add(f"feed {feed}", error, axes=(1,))
    return tally


def _judged(other_scale: np.ndarray) -> float:
    generator = np.random.default_rng(0)
    plain = np.ones((FEEDS, CLASSES))
    found = judge(
        _tally(generator, plain),
        _tally(generator, other_scale),
        _tally(generator, 1e6 * plain),
        ULP,
    )
    return max(found.ratio, found.channel_ratio or 0.0)


def test_equal_errors_are_equivalent() -> None:
    assert _judged(np.ones((FEEDS, CLASSES))) < 1.5


def test_a_class_that_errs_on_one_input_alone_was_hardly_seen() -> None:
    """A softmax gives a class weight on one input of many: there its error is one draw."""
    scale = np.ones((FEEDS, CLASSES))
    scale[3, 27] = 20.0
    assert _judged(scale) < 2.5


def test_a_class_that_errs_on_every_input_is_off() -> None:
    scale = np.ones((FEEDS, CLASSES))
    scale[:, 27] = 20.0
    assert _judged(scale) > 2.5


def test_a_large_error_on_one_input_is_off_all_the_same() -> None:
    scale = np.ones((FEEDS, CLASSES))
    scale[3, 27] = 200.0
    assert _judged(scale) > 2.5
