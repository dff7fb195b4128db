"""The engine, the rounding and the saving broken on purpose: the rewrite is undone and told.

A mutation breaks what carries plans out, not a rule: the algebra is right, and the graph that comes
of it is not. The model is what it was to the byte, but for what other rewrites did rightly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold.errors import InternalError
from bnfold.fold.edit import engine as engines
from bnfold.fold.edit.changes import Changes
from bnfold.fold.edit.engine import Engine
from bnfold.fold.numbers import exact as exacts
from bnfold.fold.numbers.exact import Exact
from bnfold.fresh_names import FreshNames

CONV = "(float[N,3,9,9] x) => (float[N,4,P,Q] y) "
PLAIN = Motif(
    "conv",
    CONV + "{ a = Conv<pads = [1, 0, 2, 1], strides = [2, 1]>(x, w) b = BN(a, n) y = Sigmoid(b) }",
    {"w": (4, 3, 3, 2), "n": Norm(4)},
    "",
)
OUTPUT = Motif(
    "output", CONV + "{ a = Conv(x, w) y = BN(a, n) }", {"w": (4, 3, 3, 2), "n": Norm(4)}, ""
)
GEMM = Motif(
    "gemm",
    "(float[N,6] x) => (float[N,4] y) "
    "{ a = Gemm<alpha = 0.5, transB = 1>(x, w) b = BN(a, n) y = Sigmoid(b) }",
    {"w": (4, 6), "n": Norm(4)},
    "",
)
MAPPED = Motif(
    "mapped",
    CONV + "{ s = Sigmoid(x) a = BN(s, n) y = Conv<pads = [1, 1, 1, 0]>(a, w) }",
    {"n": Norm(3), "w": (4, 3, 3, 2)},
    "",
)


def _mirrored(original: Callable[..., Any]) -> Callable[..., Any]:
    """Every kernel is written the other way round."""

    def broken(self: Engine, exact: Exact, *rest: Any) -> Any:
        flipped = replace(exact, rows=lambda a, b: np.flip(exact.rows(a, b), axis=-1))
        return original(self, flipped if len(exact.shape) > 1 else exact, *rest)

    return broken


def _doubled(original: Callable[..., Any]) -> Callable[..., Any]:
    """The bytes that are saved are not those of the tensor."""

    def broken(self: ir.LazyTensor, file: BinaryIO) -> None:
        file.write((self.numpy() * np.float32(2)).tobytes())

    return broken


def _towards_zero(original: Callable[..., Any]) -> Callable[..., Any]:
    """One unit in the last place, which no comparison of outputs would notice."""
    return lambda values, dtype: np.nextafter(original(values, dtype), np.float32(0))


def _without_last_input(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, node, values: original(self, node, values[:-1])


MUTATIONS: dict[str, tuple[Any, str, Callable[..., Any], Motif, list[str]]] = {
    "kernels mirrored": (Engine, "_constant", _mirrored, PLAIN, []),
    "attributes forgotten": (Engine, "_attributes", lambda _: lambda *_args: [], GEMM, []),
    "attributes of a new node forgotten": (
        Engine, "_attributes", lambda _: lambda *_args: [], MAPPED, ["constant-map"],
    ),
    "the bias left out": (Changes, "set_inputs", _without_last_input, PLAIN, []),
    "a name taken twice": (FreshNames, "__call__", lambda _: lambda _self, _base: "w", PLAIN, []),
    "an output's name lost": (engines, "_inherit", lambda _: lambda *_args: None, OUTPUT, []),
    "the batch norm left in": (Changes, "replace_uses", lambda _: lambda *_args: None, PLAIN, []),
    "rounded towards zero": (exacts, "rounded_to", _towards_zero, PLAIN, []),
    "other bytes saved": (exacts._FoldedTensor, "tofile", _doubled, PLAIN, []),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_what_a_broken_engine_does_is_undone_and_told(
    mutation: tuple[Any, str, Callable[..., Any], Motif, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where, name, mutate, motif, allow = mutation
    model = motif.model()
    before = _bytes(bnfold.fold(model, skip=_norm(model), allow=allow).to_proto())
    assert not bnfold.fold(model, allow=allow).ledger.bugs
    assert bnfold.fold(model, allow=allow).ledger.batch_norms_after == 0
    monkeypatch.setattr(where, name, mutate(getattr(where, name)))
    result = bnfold.fold(model, allow=allow)
    assert result.ledger.bugs
    assert result.ledger.batch_norms_after == 1
    with pytest.raises(InternalError, match="did not prove itself"):
        bnfold.fold(model, allow=allow, strict=True)
    monkeypatch.undo()
    assert _bytes(result.to_proto()) == before


def _norm(model: onnx.ModelProto) -> str:
    (node,) = (node for node in model.graph.node if node.op_type == "BatchNormalization")
    return node.name or node.output[0]


def _bytes(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString(deterministic=True)
