"""Models from ONNX text, and how far a folded one is from its original in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
from onnx import numpy_helper

import bnfold
from bnfold import model_io
from bnfold.float64 import run_graph

Array = npt.NDArray[np.generic]


def parsed(text: str, constants: Mapping[str, Array], opset: int = 18) -> onnx.ModelProto:
    """The graph with these initializers."""
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}]> g {text}')
    for name, array in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def batch_norm(prefix: str, channels: int, seed: int = 0) -> dict[str, Array]:
    """Random parameters by the names prefix + s, b, m, v; some scales are negative."""
    generator = np.random.default_rng(seed)
    scale = generator.uniform(0.5, 1.5, channels) * generator.choice([-1, 1], channels)
    arrays = {
        "s": scale,
        "b": generator.normal(size=channels),
        "m": generator.normal(size=channels),
        "v": generator.uniform(0.5, 2.0, channels),
    }
    return {prefix + name: array.astype(np.float32) for name, array in arrays.items()}


def relative_error(
    original: onnx.ModelProto, folded: onnx.ModelProto, feed: Mapping[str, Array]
) -> float:
    """The largest difference of any output, both in float64, over that output's largest value.

    What is left is the rounding of the folded constants to float32.
    """
    before = run_graph(model_io.load(original), dict(feed))
    after = run_graph(model_io.load(folded), dict(feed))
    errors = [
        float(np.max(np.abs(before[name] - after[name])) / np.max(np.abs(before[name])))
        for name in before
    ]
    return max(errors)


def fold(model: onnx.ModelProto, *allow: str) -> tuple[onnx.ModelProto, bnfold.fold.Ledger]:
    """The folded model and the ledger; a rewrite that does not prove itself raises."""
    result = bnfold.fold(model, allow=allow, strict=True)
    proto = result.to_proto()
    onnx.checker.check_model(proto, full_check=True)
    return proto, result.ledger
