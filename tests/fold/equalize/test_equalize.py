"""Scales between layers: the numbers stay, to the bit, and int8 keeps more of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

import bnfold
from bnfold.int8.accuracy import outputs_of, snr_db
from bnfold.int8.quantise import quantise

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
S = 10.0 ** np.random.default_rng(3).uniform(-2, 2, 8)
RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape)


def column(rank):
    return S.reshape(-1, *(1,) * (rank - 1))


CONVS = {"w": draw(8, 2, 3, 3) * column(4), "b": draw(8) * S}
READ = draw(4, 8, 3, 3) / S[None, :, None, None]
X4, Y4 = "float[N,2,6,6] x", "float[N,C,H,W] y"


def through(middle, *, reader="y = Conv <pads = [1,1,1,1]> (r, v)"):
    return f"g ({X4}) => ({Y4}) {{ a = Conv (x, w, b) {middle} {reader} }}"


def model_of(text, arrays, dtype=np.float32):
    model = onnx.parser.parse_model(HEAD + text)
    for name, array in arrays.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(dtype), name))
    onnx.checker.check_model(model)
    return model


def run(model, x, level="none"):
    options = onnxruntime.SessionOptions()
    if level == "none":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"x": x})


def weights(model):
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


TWO = {**CONVS, "v": READ}
BY_GROUP = S.reshape(2, 4).repeat(2, axis=0)[..., None, None]
GROUPS = {**CONVS, "v": draw(4, 4, 1, 1) / BY_GROUP}
DENSE = {"w": draw(5, 8) * S, "b": draw(8) * S, "v": draw(8, 3) / column(2)}
CASES = {
    "Relu": (through("r = Relu (a)"), TWO),
    "LeakyRelu": (through("r = LeakyRelu (a)"), TWO),
    "a bound of 0": (through("z = Constant <value_float = 0.0> () r = Clip (a, z)"), TWO),
    "MaxPool": (through("p = Relu (a) r = MaxPool <kernel_shape = [2,2]> (p)"), TWO),
    "a batch norm that folds": (
        through("n = BatchNormalization (a, s, b, t, o) r = Relu (n)"),
        {**TWO, "s": 1 + np.abs(draw(8)), "t": draw(8), "o": np.ones(8)},
    ),
    "groups": (through("r = Relu (a)", reader="y = Conv <group = 2> (r, v)"), GROUPS),
    "ConvTranspose": (
        f"g ({X4}) => ({Y4}) {{ a = ConvTranspose (x, w, b) r = Relu (a) "
        "y = ConvTranspose (r, v) }",
        {"w": draw(2, 8, 3, 3) * S[None, :, None, None], "b": draw(8) * S,
         "v": draw(8, 4, 3, 3) / column(4)},
    ),
    "Gemm": ("g (float[N,5] x) => (float[N,3] y) "
             "{ a = Gemm (x, w, b) r = Relu (a) y = Gemm (r, v) }", DENSE),
    "MatMul": ("g (float[N,7,5] x) => (float[N,7,3] y) "
               "{ a = MatMul (x, w) r = Relu (a) y = MatMul (r, v) }",
               {k: DENSE[k] for k in "wv"}),
    "Flatten": (
        f"g ({X4}) => (float[N,3] y) "
        "{ a = Conv (x, w, b) r = Relu (a) p = GlobalAveragePool (r) f = Flatten (p) "
        "y = Gemm (f, v) }",
        {**CONVS, "v": draw(8, 3) / column(2)},
    ),
    "two readers": (
        through("r = Relu (a) c = Conv (r, u)", reader="d = Conv (r, v) y = Add (c, d)"),
        {**CONVS, "v": READ, "u": draw(4, 8, 3, 3) / S[None, :, None, None]},
    ),
    "a residual trunk": (
        through("r = Relu (a) f = Conv <pads = [1,1,1,1]> (r, u) t = Add (a, f) q = Relu (t)",
                reader="y = Conv (q, v)"),
        {**CONVS, "u": draw(8, 8, 3, 3) * column(4) / S[None, :, None, None], "v": READ},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_number_stays_and_the_channels_come_together(name):
    text, arrays = CASES[name]
    model = model_of(text, arrays)
    folded, evened = bnfold.fold(model), bnfold.fold(model, equalize=True)
    assert evened.ledger.equalized
    assert not evened.ledger.bugs
    assert len(evened.ledger.proofs) > len(folded.ledger.proofs)
    shape = [3, *(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:])]
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    before, after = folded.to_proto(), evened.to_proto()
    for a, b in zip(run(before, x), run(after, x), strict=True):
        np.testing.assert_array_equal(a, b)
    assert apart(after) < apart(before) / 8
    assert len(before.graph.node) == len(after.graph.node)


def apart(model):
    """Of the first layer's weight, the largest channel over the smallest."""
    first = next(n for n in model.graph.node if n.input[0] == "x")
    weight = weights(model)[first.input[1]]
    axis = 0 if first.op_type == "Conv" else 1
    others = tuple(i for i in range(weight.ndim) if i != axis)
    sizes = np.abs(weight).max(axis=others)
    return sizes.max() / sizes.min()


def test_a_fold_that_set_channels_apart_keeps_its_accuracy_in_int8(tmp_path):
    """Without: one scale for channels of 1e-2 and 1e2."""
    text, arrays = CASES["MaxPool"]
    model = model_of(text, arrays)
    x = np.random.default_rng(1).standard_normal((32, 2, 6, 6)).astype(np.float32)
    found = {}
    for equalize in (False, True):
        path, target = tmp_path / f"{equalize}.onnx", tmp_path / f"int8-{equalize}.onnx"
        bnfold.fold(model, equalize=equalize).save(path)
        quantise(path, [{"x": x}], target, name="m")
        exact = outputs_of(path, [{"x": x}], name="m")["y"]
        found[equalize] = snr_db(exact, outputs_of(target, [{"x": x}], name="q")["y"])
    assert found[True] > found[False] + 10
    assert found[True] > 25


STAYS = {
    "Sigmoid": (through("r = Sigmoid (a)"), TWO),
    "a bound of 6": (
        through("z = Constant <value_float = 0.0> () o = Constant <value_float = 6.0> () "
                "r = Clip (a, z, o)"), TWO),
    "the caller reads it": (
        f"g ({X4}) => (float[N,8,4,4] a, {Y4}) "
        "{ a = Conv (x, w, b) r = Relu (a) y = Conv <pads = [1,1,1,1]> (r, v) }", TWO),
    "a weight that others share": (
        through("r = Relu (a)", reader="c = Conv (r, v) e = Conv (x, w) y = Mul (c, d)").replace(
            "y = Mul (c, d)", "h = GlobalAveragePool (e) k = ReduceMean (h) y = Mul (c, k)"), TWO),
    "even": (through("r = Relu (a)"),
             {"w": draw(8, 2, 3, 3), "b": draw(8), "v": draw(4, 8, 3, 3)}),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_what_no_scale_can_leave_or_is_even_stays_to_the_byte(name):
    model = model_of(*STAYS[name])
    evened = bnfold.fold(model, equalize=True)
    assert evened.ledger.equalized == ()
    plain = bnfold.fold(model).to_proto()
    assert evened.to_proto().SerializeToString() == plain.SerializeToString()


def test_in_float16_nothing_is_moved():
    text, arrays = CASES["Relu"]
    model = model_of(text.replace("float[", "float16["), arrays, np.float16)
    assert bnfold.fold(model, equalize=True).ledger.equalized == ()


def test_channels_that_nobody_makes_or_reads_stay_as_they_are():
    text, arrays = CASES["Relu"]
    dead = {key: array.copy() for key, array in arrays.items()}
    dead["w"][2] = 0
    dead["v"][:, 5] = 0
    before, after = (
        bnfold.fold(model_of(text, dead), equalize=e).to_proto() for e in (False, True)
    )
    old, new = (weights(m)[m.graph.node[0].input[1]] for m in (before, after))
    np.testing.assert_array_equal(old[[2, 5]], new[[2, 5]])
    assert not np.array_equal(old, new)


def test_a_layer_that_is_to_be_left_alone_is():
    text, arrays = CASES["Relu"]
    model = model_of(text, arrays)
    model.graph.node[-1].name = "last"
    assert bnfold.fold(model, equalize=True, skip="last").ledger.equalized == ()


def test_where_it_happened_is_told_by_layer_and_factor():
    (said,) = bnfold.fold(model_of(*CASES["Relu"]), equalize=True).ledger.equalized
    assert said.startswith("behind Conv -> 'a': ")
    assert "of 8 channels scaled, by 2^" in said
