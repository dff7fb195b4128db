"""Sessions to be timed, whose errors are bnfold's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.bench.bound import BoundModel
from bnfold.runtime import engine
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import engine_errors


def open_model(model: Path, setting: Setting, *, profile_prefix: str | None = None) -> Any:
    """An `onnxruntime.InferenceSession` of the model, checked to run on the provider.

    Raises:
        ProviderUnavailableError: onnxruntime put the session on another provider.
        ModelError: onnxruntime does not accept the model.
    """
    with engine_errors():
        return engine.open_session(
            str(model), setting, name=model.name, profile_prefix=profile_prefix
        )


def bound_model(model: Path, setting: Setting, feeds: Mapping[str, np.ndarray]) -> BoundModel:
    """A model that is ready to be run again and again; it has run once."""
    session = open_model(model, setting)
    with engine_errors():
        return BoundModel(session, feeds, device=setting.provider, name=model.name)
