"""A float model and calibration data in, its int8 form out: QDQ, per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bnfold.errors import ModelError
from bnfold.runtime import engine
from bnfold.runtime.sessions import engine_errors

Array = np.ndarray[Any, np.dtype[Any]]
Feeds = Sequence[Mapping[str, Array]]


def quantise(model: Path, feeds: Feeds, target: Path, *, name: str) -> None:
    """The model's int8 form is at `target`; every model is treated alike.

    It is prepared first as onnxruntime advises, by its basic optimisations.

    Raises:
        ModelError: onnxruntime does not take it, or finds nothing in it that int8 has.
    """
    prepared = target.with_name(f"prepared-{target.name}")
    with engine_errors():
        engine.open_session(
            str(model), engine.Setting(level="basic"), name=name, save_as=str(prepared)
        )
        engine.quantise_static(str(prepared), str(target), feeds, name=name)
    nodes = onnx.load(target, load_external_data=False).graph.node
    if not any(node.op_type == "QuantizeLinear" for node in nodes):
        raise ModelError(f"{name}: onnxruntime's quantiser leaves it as it is: int8 has none of it")
