"""What a user sees of merges: the ledger, skipping, names, element types, and rules gone wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.errors import InternalError
from bnfold.fold import folder
from bnfold.fold.merge import algebra, parallel, sequential
from bnfold.fold.merge.kernel import Axis, Kernel
from tests.fold.merge.merging import conv, merged, model, norm, weight
from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import fold_checked, list_initializers

PAD = "pads = [1, 1, 1, 1]"
BLOCK = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
    [big] a = Conv<{PAD}>(x, aw, ab) [small] c = Conv(x, cw, cb)
    [join] d = Add(a, c) [bn] e = BN(x, p) [last] y = Add(d, e) }}"""
CHAIN = """(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {
    [one] a = Conv(x, aw, ab) [two] y = Conv(a, cw, cb) }"""
SIGNED = f"""(float[N, 4, H, W] x, float[N, 4, H, W] z) => (float[N, 4, H, W] y) {{
    a = Conv<{PAD}>(x, aw, ab) t = Sub(z, a) c = Conv(x, cw) y = Sub(t, c) }}"""
CONSTANTS = conv("a", 4, 4, 3, 3) | conv("c", 4, 4, 1, 1) | norm("p", 4, signs=True)


@pytest.mark.parametrize(
    ("skip", "operators"),
    [
        ("merge-sequential", ["Conv"]),
        ("merge-parallel", ["Conv", "Conv", "Add", "BatchNormalization", "Add"]),
        ("big", ["Conv", "Conv", "Add"]),
        ("small", ["Conv", "Conv", "Add"]),
        ("bn", ["Conv", "BatchNormalization", "Add"]),
        ("last", ["Conv", "BatchNormalization", "Add"]),
    ],
)
def test_what_is_skipped_in_a_sum(skip: str, operators: list[str]) -> None:
    folded = merged(BLOCK, CONSTANTS, skip=(skip,), x=(1, 4, 5, 5))
    assert folded.operators == operators


@pytest.mark.parametrize("skip", ["merge-sequential", "one", "two"])
def test_what_is_skipped_in_a_chain(skip: str) -> None:
    assert merged(CHAIN, CONSTANTS, skip=(skip,), x=(1, 4, 5, 5)).operators == ["Conv", "Conv"]


def test_a_join_that_is_skipped_is_not_looked_through() -> None:
    folded = merged(BLOCK, CONSTANTS, skip=("join",), x=(1, 4, 5, 5))
    assert "BatchNormalization" in folded.operators
    assert folded.operators.count("Conv") == 2


def test_the_result_bears_the_name_of_the_sum() -> None:
    """Names before and after mean the same values: the branch's own name is gone."""
    folded = merged(BLOCK, CONSTANTS, x=(1, 4, 5, 5))
    assert folded.node("Conv").name == "big"
    assert list(folded.node("Conv").output) == ["y"]


def test_constants_that_nobody_reads_any_more_are_gone() -> None:
    folded = merged(BLOCK, CONSTANTS, x=(1, 4, 5, 5))
    assert len(folded.proto.graph.initializer) == 2


def test_merges_without_a_batch_norm_are_told_in_words() -> None:
    ledger = merged(CHAIN, CONSTANTS, x=(1, 4, 5, 5)).result.ledger
    assert ledger.merges == ("Conv 'one' and Conv 'two' are one Conv 'two'",)
    assert ledger.decisions == ()
    assert ledger.to_dict()["merges"] == list(ledger.merges)


def test_a_merge_of_the_input_names_the_join() -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        [c] a = Conv<{PAD}>(x, aw) y = Add(a, x) }}"""
    ledger = merged(text, CONSTANTS, x=(1, 4, 5, 5)).result.ledger
    assert ledger.merges == ("Conv 'c' and Add -> 'y' are one Conv 'c'",)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "double"])
def test_every_floating_type(dtype: str) -> None:
    kind = {"float16": np.float16, "bfloat16": np.float32, "double": np.float64}[dtype]
    text = BLOCK.replace("float[", f"{dtype}[")
    built = model(text, {name: array.astype(kind) for name, array in CONSTANTS.items()})
    if dtype == "bfloat16":
        for tensor in built.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            raw = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
            tensor.data_type, tensor.raw_data = onnx.TensorProto.BFLOAT16, raw
    result = fold_checked(built, x=(1, 4, 5, 5))
    assert kinds_of(result) == ["Conv"]
    stored = result.to_proto().graph.initializer
    assert {t.data_type for t in stored} == {built.graph.initializer[0].data_type}


def test_the_batch_norm_may_have_wider_parameters() -> None:
    """BatchNormalization-15 allows float32 parameters beside a float16 value."""
    text = BLOCK.replace("float[", "float16[")
    narrow = {n: a if n.startswith("p") else a.astype(np.float16) for n, a in CONSTANTS.items()}
    result = fold_checked(model(text, narrow), x=(1, 4, 5, 5))
    assert kinds_of(result) == ["Conv"]
    assert {t.data_type for t in result.to_proto().graph.initializer} == {onnx.TensorProto.FLOAT16}


def test_a_sum_that_would_overflow_stays() -> None:
    large = {n: (a * 0 + 4e4).astype(np.float16) for n, a in CONSTANTS.items() if n[0] in "ac"}
    text = f"""(float16[N, 4, H, W] x) => (float16[N, 4, H, W] y) {{
        a = Conv<{PAD}>(x, aw) c = Conv(x, cw) y = Add(a, c) }}"""
    feeds = {"x": weight(1, 4, 3, 3).astype(np.float16)}
    result = check_fold(model(text, large), [feeds], with_runtime=False)
    assert kinds_of(result) == ["Conv", "Conv", "Add"]


def test_quantised_branches_stay() -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        v = DequantizeLinear(qw, scale) a = Conv<{PAD}>(x, aw) c = Conv(x, v) y = Add(a, c) }}"""
    constants = {
        "aw": CONSTANTS["aw"],
        "qw": np.arange(-8, 8, dtype=np.int8).reshape(4, 4, 1, 1),
        "scale": np.array(0.05, np.float32),
    }
    result = fold_checked(model(text, constants), x=(1, 4, 5, 5))
    assert kinds_of(result).count("Conv") == 2


def test_an_overridable_weight_stays() -> None:
    built = model(BLOCK, CONSTANTS)
    info = onnx.helper.make_tensor_value_info("cw", onnx.TensorProto.FLOAT, (4, 4, 1, 1))
    built.graph.input.append(info)
    result = fold_checked(built, x=(1, 4, 5, 5), cw=(4, 4, 1, 1))
    assert kinds_of(result) == ["Conv", "Conv", "Add"]


@pytest.mark.parametrize("opset", [7, 9, 13, 15, 21])
def test_every_opset(opset: int) -> None:
    assert merged(BLOCK, CONSTANTS, opset=opset, x=(1, 4, 5, 5)).operators == ["Conv"]


@pytest.mark.parametrize(("opset", "left"), [(7, 2), (8, 1)])
def test_a_sum_whose_operands_have_one_shape_keeps_them(opset: int, left: int) -> None:
    """Before opset 8 a Sum does not broadcast what is left of a branch, a constant here."""
    text = """(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {
        a = Add(x, c) b = BN(x, p) d = BN(x, q) y = Sum(a, b, d) }"""
    constants = {"c": weight(4, 1, 1), **norm("p", 4), **norm("q", 4, seed=5)}
    folded = merged(text, constants, opset=opset, x=(2, 4, 3, 5))
    assert folded.operators.count("BatchNormalization") == left


def test_the_broadcasting_of_old_opsets_is_left_alone() -> None:
    text = f"""(float[N, 4, H, W] x, float[4, 1] z) => (float[N, 4, H, W] y) {{
        a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw, cb)
        d = Add(a, c) y = Add<broadcast = 1, axis = 1>(d, z) }}"""
    result = bnfold.fold(model(text, CONSTANTS, opset=6, ir_version=3))
    assert [n.op_type for n in result.model.graph][-1] == "Add"
    assert result.ledger.bugs == ()


def test_a_price_is_paid_only_for_what_no_merge_takes() -> None:
    """A clone of the Conv before would fold the identity batch norm too, at twice the work."""
    text = f"""(float[N, 3, H, W] x) => (float[N, 4, H, W] y) {{
        z = Conv<{PAD}>(x, zw) a = Conv<{PAD}>(z, aw, ab) e = BN(z, p) y = Add(a, e) }}"""
    constants = CONSTANTS | conv("z", 4, 3, 3, 3)
    result = check_fold(model(text, constants), [{"x": weight(1, 3, 5, 5)}], allow=("all",))
    assert kinds_of(result) == ["Conv", "Conv"]


def _rolled(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.roll(original(*args), 1, axis=1)


def _corner(_original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda part, _whole: slice(0, part.taps)


def _unbiased(kernel: Kernel) -> Kernel:
    return replace(kernel, bias=np.zeros_like(kernel.bias))


def _narrow(original: Callable[..., Any]) -> Callable[..., Any]:
    """One position too few at the end."""

    def broken(*args: Any) -> Axis:
        axis = original(*args)
        return Axis(axis.taps, axis.stride, axis.dilation, axis.begin, max(0, axis.end - 1))

    return broken


MUTATIONS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "channels rolled": (algebra, "in_blocks", _rolled, BLOCK),
    "taps in the corner": (algebra, "_taps_within", _corner, BLOCK),
    "an end too early": (algebra, "_union", _narrow, BLOCK),
    "a host whose sign is lost": (
        parallel,
        "_negated",
        lambda _original: lambda kernel: kernel,
        SIGNED,
    ),
    "channels rolled in a chain": (algebra, "in_blocks", _rolled, CHAIN),
    "a bias through the wrong rows": (
        algebra,
        "_per_row",
        lambda original: lambda vector, kernel: -original(vector, kernel),
        CHAIN,
    ),
    "padding not looked at": (
        sequential,
        "composed",
        lambda original: lambda a, b: original(_unbiased(a), b),
        CHAIN.replace("a = Conv(x, aw, ab)", "a = Conv(x, cw, cb)").replace(
            "y = Conv(a, cw, cb)", f"y = Conv<{PAD}>(a, aw, ab)"
        ),
    ),
}


@pytest.mark.parametrize("case", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_broken_merge_is_caught(
    case: tuple[Any, str, Callable[..., Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate notices; the merge is dropped and reported, once; the rest goes on."""
    where, name, mutate, text = case
    built = model(text, CONSTANTS)
    assert not bnfold.fold(built).ledger.bugs
    monkeypatch.setattr(where, name, mutate(getattr(where, name)))
    result = bnfold.fold(built)
    assert len(result.ledger.bugs) == 1
    assert not result.ledger.merges
    assert kinds_of(result).count("Conv") == 2
    with pytest.raises(InternalError, match="did not prove itself"):
        bnfold.fold(built, strict=True)


def test_a_merge_that_does_not_prove_itself_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch norm that folds elsewhere has all operators looked at once more."""
    text = """(float[N, 4, H, W] x) => (float[N, 4, P, Q] y, float[N, 4, H, W] z) {
        a = Conv(x, aw, ab) y = Conv(a, cw, cb) e = Conv(x, cw, cb) z = BN(e, p) }"""
    built = model(text, CONSTANTS)
    assert len(bnfold.fold(built).ledger.merges) == 1
    monkeypatch.setattr(algebra, "in_blocks", _rolled(algebra.in_blocks))
    tried: list[str] = []
    carry_out = folder.Folder._merged
    monkeypatch.setattr(
        folder.Folder,
        "_merged",
        lambda self, merge: tried.append(merge.sentence) or carry_out(self, merge),
    )
    ledger = bnfold.fold(built).ledger
    assert ledger.batch_norms_after == 0
    assert len(ledger.bugs) == len(tried) == 1


def test_merges_that_wait_for_each_other_are_all_made() -> None:
    """Each sum waits for the one within it; there are more of them than there are rounds."""
    depth = 20
    rotation = np.linalg.qr(weight(4, 4))[0].reshape(4, 4, 1, 1).astype(np.float32) / 2
    down = "".join(f"a{i} = Conv({f'a{i - 1}' if i else 'x'}, w) " for i in range(depth))
    up = "".join(
        f"e{i} = Conv(a{i}, w) s{i} = Add(e{i}, {f's{i + 1}' if i + 1 < depth else f'a{i}'}) "
        for i in reversed(range(depth))
    )
    text = f"(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {{ {down} {up} y = Conv(s0, w) }}"
    assert merged(text, {"w": rotation}, x=(1, 4, 3, 3)).operators == ["Conv"]


def test_a_long_sum_and_many_sums() -> None:
    """A sum of hundreds of branches and a chain of hundreds of blocks are both taken apart."""
    names = [f"b{i}" for i in range(200)]
    leaves = " ".join(f"{name} = Conv(x, cw)" for name in names)
    long = f"{leaves} s = Sum({', '.join(names)}) y = Relu(s)"
    folded = bnfold.fold(
        model(f"(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{ {long} }}", CONSTANTS)
    )
    assert kinds_of(folded) == ["Conv", "Relu"]


def test_models_that_list_every_initializer_as_an_input() -> None:
    built = list_initializers(model(BLOCK, CONSTANTS, opset=8, ir_version=3))
    result = fold_checked(built, x=(1, 4, 5, 5))
    assert kinds_of(result) == ["Conv"]
    listed = [info.name for info in result.to_proto().graph.input]
    assert len(listed) == 3


def test_an_input_of_unknown_rank() -> None:
    """The weights tell it."""
    built = model(BLOCK, CONSTANTS)
    built.graph.input[0].type.tensor_type.ClearField("shape")
    built.graph.output[0].type.tensor_type.ClearField("shape")
    result = bnfold.fold(built)
    assert kinds_of(result) == ["Conv"]


def test_a_local_function_with_branches() -> None:
    """Its batch norm makes it inlined; then its branches are seen."""
    text = f"""<ir_version: 8, opset_import: ["": 18, "own": 1]>
        g (float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
          y = own.Block(x, aw, cw, pg, pb, pm, pv) }}
        <opset_import: ["": 18], domain: "own">
        Block (x, aw, cw, pg, pb, pm, pv) => (y) {{
          a = Conv<{PAD}>(x, aw) c = Conv(x, cw) d = Add(a, c)
          e = BatchNormalization(x, pg, pb, pm, pv) y = Add(d, e) }}"""
    built = onnx.parser.parse_model(text)
    for name, value in CONSTANTS.items():
        if name not in ("ab", "cb"):
            built.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    result = bnfold.fold(built)
    assert kinds_of(result) == ["Conv"]
    assert result.ledger.batch_norms_after == 0
