"""What newer opsets add to an operator that the rules know is looked at, and survives a rewrite."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.defs
import pytest
from onnx.reference import ReferenceEvaluator

import bnfold
from bnfold.fold.moves.table import RULES
from tests.fold.property.text_models import model, norm, weight

_SINCE = 20
_SEEN = {
    ("Cast", "round_mode"): "of float8e8m0 alone, which no rule touches",
    ("CastLike", "round_mode"): "of float8e8m0 alone, which no rule touches",
    ("DequantizeLinear", "block_size"): "decides along what the scale repeats; kept",
    ("DequantizeLinear", "output_dtype"): "kept",
    ("GroupNormalization", "stash_type"): "kept: the node stays, with other constants",
    ("QuantizeLinear", "block_size"): "nothing passes it",
    ("QuantizeLinear", "output_dtype"): "nothing passes it",
    ("QuantizeLinear", "precision"): "nothing passes it",
    ("SpaceToDepth", "mode"): "decides where channels go",
}


def _added(op: str) -> set[str]:
    """The attributes that the operator did not have before opset 20."""
    before = set(onnx.defs.get_schema(op, _SINCE - 1, "").attributes) if _is_old(op) else None
    now = set(onnx.defs.get_schema(op, onnx.defs.onnx_opset_version(), "").attributes)
    return set() if before is None else now - before


def _is_old(op: str) -> bool:
    return any(
        s.name == op and s.since_version < _SINCE for s in onnx.defs.get_all_schemas_with_history()
    )


def test_no_attribute_was_added_that_nobody_looked_at() -> None:
    standard = {op for rule in RULES for op in rule.ops if "." not in op}
    found = {(op, name) for op in standard for name in _added(op)}
    assert found <= _SEEN.keys(), f"say what they mean for the rules: {found - _SEEN.keys()}"
    assert len(found) == len(_SEEN)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_channels_go_where_space_to_depth_puts_them(mode: str) -> None:
    built = model(
        f"""(float[N, 2, 4, 4] x) => (float[N, 3, 2, 2] y) {{
            a = Sigmoid(x)
            b = BN(a, p)
            c = SpaceToDepth<blocksize = 2, mode = "{mode}">(b)
            y = Conv(c, w)
        }}""",
        {"w": weight(3, 8, 1, 1), **norm("p", 2)},
        opset=28,
        ir_version=11,
    )
    result = bnfold.fold(built, check=False)
    assert result.ledger.bugs == ()
    assert result.ledger.batch_norms_after == 0
    x = weight(2, 2, 4, 4, seed=3)
    (old,), (new,) = (ReferenceEvaluator(m).run(None, {"x": x}) for m in (built, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * np.max(np.abs(old)))


def test_the_precision_of_the_statistics_stays_that_of_the_group_normalization() -> None:
    built = model(
        """(float[N, 4, 5] x) => (float[N, 4, 5] y) {
            a = GroupNormalization<num_groups = 2, stash_type = 10>(x, g, c)
            y = BN(a, p)
        }""",
        {"g": weight(4), "c": weight(4, seed=2), **norm("p", 4)},
        opset=21,
    )
    folded = bnfold.fold(built, check=False).to_proto()
    (node,) = folded.graph.node
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert given == {"num_groups": 2, "stash_type": 10}
