"""Ensembles of decision trees, in all forms that ONNX has: which leaves a row meets, and where.

    x[f] <= t    the one child, else the other        a leaf is a box: least <= x <= most

Source: ai.onnx.ml, TreeEnsembleClassifier-3, TreeEnsembleRegressor-3, TreeEnsemble-5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.runtime.domains import ML_DOMAIN
from bnfold.runtime.signature import Array

_OLD = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
"""By the numbers that TreeEnsemble-5 has for them."""

_LEQ, _LT, _GTE, _GT, _EQ, _NEQ = range(len(_MODES))

_MOST_NODES, _MOST = 1 << 16, 1 << 22
"""Leaves included, and times features, of which boxes are told."""

Step = Callable[[int, float], float]
"""How far from a threshold of a feature it is beyond doubt on which side a number is."""


@dataclass(frozen=True)
class Ensemble:
    """The nodes that ask, of all trees; a child below 0 is a leaf: -1 is the first.

    Attributes:
        feature, threshold, mode, yes, no: of each node, [n].
        roots: of each tree, [t].
        leaves: how many there are.
    """

    feature: Array
    threshold: Array
    mode: Array
    yes: Array
    no: Array
    roots: Array
    leaves: int

    def met(self, x: Array) -> Array:
        """The leaves that rows [N, F] meet, one of each tree."""
        at = np.broadcast_to(self.roots, (len(x), self.roots.size)).copy()
        rows = np.arange(len(x))[:, np.newaxis]
        for _ in range(self.feature.size):  # as deep as a tree of all nodes can be
            if (at < 0).all():
                break
            node = np.maximum(at, 0)
            holds = self._holds(node, x[rows, self.feature[node]])
            at = np.where(at < 0, at, np.where(holds, self.yes[node], self.no[node]))
        return np.asarray(-1 - at[at < 0])

    def _holds(self, node: Array, x: Array) -> Array:
        t, mode = self.threshold[node], self.mode[node]
        asked = [x <= t, x < t, x >= t, x > t, x == t, x != t]
        return np.select([mode == i for i in range(len(asked))], asked, default=False)

    def questions(self) -> list[tuple[int, int, float]]:
        """Feature, mode and threshold of each node."""
        columns = self.feature.tolist(), self.mode.tolist(), self.threshold.tolist()
        return list(zip(*columns, strict=True))

    def boxes(self, step: Step) -> tuple[Array, Array, Array, Array]:
        """The boxes of leaves and of nodes: least and most of each feature, [L, F] and [n, F].

        Of a node it is where it is asked. A leaf keeps a step away from thresholds.
        """
        features = int(self.feature.max(initial=0)) + 1
        ends = np.full(features, -np.inf), np.full(features, np.inf)
        leaves = np.full((2, self.leaves, features), np.nan)
        nodes = np.full((2, self.feature.size, features), np.nan)
        pending = [(int(root), *ends) for root in self.roots]
        for _ in range(self.feature.size + self.leaves):  # each has one parent
            if not pending:
                break
            at, low, high = pending.pop()
            if at < 0:
                leaves[:, -1 - at] = low, high
                continue
            nodes[:, at] = low, high
            for holds, child in ((True, self.yes[at]), (False, self.no[at])):
                pending.append((int(child), *self._cut(at, low, high, step, holds=holds)))
        return leaves[0], leaves[1], nodes[0], nodes[1]

    @property
    def is_small(self) -> bool:
        """Whether boxes are found in next to no time and memory."""
        nodes = self.feature.size + self.leaves
        return nodes <= _MOST_NODES and nodes * (int(self.feature.max(initial=0)) + 1) <= _MOST

    @property
    def reachable(self) -> Array:
        """Which leaves some row can meet: no two answers on the way exclude each other.

        All of them, as far as anybody knows, where there are too many.
        """
        if not self.is_small:
            return np.ones(self.leaves, np.bool_)
        least, most, _, _ = self.boxes(lambda feature, threshold: 0.0)
        return np.asarray((least <= most).all(axis=1))

    def _cut(
        self, at: int, low: Array, high: Array, step: Step, *, holds: bool
    ) -> tuple[Array, Array]:
        f, t, mode = int(self.feature[at]), float(self.threshold[at]), int(self.mode[at])
        low, high = low.copy(), high.copy()
        if mode in (_EQ, _NEQ):
            if holds == (mode == _EQ):
                low[f] = high[f] = t
        elif holds == (mode in (_LEQ, _LT)):
            high[f] = min(high[f], t - step(f, t))
        else:
            low[f] = max(low[f], t + step(f, t))
        return low, high


def ensembles_of(graph: ir.Graph) -> Iterator[tuple[ir.Node, Ensemble | None]]:
    """The ensembles of a graph, and of the graphs that it runs.

    None stands for one that compares with sets, or is not whole: a runtime refuses that.
    """
    for node in graph.all_nodes():
        if node.domain == ML_DOMAIN and node.op_type in _OLD:
            yield node, _old(node) if _is_whole(node, _OLD_LISTS) else None
        elif node.domain == ML_DOMAIN and node.op_type == "TreeEnsemble":
            yield node, _new(node) if _is_whole(node, _NEW_LISTS) else None


_OLD_LISTS = ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids")

_NEW_LISTS = ("featureids", "truenodeids", "trueleafs", "falsenodeids", "falseleafs")


def _is_whole(node: ir.Node, lists: Sequence[str]) -> bool:
    """Whether each of these lists has an entry for each node."""
    given = [node.attributes.get(f"nodes_{name}") for name in lists]
    return len({len(each.value) if each is not None else -1 for each in given} - {-1}) == 1 and all(
        each is not None for each in given
    )


def _old(node: ir.Node) -> Ensemble | None:
    trees, ids = _integers(node, "nodes_treeids"), _integers(node, "nodes_nodeids")
    modes = list(map(_text, node.attributes["nodes_modes"].value))
    keys = list(zip(trees, ids, strict=True))
    rows = [i for i, mode in enumerate(modes) if mode != "LEAF"]
    leaves = [key for key, mode in zip(keys, modes, strict=True) if mode == "LEAF"]
    places = {keys[row]: i for i, row in enumerate(rows)}
    places |= {key: -1 - i for i, key in enumerate(leaves)}
    children = []
    for name in ("nodes_truenodeids", "nodes_falsenodeids"):
        given = _integers(node, name)
        children.append([places.get((trees[i], given[i])) for i in rows])
    roots = {tree: places[tree, i] for tree, i in reversed(keys)}
    values = _numbers(node, "nodes_values")
    if not {modes[i] for i in rows} <= set(_MODES) or None in children[0] + children[1]:
        return None
    if values is None or len(values) != len(keys):
        return None
    return Ensemble(
        np.array(_integers(node, "nodes_featureids"), np.int64)[rows],
        values[rows],
        np.array([_MODES.index(modes[i]) for i in rows], np.int64),
        np.array(children[0], np.int64),
        np.array(children[1], np.int64),
        np.array(list(roots.values()), np.int64),
        len(leaves),
    )


def _new(node: ir.Node) -> Ensemble | None:
    given = [node.attributes.get(f"nodes_{name}") for name in ("modes", "splits")]
    if None in given or not {"leaf_targetids", "tree_roots"} <= node.attributes.keys():
        return None
    modes, splits = (each.as_tensor().numpy() for each in given if each is not None)
    if (modes >= len(_MODES)).any() or modes.size != splits.size:
        return None
    children = []
    for side in ("true", "false"):
        ids = np.array(_integers(node, f"nodes_{side}nodeids"), np.int64)
        is_leaf = np.array(_integers(node, f"nodes_{side}leafs"), np.bool_)
        children.append(np.where(is_leaf, -1 - ids, ids))
    return Ensemble(
        np.array(_integers(node, "nodes_featureids"), np.int64),
        splits.astype(np.float64),
        modes.astype(np.int64),
        children[0],
        children[1],
        np.array(_integers(node, "tree_roots"), np.int64),
        len(_integers(node, "leaf_targetids")),
    )


def _text(mode: str | bytes) -> str:
    return mode.decode() if isinstance(mode, bytes) else mode


def _integers(node: ir.Node, name: str) -> list[int]:
    return [int(i) for i in node.attributes[name].value]


def _numbers(node: ir.Node, name: str) -> Array | None:
    given, tensor = node.attributes.get(name), node.attributes.get(f"{name}_as_tensor")
    if given is not None:
        return np.array(given.as_floats(), np.float64)
    return None if tensor is None else tensor.as_tensor().numpy().astype(np.float64)
