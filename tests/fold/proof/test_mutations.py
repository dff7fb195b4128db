"""Each rule broken on purpose: the certificate notices, and the model stays right.

A mutation patches one function of the fold. The motif that depends on it must be left alone and
reported as a bug; without the mutation it folds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bnfold
from benchmarks.motifs import GROUPS, Motif, Norm
from bnfold import model_io
from bnfold.errors import InternalError
from bnfold.float64 import run_graph
from bnfold.fold.moves import operands
from bnfold.fold.moves.absorb import conv, conv_transpose, gemm, matmul, quantized
from bnfold.fold.moves.carry import depth_to_space, layout, parts, pool
from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.question import readers
from bnfold.fold.sources import source as sources

EQUAL_SIZES = (
    Motif(
        "concat-of-equal-parts",
        "(float[N,3,8,8] x) => (float[N,8,8,8] y) "
        "{ a = Conv(x, w) r = Relu(x) b = Conv(r, v) c = Concat<axis=1>(a, b) y = BN(c, n) }",
        {"w": (4, 3, 1, 1), "v": (4, 3, 1, 1), "n": Norm(8)},
        "Conv Relu Conv Concat",
    ),
    Motif(
        "transposed-square",
        "(float[N,3,5] x) => (float[N,5,5] y) "
        "{ a = Conv(x, w) t = Transpose<perm=[0,2,1]>(a) y = BN(t, n) }",
        {"w": (5, 3, 1), "n": Norm(5)},
        "Conv Transpose BatchNormalization",
    ),
)
"""Where a part or an axis taken for another one goes unnoticed by its size."""

MOTIFS = {m.name: m for motifs in (*GROUPS.values(), EQUAL_SIZES) for m in motifs}


def _zero_bias(original: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that forgets what its bias was."""

    def broken(*args: Any) -> Any:
        found = original(*args)
        return np.zeros_like(found) if isinstance(found, np.ndarray) else found

    return broken


def _always(value: Any) -> Callable[..., Any]:
    """A condition that is not checked."""
    return lambda _original: lambda *_args, **_kwargs: value


def _reversed_parts(original: Callable[..., Any]) -> Callable[..., Any]:
    """Parts that take each other's slice."""
    return lambda *args: list(reversed(original(*args)))


def _shifted(original: Callable[..., Any]) -> Callable[..., Any]:
    """A vector laid against the wrong channels."""
    return lambda vector, *args: original(np.roll(vector, 1), *args)


def _halved(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: original(*args, **kwargs) / 2


def _swapped_after(_original: Callable[..., Any]) -> Callable[..., Any]:
    """A composition in the wrong order."""
    return lambda self, first: Affine(
        self.scale * first.scale, first.scale * self.shift + first.shift
    )


def _without_sign(original: Callable[..., Any]) -> Callable[..., Any]:
    """Integers that are not mirrored where the scale is negative."""
    return lambda found, s, *args: original(found, np.abs(s), *args)


def _rolled_factor(original: Callable[..., Any]) -> Callable[..., Any]:
    """Weights scaled by a neighbour's scale."""
    return lambda base, factor: original(base, np.roll(factor, 1))


def _no_epsilon(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda node, name, default: 0.0 if name == "epsilon" else original(node, name, default)


def _other_mode(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda node, name, default: "CRD" if name == "mode" else original(node, name, default)


def _add_for_sub(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda op, c, **kwargs: original("Add" if op == "Sub" else op, c, **kwargs)


def _identity_left(_original: Callable[..., Any]) -> Callable[..., Any]:
    """Another reader does without the inverse."""
    return lambda whole, _part: identity(whole.rank)


CASES: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "a dropped bias": (operands, "bias_of", _zero_bias, "add-of-different-branches"),
    "epsilon dropped": (sources, "attribute_of", _no_epsilon, "conv-bn-large-epsilon"),
    "Sub taken for Add": (sources, "_constant_affine", _add_for_sub, "sub-div-mul-add"),
    "padding not looked at": (conv, "sees_padding", _always(False), "padded-conv-behind-a-shift"),
    "channels of another group": (conv, "per_group", _shifted, "bn-conv-grouped"),
    "blocks rolled": (conv_transpose, "scaled", _rolled_factor, "conv-transpose-grouped"),
    "beta * C halved": (gemm, "_addend", _halved, "gemm-alpha-beta"),
    "t @ B halved": (gemm, "product", _halved, "bn-gemm"),
    "t @ W halved": (matmul, "_product", _halved, "bn-matmul-add"),
    "composed in the wrong order": (Affine, "after", _swapped_after, "lone-bn-then-mul-add"),
    "slices swapped": (parts, "_sliced", _reversed_parts, "concat-of-equal-parts"),
    "another reader forgotten": (
        readers,
        "reads_no_number",
        _always(True),
        "conv-output-read-in-an-if",
    ),
    "an inverse not taken": (readers, "behind", _identity_left, "conv-output-read-in-an-if"),
    "a mean that counts padding": (pool, "_counts_padding", _always(False), "counted-padding"),
    "an axis not moved": (
        layout,
        "_transposed",
        lambda _original: lambda affine, _axes: affine,
        "transposed-square",
    ),
    "blocks in the other order": (
        depth_to_space,
        "attribute_of",
        _other_mode,
        "back-depth-to-space",
    ),
    "integers not mirrored": (
        quantized,
        "multiplied",
        _without_sign,
        "int8-weight-negative-scales",
    ),
    "the shift into every branch": (
        Affine,
        "only_scale",
        lambda _original: lambda self: self,
        "add-of-different-branches",
    ),
}
CONDITIONS = {
    "a negative scale through a maximum": (
        "is_nonnegative",
        True,
        "negative-scale-behind-max-pool",
    ),
    "a negative scale through a Relu": ("is_nonnegative", True, "negative-scale-behind-relu"),
    "a shift through a product": ("has_shift", False, "shift-behind-a-product"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_broken_rule_is_caught(
    case: tuple[Any, str, Callable[..., Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rewrite is dropped and reported; what the model computes stays."""
    where, name, mutate, motif = case
    model = MOTIFS[motif].model()
    assert not bnfold.fold(model).ledger.bugs
    monkeypatch.setattr(where, name, mutate(getattr(where, name)))
    _assert_caught(motif)


@pytest.mark.parametrize("case", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_removed_condition_is_caught(
    case: tuple[str, bool, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, answer, motif = case
    monkeypatch.setattr(Affine, name, property(lambda _self: answer))
    _assert_caught(motif)


def _assert_caught(motif: str) -> None:
    model = MOTIFS[motif].model()
    result = bnfold.fold(model)
    assert result.ledger.bugs
    kept = result.ledger.kept  # nothing where another way was found, which proves itself
    assert not kept or "certificate-failed" in {r.code for d in kept for r in d.refusals}
    folded = result.to_proto()
    for feeds in MOTIFS[motif].feeds():
        wanted = run_graph(model_io.load(model), feeds)
        for name, array in run_graph(model_io.load(folded), feeds).items():
            np.testing.assert_allclose(array, wanted[name], rtol=0, atol=1e-4)
    with pytest.raises(InternalError, match="did not prove itself"):
        bnfold.fold(model, strict=True)
