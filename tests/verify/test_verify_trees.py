"""Leaves and thresholds of decision trees are met by rows that are made for them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import bnfold
from bnfold.verify.trees import ensembles_of

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
FEATURES = 6


class Forest:
    """Full binary trees of random thresholds, with a weight at each leaf."""

    def __init__(self, trees=20, depth=5, seed=0, *, modes=tuple(MODES), spread=1.0):
        rng = np.random.default_rng(seed)
        self.inner, self.total = 2**depth - 1, 2 ** (depth + 1) - 1
        self.trees = trees
        levels = np.log2(np.arange(self.inner) + 1).astype(int)  # each asks for another feature
        self.features = (levels + rng.integers(FEATURES, size=(trees, 1))) % FEATURES
        self.thresholds = (rng.normal(size=(trees, self.inner)) * spread).astype(np.float32)
        self.modes = rng.choice(modes, size=(trees, self.inner))
        self.weights = rng.normal(size=(trees, self.total - self.inner))

    def attributes(self, ids="target"):
        found = {f"nodes_{name}": [] for name in NODE_LISTS}
        found |= {f"{ids}_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
        for tree in range(self.trees):
            for node in range(self.total):
                leaf = node - self.inner
                row = (
                    (tree, node, 0, 0.0, "LEAF", 0, 0)
                    if leaf >= 0
                    else (
                        tree,
                        node,
                        int(self.features[tree, node]),
                        float(self.thresholds[tree, node]),
                        str(self.modes[tree, node]),
                        2 * node + 1,
                        2 * node + 2,
                    )
                )
                for name, value in zip(NODE_LISTS, row, strict=True):
                    found[f"nodes_{name}"].append(value)
                if leaf >= 0:
                    found[f"{ids}_treeids"].append(tree)
                    found[f"{ids}_nodeids"].append(node)
                    found[f"{ids}_ids"].append(leaf % 3 if ids == "class" else 0)
                    found[f"{ids}_weights"].append(float(self.weights[tree, leaf]))
        return found


NODE_LISTS = (
    *("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids"),
)


def node(kind, reads, writes, **attributes):
    domain = "ai.onnx.ml" if kind[:4] in ("Tree", "Scal") else ""
    return helper.make_node(kind, reads.split(), writes.split(), domain=domain, **attributes)


def model(nodes, inputs, outputs=(("y", TensorProto.FLOAT),), weights=(), version=3):
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
        [numpy_helper.from_array(np.asarray(w, np.float32), name) for name, w in weights],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


X = [("x", TensorProto.FLOAT, ["n", FEATURES])]


def regressor(forest):
    return model([node("TreeEnsembleRegressor", "x", "y", n_targets=1, **forest.attributes())], X)


def classifier(forest):
    trees = node(
        "TreeEnsembleClassifier",
        "x",
        "label y",
        classlabels_int64s=[0, 1, 2],
        post_transform="NONE",
        **forest.attributes("class"),
    )
    return model([trees], X, [("label", TensorProto.INT64), ("y", TensorProto.FLOAT)])


def one_ensemble(forest):
    """The form of ai.onnx.ml 5, in which leaves stand apart."""
    numbers = {mode: i for i, mode in enumerate(MODES)}
    lists = {name: [] for name in ("yes", "no", "is_yes", "is_no")}
    leaves = forest.total - forest.inner
    for tree in range(forest.trees):
        for at in range(forest.inner):
            for side, child in (("yes", 2 * at + 1), ("no", 2 * at + 2)):
                is_leaf = child >= forest.inner
                place = child - forest.inner + tree * leaves if is_leaf else child
                lists[side].append(place if is_leaf else place + tree * forest.inner)
                lists[f"is_{side}"].append(int(is_leaf))
    modes = np.array([numbers[m] for m in forest.modes.reshape(-1)], np.uint8)
    trees = node(
        "TreeEnsemble",
        "x",
        "y",
        n_targets=1,
        tree_roots=[tree * forest.inner for tree in range(forest.trees)],
        nodes_featureids=forest.features.reshape(-1).tolist(),
        nodes_modes=numpy_helper.from_array(modes),
        nodes_splits=numpy_helper.from_array(forest.thresholds.reshape(-1)),
        nodes_truenodeids=lists["yes"],
        nodes_trueleafs=lists["is_yes"],
        nodes_falsenodeids=lists["no"],
        nodes_falseleafs=lists["is_no"],
        leaf_targetids=[0] * forest.weights.size,
        leaf_weights=numpy_helper.from_array(forest.weights.reshape(-1).astype(np.float32)),
    )
    return model([trees], X, version=5)


def scaled(forest):
    """Two inputs side by side, one of integers, scaled as a pipeline does that."""
    nodes = [
        node("Cast", "counts", "real", to=TensorProto.FLOAT),
        node("Concat", "real x", "both", axis=1),
        node("Scaler", "both", "z", offset=[0.5] * FEATURES, scale=[2.0, 0.1, 1, 1, 3, 1]),
        node("TreeEnsembleRegressor", "z", "y", n_targets=1, **forest.attributes()),
    ]
    inputs = [("counts", TensorProto.INT64, ["n", 2]), ("x", TensorProto.FLOAT, ["n", 4])]
    return model(nodes, inputs)


FORMS = [regressor, classifier, one_ensemble, scaled]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tree", [0, 19])
def test_one_leaf_that_is_off_is_found(form, tree):
    ours, theirs = Forest(), Forest()
    theirs.weights[tree, 13] *= 1.5
    assert bnfold.verify(form(ours), form(theirs)).verdict == "different"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("moved", [0.01, 1e-4, -1e-4])
def test_a_threshold_that_was_moved_is_found(form, moved):
    ours, theirs = Forest(), Forest()
    theirs.thresholds[3, 9] += moved
    assert bnfold.verify(form(ours), form(theirs)).verdict == "different"


@pytest.mark.parametrize("form", FORMS)
def test_a_forest_is_equivalent_to_itself(form):
    assert bnfold.verify(form(Forest()), form(Forest())).verdict == "equivalent"


def test_two_forms_of_one_forest_are_equivalent():
    found = bnfold.verify(regressor(Forest()), one_ensemble(Forest()))
    assert found.verdict == "equivalent"
    assert "leaves" not in found.reason


def test_thresholds_that_were_rounded_are_no_difference():
    ours, theirs = Forest(), Forest()
    theirs.thresholds = np.nextafter(theirs.thresholds, np.float32(9))
    assert bnfold.verify(regressor(ours), regressor(theirs)).verdict == "equivalent"


def scaled_by_hand(forest):
    """The same pipeline, the Scaler written as a difference and a product."""
    proto = scaled(forest)
    nodes = list(proto.graph.node)
    nodes[2:3] = [node("Sub", "both offset", "apart"), node("Mul", "apart scale", "z")]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    offset, scale = np.float32([0.5] * FEATURES), np.float32([2.0, 0.1, 1, 1, 3, 1])
    for name, array in (("offset", offset), ("scale", scale)):
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    return proto


def scaled_at_once(forest):
    """And as a x + b, which rounds otherwise."""
    proto = scaled_by_hand(forest)
    proto.graph.node[2].CopyFrom(node("Mul", "both scale", "apart"))
    proto.graph.node[3].CopyFrom(node("Sub", "apart shift", "z"))
    shift = np.float32([0.5] * FEATURES) * np.float32([2.0, 0.1, 1, 1, 3, 1])
    proto.graph.initializer.append(numpy_helper.from_array(shift, "shift"))
    return proto


@pytest.mark.parametrize("seed", range(4))
def test_what_rounds_a_feature_otherwise_is_no_difference(seed):
    """Next to a threshold, and not so near that the rounding decides on which side."""
    forests = [form(Forest(seed=seed)) for form in (scaled, scaled_by_hand, scaled_at_once)]
    for other in forests[1:]:
        assert bnfold.verify(forests[0], other).verdict == "equivalent"
        assert bnfold.verify(other, forests[0]).verdict == "equivalent"


def test_thresholds_far_from_usual_numbers_are_met():
    ours, theirs = Forest(spread=1e3), Forest(spread=1e3)
    theirs.weights[7, 30] *= 1.5
    assert bnfold.verify(regressor(ours), regressor(theirs)).verdict == "different"
    found = bnfold.verify(regressor(ours), regressor(ours))
    assert "leaves" not in found.reason


def test_leaves_that_no_row_meets_are_counted():
    """Behind a Relu that makes of 6 numbers 6 others, nothing tells which row meets a leaf."""
    nodes = [
        node("MatMul", "x w", "h"),
        node("Relu", "h", "z"),
        node("TreeEnsembleRegressor", "z", "y", n_targets=1, **Forest(spread=3.0).attributes()),
    ]
    weight = np.random.default_rng(3).normal(size=(FEATURES, FEATURES))
    hidden = model(nodes, X, weights=[("w", weight)])
    found = bnfold.verify(hidden, hidden)
    assert found.is_equivalent
    assert "of the 640 leaves of TreeEnsembleRegressor 'y' were reached" in found.reason
    assert "pass each bound" not in found.evidence


@pytest.mark.parametrize("form", [regressor, one_ensemble])
def test_the_leaf_that_a_row_meets_is_that_of_the_runtime(form):
    """With its own number as the weight of each leaf, the runtime says which one it is."""
    forest = Forest(trees=1, depth=6, seed=4)
    forest.weights = np.arange(forest.weights.size, dtype=np.float64).reshape(1, -1)
    proto = form(forest)
    rows = np.random.default_rng(5).normal(size=(500, FEATURES)).astype(np.float32)
    rows[:100, forest.features[0, 0]] = forest.thresholds[0, 0]  # on a threshold itself
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (expected,) = session.run(None, {"x": rows})
    ((_, ensemble),) = ensembles_of(ir.from_proto(proto).graph)
    assert ensemble is not None
    assert np.array_equal(ensemble.met(rows), expected[:, 0].astype(int))
    assert ensemble.leaves == forest.weights.size


def test_a_tree_without_a_child_is_refused_and_no_bug():
    """Nothing here trips over it: the runtime says what is wrong."""
    attributes = Forest(trees=1, depth=2).attributes()
    attributes["nodes_truenodeids"][0] = 99
    broken = model([node("TreeEnsembleRegressor", "x", "y", n_targets=1, **attributes)], X)
    with pytest.raises(bnfold.BnfoldError):
        bnfold.verify(broken, broken)


def test_leaves_that_no_row_could_meet_are_not_asked_for():
    """Above 1 nothing is below 0, where the second question is about the same feature."""
    forest = Forest(trees=1, depth=2, modes=("BRANCH_LEQ",))
    forest.features[:] = 0
    forest.thresholds[0] = [1.0, 0.0, 0.0]
    found = bnfold.verify(regressor(forest), regressor(forest))
    assert found.is_equivalent
    assert "leaves" not in found.reason
