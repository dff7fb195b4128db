"""An InstanceNorm that keeps statistics, as exporters write it, is a batch norm by channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import bnfold
from bnfold import model_io
from bnfold.errors import InternalError
from bnfold.fold.merge import tiled_statistics
from bnfold.fold.proof.certificate import Certificate
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import model, norm, weight
from tests.runtime_oracle import in_onnxruntime

NORM = norm("n", 4, signs=True)
SCALE, BIAS, MEAN, VARIANCE = NORM
SHAPES = {1: "T", 2: "6, 5", 3: "4, 3, 2"}
MERGED = {
    "one axis": (1, "merged = Constant<value = int64[3] {1, -1, 0}>()"),
    "two axes": (2, "merged = Constant<value = int64[4] {1, -1, 6, 5}>()"),
    "three axes": (3, "merged = Constant<value = int64[5] {1, -1, 0, 3, 0}>()"),
}
TILED = "n = Shape<start = 0, end = 1>(c) " + " ".join(
    f"t{i} = Tile({name}, n)" for i, name in enumerate(NORM)
)
SLICED = "all = Shape(c) n = Slice(all, start, end) " + TILED.split(") ", 1)[1]
ENDS = {"start": np.array([0]), "end": np.array([1])}
NORMED = "m = Reshape(c, merged) b = BatchNormalization(m, t0, t1, t2, t3)"
BACK = "whole = Shape(c) r = Reshape(b, whole)"


def _built(
    axes: int,
    merged: str,
    *,
    tiled: str = TILED,
    back: str = BACK,
    first: str = "c = Conv(x, w)",
    last: str = "y = Relu(r)",
    opset: int = 18,
    **more: np.ndarray,
) -> onnx.ModelProto:
    text = f"""(float[N, 3, {SHAPES[axes]}] x) => (float y) {{
        {first} {merged} {tiled} {NORMED} {back} {last} }}"""
    return model(text, {"w": weight(4, 3, *(1,) * axes), **NORM, **more}, opset=opset)


def _agree(built: onnx.ModelProto, result: bnfold.FoldResult, axes: int) -> None:
    extents = {1: (7,), 2: (6, 5), 3: (4, 3, 2)}[axes]
    for batch in (1, 2, 5):
        feeds = {"x": weight(batch, 3, *extents, seed=batch)}
        before, after = (in_onnxruntime(one, feeds) for one in (built, result.to_proto()))
        for a, b in zip(before, after, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("axes", "merged"), MERGED.values(), ids=MERGED.keys())
def test_it_folds_into_the_convolution_before_it(axes: int, merged: str) -> None:
    built = _built(axes, merged)
    result = bnfold.fold(built)
    assert kinds_of(result) == ["Conv", "Relu"]
    assert any("same statistics for each instance" in told for told in result.ledger.merges)
    _agree(built, result, axes)


RIGHT = {
    "back to constants": {"back": "s = Constant<value = int64[4] {-1, 4, 6, 5}>() "
                                  "r = Reshape(b, s)"},
    "two readers": {"back": f"{BACK} q = Reshape(b, whole)", "last": "a = Sigmoid(q) "
                                                                     "y = Add(a, r)"},
    "an output": {"back": "whole = Shape(c) y = Reshape(b, whole)", "last": ""},
    "read beside it": {"last": "a = Sigmoid(c) y = Add(a, r)"},
}  # fmt: skip


@pytest.mark.parametrize("parts", RIGHT.values(), ids=RIGHT.keys())
def test_what_stands_around_it_may_differ(parts: dict[str, str]) -> None:
    built = _built(*MERGED["two axes"], **parts)
    result = bnfold.fold(built)
    assert "Tile" not in kinds_of(result)
    _agree(built, result, 2)


TWICE = "h = Constant<value_int = 2>() k = Mul(n, h)"
KEPT = {
    "half as many numbers": {"tiled": "n = Shape<start = 0, end = 1>(c) " + TWICE + " " + " ".join(
        f"t{i} = Tile(half{i}, k)" for i in range(4))},
    "in another order": {"tiled": "n = Shape<start = 0, end = 1>(c) " + " ".join(
        f"o{i} = Tile({name}, n) u{i} = Reshape(o{i}, rows) v{i} = Transpose<perm = [1, 0]>(u{i}) "
        f"t{i} = Reshape(v{i}, flat)" for i, name in enumerate(NORM))},
    "to another shape": {"back": "s = Constant<value = int64[4] {-1, 4, 5, 6}>() "
                                 "r = Reshape(b, s)"},
    "read as it is": {"last": "a = Relu(r) y = Relu(b)"},
    "an output as it is": {"back": BACK.replace("b,", "y,"), "last": ""},
    "of another value": {"back": "whole = Shape(d) r = Reshape(b, whole)",
                         "first": "c = Conv(x, w) d = Transpose<perm = [0, 1, 3, 2]>(c)"},
    "one number after another": {"tiled": "n = Shape<start = 0, end = 1>(c) "
        "one = Constant<value = int64[1] {1}>() e = Concat<axis = 0>(one, n) " + " ".join(
        f"o{i} = Reshape({name}, column) u{i} = Expand(o{i}, e) t{i} = Reshape(u{i}, flat)"
        for i, name in enumerate(NORM))},
    "a part of a shape": {"back": "part = Shape<start = 1>(c) one = Shape<start = 0, end = 1>(c) "
                                  "turned = Concat<axis = 0>(part, one) r = Reshape(b, turned)"},
}  # fmt: skip
MORE = {
    **{f"half{i}": array[:2] for i, array in enumerate(NORM.values())},
    "rows": np.array([-1, 4]),
    "flat": np.array([-1]),
    "column": np.array([-1, 1]),
}


@pytest.mark.parametrize("parts", KEPT.values(), ids=KEPT.keys())
def test_where_anything_is_not_certain_it_stays(parts: dict[str, str]) -> None:
    axes, merged = MERGED["two axes"]
    built = _built(axes, merged, **parts, **MORE)
    if "Reshape(y" in parts.get("back", ""):
        for node in built.graph.node:
            if node.op_type == "BatchNormalization":
                node.output[0] = "y"
    result = bnfold.fold(built)
    assert not any("same statistics" in told for told in result.ledger.merges)
    _agree(built, result, axes)


@pytest.mark.parametrize("skip", ["layout", "b", "r", "m", "t2"])
def test_who_skips_it_keeps_it(skip: str) -> None:
    result = bnfold.fold(_built(*MERGED["two axes"]), skip=[skip])
    assert kinds_of(result).count("Tile") == 4


def test_one_behind_another_is_by_channel_too() -> None:
    again = BACK + " " + " ".join(
        f"s{i} = Tile({name}, n)" for i, name in enumerate(NORM)
    ) + " k = Reshape(r, merged) g = BatchNormalization(k, s0, s1, s2, s3) "  # fmt: skip
    again += "all = Shape(r) h = Reshape(g, all)"
    built = _built(*MERGED["two axes"], back=again, last="y = Relu(h)")
    result = bnfold.fold(built)
    assert kinds_of(result) == ["Conv", "Relu"]
    _agree(built, result, 2)


def test_what_reads_it_in_a_body_keeps_it() -> None:
    """A body returns what is made in it."""
    text = f"""(float[N, 4, 6, 5] c, bool q) => (float[N, 4, 6, 5] y) {{
        {MERGED["two axes"][1]} {TILED} {NORMED} whole = Shape(c)
        i = If(q) <then_branch = th () => (float r) {{ r = Reshape(b, whole) }},
                   else_branch = el () => (float s) {{ s = Neg(c) }}>
        y = Relu(i)
    }}"""
    built = model(text, NORM)
    result = bnfold.fold(built)
    assert not any("same statistics" in told for told in result.ledger.merges)
    feeds = {"c": weight(3, 4, 6, 5), "q": np.array(True)}
    (before,), (after,) = (in_onnxruntime(one, feeds) for one in (built, result.to_proto()))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


def test_channels_that_are_not_known_keep_it() -> None:
    built = model(
        f"""(float[N, C, 6, 5] c) => (float y) {{
            {MERGED["two axes"][1]} {TILED} {NORMED} {BACK} y = Relu(r) }}""",
        NORM,
    )
    assert kinds_of(bnfold.fold(built)).count("Tile") == 4


def test_a_shape_with_the_axes_behind_made_one_keeps_it() -> None:
    merged = "merged = Constant<value = int64[3] {1, -1, 30}>()"
    built = _built(2, merged)
    result = bnfold.fold(built)
    assert kinds_of(result).count("Tile") == 4
    _agree(built, result, 2)


def test_statistics_of_the_batch_are_left_alone() -> None:
    """Until opset 13 a second output says so, whoever reads it: by instance they are others."""
    built = _built(*MERGED["two axes"], opset=13, tiled=SLICED, **ENDS)
    node = next(node for node in built.graph.node if node.op_type == "BatchNormalization")
    node.output.extend(["new_mean", "new_variance", "saved_mean", "saved_variance"])
    result = bnfold.fold(built)
    assert kinds_of(result).count("Tile") == 4
    assert not result.ledger.merges


def test_large_maps_are_proven_too() -> None:
    merged = "merged = Constant<value = int64[4] {1, -1, 57, 64}>()"
    text = f"""(float[N, 4, 57, 64] c) => (float y) {{
        {merged} {TILED} {NORMED} {BACK} y = Relu(r) }}"""
    result = bnfold.fold(model(text, NORM))
    assert kinds_of(result) == ["BatchNormalization", "Relu"]
    assert not result.ledger.unproven


@pytest.mark.parametrize("opset", [13, 18])
def test_what_the_instances_were_counted_by_goes_with_them(opset: int) -> None:
    built = _built(*MERGED["two axes"], opset=opset, tiled=SLICED, **ENDS)
    result = bnfold.fold(built)
    assert kinds_of(result) == ["Conv", "Relu"]
    assert len(result.to_proto().graph.initializer) == 2
    _agree(built, result, 2)


def test_without_it_the_model_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    built = _built(*MERGED["two axes"], last="a = Sigmoid(c) y = Add(a, r)")
    before = model_io.to_proto(model_io.load(built)).SerializeToString(deterministic=True)
    monkeypatch.setattr(Certificate, "compared", lambda *_args: "it was not wanted")
    result = bnfold.fold(built)
    assert any("by channel: it was not wanted" in bug for bug in result.ledger.bugs)
    assert result.to_proto().SerializeToString(deterministic=True) == before


def _exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters in another order."""
    new_node = tiled_statistics.NewNode

    def turned(op: str, inputs: tuple[Any, ...], **rest: Any) -> Any:
        x, scale, bias, *others = inputs
        return new_node(op, (x, bias, scale, *others), **rest)

    monkeypatch.setattr(tiled_statistics, "NewNode", turned)


def _always(name: str, answer: object) -> Any:
    """What is asked here is answered alike, whatever the model."""
    return lambda patch: patch.setattr(tiled_statistics, name, lambda *_args: answer)


FAULTS = {
    "the parameters exchanged": (_exchanged, {}),
    "fewer numbers than channels": (_always("_are_by_channel", True), KEPT["half as many numbers"]),
    "another shape behind it": (_always("_splits_as", True), KEPT["to another shape"]),
    "the shape of another value": (_always("_splits_as", True), KEPT["of another value"]),
    "what is no Reshape passed by": (
        _always("_splits_as", True),
        {"last": "z = Neg(b) k = ReduceMax(z) y = Add(r, k)"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_wrong_one_is_seen_by_the_proof(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is undone, and told as a bug."""
    plant, parts = fault
    plant(monkeypatch)
    built = _built(*MERGED["two axes"], **parts, **MORE)
    result = bnfold.fold(built, check=False)
    assert any("same statistics" in bug for bug in result.ledger.bugs)
    assert not result.ledger.merges
    _agree(built, result, 2)
    with pytest.raises(InternalError, match="did not prove itself"):
        bnfold.fold(built, strict=True)
