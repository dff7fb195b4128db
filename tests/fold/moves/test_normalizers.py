"""Normalisations over the sample take what is theirs: along their own axes, into constants."""

from __future__ import annotations

import pytest

from tests.fold.merge.merging import merged
from tests.fold.property.text_models import norm, weight

ROWS = "(float[N, 5] x, float[5] z) => (float[N, 5] y) { a = OP y = BN(a, p) }"
MAPS = "(float[N, 4, 5] x) => (float[N, 4, 5] y) { a = OP y = NEXT }"
MAPS_BY_5 = "(float[N, 5, 5] x, float[5] z) => (float[N, 5, 5] y) { a = OP y = BN(a, p) }"
CONSTANTS = norm("p", 5, signs=True) | norm("q", 4, signs=True)
CONSTANTS |= {"g": weight(5, seed=2), "b": weight(5, seed=3), "k": weight(4, 1, seed=6)}
CONSTANTS |= {"gg": weight(4, 5, seed=4), "g4": weight(4, seed=5), "l": weight(5, seed=7)}


@pytest.mark.parametrize("inputs", ["x, g, b", "x, g"])
def test_a_layer_norm_takes_a_batch_norm_of_its_axis(inputs: str) -> None:
    folded = merged(
        ROWS.replace("OP", f"LayerNormalization({inputs})"), CONSTANTS, x=(3, 5), z=(5,)
    )
    assert folded.operators == ["LayerNormalization"]


@pytest.mark.parametrize(
    "operator",
    [
        "LayerNormalization(x, z, b)",
        "LayerNormalization(x, g, z)",
        "LayerNormalization(x, z)",
        "InstanceNormalization(x, z, b)",
        "InstanceNormalization(x, g, z)",
    ],
)
def test_parameters_that_are_fed_stay_what_they_are(operator: str) -> None:
    text = MAPS_BY_5.replace("OP", operator)
    folded = merged(text, CONSTANTS, x=(2, 5, 5), z=(5,))
    (kept,) = folded.result.ledger.kept
    told = {r.code: r.sentence for r in kept.refusals}
    assert told["dynamic-parameters"] == "its scale or bias is computed at run time"


@pytest.mark.parametrize(
    ("output", "goes"), [("a, m", True), ("a, m, d", True), ("a, z", False), ("a, , z", False)]
)
def test_statistics_of_a_layer_norm_are_of_what_it_reads(output: str, goes: bool) -> None:
    """What is read of them stays: only a batch norm in front would change it."""
    text = f"""(float[N, 5] x) => (float[N, 5] y{", float[N, 1] z" if "z" in output else ""}) {{
        {output} = LayerNormalization(x, g, b) y = BN(a, p) }}"""
    if "z" in output:
        text = text.replace("z) {", "w) {").replace("y = BN(a, p)", "y = BN(a, p) w = Neg(z)")
    folded = merged(text, CONSTANTS, x=(3, 5))
    assert ("BatchNormalization" not in folded.operators) == goes


@pytest.mark.parametrize(
    ("operator", "behind", "goes"),
    [
        ("LayerNormalization(x, g, b)", "BN(a, q)", False),  # along an axis in front of its own
        ("LayerNormalization<axis = 1>(x, gg)", "BN(a, q)", True),
        ("LayerNormalization<axis = 1>(x, g)", "BN(a, q)", False),  # for which g is too small
        ("RMSNormalization(x, g)", "Mul(a, k)", False),
        ("RMSNormalization(x, g)", "Mul(a, l)", True),
        ("RMSNormalization<axis = 1>(x, gg)", "Mul(a, k)", True),
        ("RMSNormalization<axis = 1>(x, g)", "Mul(a, k)", False),
    ],
)
def test_an_affine_goes_into_parameters_that_vary_as_it_does(
    operator: str, behind: str, goes: bool
) -> None:
    text = MAPS.replace("OP", operator).replace("NEXT", behind)
    folded = merged(text, CONSTANTS, opset=23, x=(2, 4, 5))
    assert (len(folded.operators) == 1) == goes
