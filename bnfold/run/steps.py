"""The steps that `run` and `optimize` share: export where need be, fold, verify."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold import model_io
from bnfold.errors import UsageError
from bnfold.export.api import export
from bnfold.fold.api import fold, repaired
from bnfold.fold.rules import allowed
from bnfold.progress import Progress
from bnfold.run.original import is_network, listed, named, on_disk
from bnfold.run.records import FOLDED, ORIGINAL
from bnfold.runtime.signature import inputs_of
from bnfold.verify.api import verify
from bnfold.verify.user_data import require_fitting, require_readable

if TYPE_CHECKING:
    from bnfold.export.capture import Exporter
    from bnfold.export.dynamic import Dynamic
    from bnfold.export.records import ExportResult
    from bnfold.fold.api import FoldResult
    from bnfold.verify.records import Verification
    from bnfold.verify.user_data import Data

NOT_AN_EXPORT = "the source is an ONNX model already: there is nothing to export"


@dataclass(frozen=True)
class Exporting:
    """What is asked of `export`, as it takes it."""

    inputs: Any = field(default=None, compare=False)
    weights: str | os.PathLike[str] | None = None
    weights_key: str | None = None
    dynamic: Dynamic | None = field(default=None, compare=False)
    exporter: Exporter = "auto"
    opset: int | None = None
    fp16: bool = False
    trust: bool = False
    by_default: bool = field(default=False, compare=False)

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked that only an export can give; trust alone does no harm."""
        has_inputs = self.inputs is not None or self.dynamic is not None
        return has_inputs or replace(self, trust=False) != Exporting()

    def told(self) -> dict[str, Any]:
        """For the record."""
        return {"exporter": self.exporter, "opset": self.opset, "fp16": self.fp16}


@dataclass(frozen=True)
class Folding:
    """What is asked of `fold`."""

    allow: str | Collection[str]
    skip: str | Collection[str]
    repair: str | Collection[str]
    equalize: bool

    def told(self) -> dict[str, Any]:
        """For the record."""
        names = {"allow": self.allow, "skip": self.skip, "repair": self.repair}
        listing = {name: sorted(listed(value)) for name, value in names.items()}
        return {**listing, "equalize": self.equalize}


@dataclass(frozen=True)
class Verifying:
    """What is asked of `verify`."""

    data: Data | None
    samples: int | None
    seed: int
    providers: str | Sequence[str]
    dims: Mapping[str, int] | None
    custom_ops: Sequence[str | os.PathLike[str]]

    def told(self) -> dict[str, Any]:
        """For the record."""
        providers = listed(self.providers)
        return {"samples": self.samples, "seed": self.seed, "providers": providers}


@dataclass(frozen=True)
class Verified:
    """What the three steps gave, and the files that were compared: `original` is repaired."""

    export: ExportResult | None
    original: Path
    fold: FoldResult
    folded: Path
    verification: Verification


def through(
    source: Any,
    folder: Path,
    exporting: Exporting,
    folding: Folding,
    verifying: Verifying,
    progress: Progress | None,
) -> Verified:
    """The source exported where need be, folded, and compared; files go to `folder`.

    Raises:
        UsageError: a setting that there is not, or one for an export where nothing is exported.
        BnfoldError: a step failed; see `bnfold.export`, `bnfold.fold` and `bnfold.verify`.
    """
    allowed(folding.allow)
    require_readable(verifying.data)
    exported, model = None, source
    if is_network(source):
        exported = export(
            source, exporting.inputs, None, weights=exporting.weights,
            weights_key=exporting.weights_key, dynamic=exporting.dynamic,
            exporter=exporting.exporter, opset=exporting.opset, fp16=exporting.fp16,
            trust=exporting.trust, by_default=exporting.by_default, seed=verifying.seed,
            progress=progress,
        )  # fmt: skip
        model = exported.model
    elif exporting.is_asked:
        raise UsageError(NOT_AN_EXPORT)
    given = model_io.load(model)
    if not verifying.custom_ops:
        model_io.refuse_foreign(given, named(source))
    require_fitting(verifying.data, inputs_of(given))
    folded = fold(
        model, allow=folding.allow, skip=folding.skip, repair=folding.repair,
        equalize=folding.equalize, custom_ops=verifying.custom_ops, progress=progress,
    )  # fmt: skip
    meant = repaired(model, folding.repair) if folding.repair else model
    original, target = on_disk(meant, folder / ORIGINAL), folded.save(folder / FOLDED)
    verification = verify(
        original, target,
        data=verifying.data, samples=verifying.samples, seed=verifying.seed,
        providers=verifying.providers, dims=verifying.dims, custom_ops=verifying.custom_ops,
        progress=progress,
    )  # fmt: skip
    return Verified(exported, original, folded, target, verification)
