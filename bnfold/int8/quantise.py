"""A float model and calibration data in, its int8 form out: QDQ, per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter

from bnfold import model_io
from bnfold.errors import ModelError
from bnfold.model_io.loading import read_skeleton
from bnfold.model_io.mapped import Maps
from bnfold.runtime import engine
from bnfold.runtime.sessions import engine_errors

Array = np.ndarray[Any, np.dtype[Any]]
FeedSets = Sequence[Mapping[str, Array]]

_PER_CHANNEL = 13  # the opset since which DequantizeLinear has an axis


def quantise(model: Path, feeds: FeedSets, target: Path, *, name: str) -> None:
    """The model's int8 form is at `target`; every model is treated alike.

    It is prepared first as onnxruntime advises, by its basic optimisations, in an opset that has
    scales per channel.

    Raises:
        ModelError: onnxruntime does not take it, or finds nothing in it that int8 has; or onnx
            cannot bring it to that opset.
    """
    prepared = target.with_name(f"prepared-{target.name}")
    newer = _in_opset_13(model, target.with_name(f"newer-{target.name}"), name)
    with engine_errors():
        engine.open_session(
            str(newer), engine.Setting(level="basic"), name=name, save_as=str(prepared)
        )
        engine.quantise_static(str(prepared), str(target), feeds, name=name)
    nodes = read_skeleton(target, Maps()).graph.node
    if not any(node.op_type == "QuantizeLinear" for node in nodes):
        raise ModelError(f"{name}: onnxruntime's quantiser leaves it as it is: int8 has none of it")


def _in_opset_13(model: Path, newer: Path, name: str) -> Path:
    """The model, or where its opset is older than scales per channel, itself in a newer one.

    Raises:
        ModelError: onnx has no way there, or the model passes 2 GiB.
    """
    loaded = model_io.load(model)
    opsets = (loaded.opset_imports.get(domain, _PER_CHANNEL) for domain in ("", "ai.onnx"))
    if min(opsets) >= _PER_CHANNEL:
        return model
    whole = model_io.to_proto(loaded)
    try:
        converted = onnx.version_converter.convert_version(whole, _PER_CHANNEL)
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        said = f"scales per channel need opset {_PER_CHANNEL}, and onnx cannot convert it: {first}"
        raise ModelError(f"{name}: {said}") from error
    onnx.save(converted, newer)
    return newer
