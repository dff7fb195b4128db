"""Small models written as ONNX text, with parameters by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
from onnx import numpy_helper

import bnfold
from tests.fold.property.oracle import check_fold

Array = npt.NDArray[np.generic]
_NORM = re.compile(r"BN(<[^>]*>)?\((\w+), (\w+)\)")


def weight(*shape: int, seed: int = 0) -> Array:
    """Signed float32 numbers of unit scale."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def norm(prefix: str, channels: int, *, signs: bool = False, seed: int = 1) -> dict[str, Array]:
    """gamma, beta, mean and variance as `<prefix>g`, `b`, `m`, `v`; gamma positive or mixed."""
    random = np.random.default_rng(seed)
    gamma = random.uniform(0.5, 1.5, channels)
    if signs:
        gamma[::2] *= -1
    values = {
        "g": gamma,
        "b": random.normal(size=channels),
        "m": random.normal(size=channels),
        "v": random.uniform(0.5, 2, channels),
    }
    return {prefix + name: value.astype(np.float32) for name, value in values.items()}


def model(
    text: str, constants: Mapping[str, Array], *, opset: int = 18, ir_version: int = 8
) -> onnx.ModelProto:
    """`BN(x, p)` in the text stands for a batch norm with the parameters `norm("p", ...)`."""
    body = _NORM.sub(r"BatchNormalization\1(\2, \3g, \3b, \3m, \3v)", text)
    header = f'<ir_version: {ir_version}, opset_import: ["": {opset}]> trap '
    parsed = onnx.parser.parse_model(header + body)
    for name, value in constants.items():
        parsed.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return parsed


def list_initializers(parsed: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every initializer among its inputs too: constants only up to IR version 3."""
    for tensor in parsed.graph.initializer:
        info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        parsed.graph.input.append(info)
    return parsed


def fold_checked(
    parsed: onnx.ModelProto, allow: tuple[str, ...] = (), **shapes: tuple[int, ...]
) -> bnfold.fold.FoldResult:
    """The fold, held to everything in `check_fold`, on random inputs of these shapes."""
    random = np.random.default_rng(7)
    feeds = {name: random.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}
    return check_fold(parsed, [feeds], allow=allow)


def verdicts(result: bnfold.fold.FoldResult) -> dict[str, str]:
    """For each batch norm by name: where it went ("backward", ...) or all codes of its refusals."""
    return {
        d.name: d.direction or "?" if d.is_folded else " ".join(r.code for r in d.refusals)
        for d in result.ledger.decisions
        if d.op == "BatchNormalization"
    }
