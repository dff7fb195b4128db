"""Arguments of another type than a call takes are refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import bnfold
from bnfold.errors import BnfoldError, ModelError, UsageError
from tests.fold.property.text_models import model, norm, weight

MODEL = model(
    "(float[N,3,5,5] x) => (float y) { a = Conv(x, w) y = BN(a, n) }",
    {"w": weight(4, 3, 1, 1), **norm("n", 4)},
)
OTHER: list[tuple[Callable[..., Any], str, Any]] = [
    *((bnfold.fold, key, v) for key in ("allow", "skip", "repair") for v in (None, 5, b"all")),
    *((bnfold.fold, key, [None]) for key in ("allow", "skip", "repair", "custom_ops")),
    *((bnfold.verify, "custom_ops", value) for value in (None, 5, b"x.so")),
    *((bnfold.verify, "samples", value) for value in (1.5, "3", 0, True)),
    *((bnfold.verify, "seed", value) for value in (None, 1.5, -1)),
    *((bnfold.verify, "providers", value) for value in (None, 5)),
    (bnfold.verify, "levels", 5),
    (bnfold.verify, "dims", 5),
    (bnfold.verify, "names", ["x"]),
    (bnfold.verify, "data", 5),
]


@pytest.mark.parametrize(("call", "key", "value"), OTHER)
def test_what_it_has_to_be_is_said(call: Callable[..., Any], key: str, value: object) -> None:
    given = (MODEL,) if call is bnfold.fold else (MODEL, MODEL)
    with pytest.raises(BnfoldError, match=key):
        call(*given, **{key: value})


def test_one_library_may_be_a_plain_string() -> None:
    with pytest.raises(UsageError, match=r"^nix\.so: no such file"):
        bnfold.fold(MODEL, custom_ops="nix.so")


@pytest.mark.parametrize("path", [None, 5])
def test_a_fold_is_saved_at_a_path(path: object) -> None:
    with pytest.raises(UsageError, match="path"):
        bnfold.fold(MODEL).save(path)  # type: ignore[arg-type]


def test_dynamic_dimensions_are_given_by_name(tmp_path: Path) -> None:
    net, x = torch.nn.Conv2d(3, 4, 1).eval(), torch.zeros(2, 3, 5, 5)
    with pytest.raises(UsageError, match="dynamic is a dict"):
        bnfold.export(net, x, tmp_path / "m.onnx", dynamic="x:0")  # type: ignore[arg-type]


def test_a_module_that_has_not_run_yet_is_not_exported(tmp_path: Path) -> None:
    net, x = torch.nn.LazyConv2d(4, 1).eval(), torch.zeros(2, 3, 5, 5)
    with pytest.raises(ModelError, match="'weight' has no size yet"):
        bnfold.export(net, x, tmp_path / "m.onnx")
