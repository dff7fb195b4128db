"""Folds a small model in float32 and in float64, and holds both to what they computed before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

import bnfold
from bnfold import model_io
from bnfold.float64 import run_graph
from tests.fold.property.oracle import check_fold, kinds_of, run_runtime
from tests.fold.property.text_models import model, norm, weight

Array = npt.NDArray[np.generic]

__all__ = ["Folded", "bias", "conv", "merged", "model", "norm", "weight"]


@dataclass(frozen=True)
class Folded:
    """A folded model that computes what it did before."""

    result: bnfold.fold.FoldResult
    proto: onnx.ModelProto

    @property
    def operators(self) -> list[str]:
        return kinds_of(self.result)

    @property
    def rules(self) -> dict[str, str | None]:
        return {
            d.name: d.rules[0] if d.direction == "merge" else d.direction
            for d in self.result.ledger.decisions
        }

    def node(self, op_type: str) -> onnx.NodeProto:
        """The only node of this kind."""
        (found,) = [node for node in self.proto.graph.node if node.op_type == op_type]
        return found

    def attribute(self, op_type: str, name: str) -> object:
        for attribute in self.node(op_type).attribute:
            if attribute.name == name:
                return onnx.helper.get_attribute_value(attribute)
        return None

    def constant(self, op_type: str, index: int) -> Array:
        name = self.node(op_type).input[index]
        return next(
            onnx.numpy_helper.to_array(t) for t in self.proto.graph.initializer if t.name == name
        )


def conv(prefix: str, *shape: int, seed: int = 3) -> dict[str, Array]:
    """A weight `<prefix>w` and a bias `<prefix>b`."""
    return {
        f"{prefix}w": weight(*shape, seed=seed + shape[-1]),
        f"{prefix}b": weight(shape[0], seed=seed + 1),
    }


def bias(channels: int, seed: int = 11) -> Array:
    return weight(channels, seed=seed)


def merged(
    text: str,
    constants: Mapping[str, Array],
    *,
    skip: Collection[str] = (),
    opset: int = 18,
    **shapes: tuple[int, ...],
) -> Folded:
    """The fold of the model: right to 1e-11 where nothing is rounded, and to 1e-5 in float32.

    In float64 every weight is stored unrounded, so that what is compared is the algebra itself.
    """
    random = np.random.default_rng(5)
    feeds = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    _hold_in_double(text, constants, feeds, skip, opset)
    single = model(text, constants, opset=opset)
    result = check_fold(single, [feeds], skip=skip)
    proto = result.to_proto()
    old, new = run_runtime(single, feeds), run_runtime(proto, feeds)
    assert old is not None and new is not None
    for a, b in zip(old, new, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * np.abs(a).max())
    return Folded(result, proto)


def _hold_in_double(
    text: str,
    constants: Mapping[str, Array],
    feeds: Mapping[str, Array],
    skip: Collection[str],
    opset: int,
) -> None:
    wide = {
        name: array.astype(np.float64) if array.dtype == np.float32 else array
        for name, array in constants.items()
    }
    double = model(text.replace("float[", "double["), wide, opset=opset)
    doubles = {name: array.astype(np.float64) for name, array in feeds.items()}
    before = run_graph(model_io.load(double), doubles)
    after = run_graph(bnfold.fold(double, skip=skip).model, doubles)
    for name, wanted in before.items():
        np.testing.assert_allclose(after[name], wanted, rtol=0, atol=1e-11 * np.abs(wanted).max())
