"""On failure: the first tensor that is off, and the batch norm to blame."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from benchmarks.factor.faults import FAULTS, folded
from benchmarks.factor.networks import plain
from bnfold.runtime.engine import Setting
from bnfold.verify import verify
from bnfold.verify.feeds import Feed
from bnfold.verify.localise import InnerSearch, locate
from bnfold.verify.subject import OnnxSubject
from tests.verify.graphs import parsed, two_convs


@pytest.mark.parametrize("layer", [0, 6])
def test_names_the_batch_norm_whose_fold_is_wrong(layer):
    network = plain(0)
    norms = [node for node in network.graph.node if node.op_type == "BatchNormalization"]
    found = verify(network, FAULTS["one channel's mean dropped"](network, layer))
    assert found.location is not None
    assert found.location.tensor == norms[layer].output[0]
    assert found.location.sites == (norms[layer].name,)
    assert "the batch norm to blame is" in found.location.sentence


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a = MatMul (x, w)  b = Relu (a)  c = MatMul (b, u)  y = Identity (c)", "c"),
        ("b = MatMul (x, w)  a = Relu (b)  c = MatMul (a, u)  y = Identity (c)", "c"),
        ("c = MatMul (x, w)  b = Relu (c)  a = MatMul (b, u)  y = Identity (a)", "c y"),
    ],
)
def test_names_that_mean_other_tensors_neither_alarm_nor_mislead(text, names):
    """Every exporter numbers its tensors anew: what the first layer makes is found by its value."""
    rng = np.random.default_rng(1)
    head = "g (float[N,6] x) => (float[N,6] y)"
    weights = {"w": rng.normal(size=(6, 6)), "u": rng.normal(size=(6, 6))}
    model = parsed(
        f"{head} {{ a = MatMul (x, w)  b = Relu (a)  c = MatMul (b, u)  y = Identity (c) }}",
        **weights,
    )
    assert verify(model, parsed(f"{head} {{ {text} }}", **weights)).is_equivalent
    wrong = parsed(f"{head} {{ {text} }}", w=weights["w"], u=1.01 * weights["u"])
    found = verify(model, wrong).location
    assert found is not None
    assert found.tensor in names.split()


def _fused_by_others(model, factor):
    """Both batch norms as onnxsim has them: a convolution keeps its name for the fused value."""
    other = bnfold.fold(model).to_proto()
    for before, after in (("b", "a"), ("y", "d")):
        for node in other.graph.node:
            for names in (node.input, node.output):
                names[:] = [after if name == before else name for name in names]
    last = next(node for node in other.graph.node if node.output[0] == "d")
    weight = next(w for w in other.graph.initializer if w.name == last.input[1])
    array = np.frombuffer(weight.raw_data, np.float32) * np.float32(factor)
    weight.raw_data = array.tobytes()
    other.graph.node.add(op_type="Identity", input=["d"], output=["y"])
    return other


def test_what_others_fused_is_not_blamed_on_its_names_nor_on_a_fold():
    model = two_convs()
    assert verify(model, _fused_by_others(model, 1.0)).is_equivalent
    found = verify(model, _fused_by_others(model, 1.01)).location
    assert found is not None
    assert (found.tensor, found.sites) == ("y", ())
    assert "batch norm" not in found.sentence


def test_nothing_is_blamed_where_the_other_model_is_no_fold():
    other = two_convs()
    weight = next(w for w in other.graph.initializer if w.name == "w1")
    weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) * np.float32(1.01)).tobytes()
    found = verify(two_convs(), other)
    assert found.location is not None
    assert (found.location.tensor, found.location.sites) == ("a", ())
    assert "batch norm" not in found.location.sentence


def test_a_fold_that_took_the_names_away_is_found_between_its_neighbours():
    """The forward fold has no tensor for the batch norm's output: the next Conv's is off."""
    rng = np.random.default_rng(2)
    text = """g (float[N,4,5,5] x) => (float[N,6,5,5] y) {
        a = Relu (x)  b = BatchNormalization (a, s, t, m, v)  c = Conv (b, w)  y = Relu (c)
    }"""
    weights = {
        "s": rng.uniform(0.5, 1.5, 4),
        "t": rng.normal(size=4),
        "m": rng.normal(size=4),
        "v": rng.uniform(0.5, 1.5, 4),
        "w": rng.normal(size=(6, 4, 1, 1)),
    }
    model = parsed(text, **weights)
    model.graph.node[1].name = "norm"
    assert bnfold.fold(model).ledger.batch_norms_after == 0
    wrong = folded(parsed(text, **{**weights, "m": weights["m"] + 0.01}))
    found = verify(model, wrong)
    assert found.location is not None
    assert (found.location.tensor, found.location.sites) == ("c", ("norm",))


def test_an_input_that_is_left_out_between_two_sites_is_no_tensor():
    """A Resize has no roi: the way back from what is off leads past it, to both."""
    rng = np.random.default_rng(3)
    text = """g (float[N,3,4,4] x) => (float[N,4,8,8] y) {
        a = Conv (x, w)
        b = BatchNormalization (a, s1, t1, m1, v1)
        r = Resize <mode = "nearest"> (b, , scales)
        y = BatchNormalization (r, s2, t2, m2, v2)
    }"""
    weights = {
        "w": rng.normal(size=(4, 3, 1, 1)),
        "scales": np.array([1, 1, 2, 2], np.float32),
        **{f"{n}{i}": rng.uniform(0.5, 1.5, 4) for i in (1, 2) for n in "stmv"},
    }
    model = parsed(text, **weights)
    model.graph.node[1].name, model.graph.node[3].name = "one", "two"
    assert bnfold.fold(model).ledger.batch_norms_after == 0
    found = verify(model, folded(parsed(text, **{**weights, "m1": weights["m1"] + 0.01})))
    assert found.location is not None
    assert (found.location.tensor, found.location.sites) == ("y", ("one", "two"))


def chain(**changed):
    """Two batch norms in a row before a 1x1 Conv: no tensor between them keeps its name."""
    rng = np.random.default_rng(4)
    text = """g (float[N,4,5,5] x) => (float[N,6,5,5] y) {
        r = Relu (x)
        a = BatchNormalization (r, s1, t1, m1, v1)
        b = BatchNormalization (a, s2, t2, m2, v2)
        y = Conv (b, w)
    }"""
    weights = {"w": rng.normal(size=(6, 4, 1, 1))}
    for i in (1, 2):
        weights |= {f"{n}{i}": rng.uniform(0.5, 1.5, 4) for n in "stmv"}
    model = parsed(text, **{**weights, **changed})
    model.graph.node[1].name, model.graph.node[2].name = "one", "two"
    return model


@pytest.mark.parametrize(("guilty", "statistic"), [("one", "m1"), ("two", "m2")])
def test_of_several_sites_the_one_whose_fold_alone_is_wrong_is_named(guilty, statistic):
    """The fold itself is broken: whenever it takes the guilty batch norm, it misreads its mean."""
    original, wrong = OnnxSubject(chain(), "a"), chain(**{statistic: np.zeros(4)})

    def broken(skip):
        return bnfold.fold(original.model if guilty in skip else wrong, skip=skip)

    rng = np.random.default_rng(0)
    feed = Feed("f", "normal", {"x": rng.normal(size=(2, 4, 5, 5)).astype(np.float32)})
    search = InnerSearch(original, OnnxSubject(broken(()).model, "b"), feed, Setting(), seed=0)
    found = locate(search, broken)
    assert found is not None
    assert (found.tensor, found.sites) == ("y", (guilty,))


def test_an_output_can_be_the_first_tensor_that_is_off():
    one = parsed("g (float[N,4] x) => (float[N,4] y) { y = Mul (x, c) }", c=np.ones(4))
    two = parsed(
        "g (float[N,4] x) => (float[N,4] y) { z = Mul (x, c)  y = Relu (z) }", c=np.ones(4)
    )
    found = verify(one, two)
    assert found.verdict == "different"
    assert found.location is not None
    assert found.location.tensor == "y"
    assert "batch norm" not in found.location.sentence  # there is none to fold


NO_TENSORS = {
    "a sequence of one shape": "s = SequenceConstruct (h, x)  e = SequenceAt (s, k)",
    "a sequence of several shapes": (
        "t = Concat <axis = 0> (h, x)  s = SequenceConstruct (t, h)  e = SequenceAt (s, k)"
    ),
    "a split": "s = SplitToSequence <axis = 1> (h)  e = ConcatFromSequence <axis = 1> (s)",
    "an insertion": (
        "o = SequenceEmpty ()  s = SequenceInsert (o, h)  i = Identity (s)"
        "  e = ConcatFromSequence <axis = 0> (i)"
    ),
    "a map over a sequence": """s = SplitToSequence <axis = 0> (h)
        m = SequenceMap <body = f (float[n,6] v) => (float[n,6] r) { r = Neg (v) }> (s)
        e = ConcatFromSequence <axis = 0> (m)""",
    "an optional value": "o = Optional (h)  e = OptionalGetElement (o)",
    "a choice of sequences": """s = SequenceConstruct (h, x)  n = ReduceSum <keepdims = 0> (x)
        q = Greater (n, z)
        i = If (q) <then_branch = t () => (seq(float[N,6]) p) { p = Identity (s) },
            else_branch = f () => (seq(float[N,6]) r) { r = SequenceConstruct (x, h) }>
        e = SequenceAt (i, k)""",
}


@pytest.mark.parametrize("middle", NO_TENSORS.values(), ids=NO_TENSORS)
def test_what_is_no_tensor_inside_is_passed_by_and_the_place_behind_it_is_found(middle):
    """Between the layer that agrees and the one that does not stands what has no shape."""
    head = f"g (float[N,6] x) => (float[N,6] y) {{ h = MatMul (x, w)  {middle}"
    text = f"{head}  b = Mul (e, c)  y = Tanh (b) }}"
    weights = {"w": np.random.default_rng(2).normal(size=(6, 6)), "k": np.array(1), "z": 0.0}
    model, same, other = (parsed(text, **weights, c=c) for c in (1.5, 1.5, 1.6))
    assert verify(model, same).is_equivalent
    found = verify(model, other)
    assert found.verdict == "different"
    assert found.location is not None
    assert found.location.tensor == "b"
