"""What was measured so far, in a file: a tuning that was stopped goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bnfold import __version__
from bnfold.errors import DataError
from bnfold.fold.account.tried import Trial
from bnfold.model_io import Together
from bnfold.record import SCHEMA_VERSION, json_form, read_as


@dataclass
class TuningState:
    """The trials of one model on one target, by what was tried on top of what.

    Attributes:
        file: where they are kept; None for nowhere.
        key: of the model, the target and the settings; trials of another key do not count.
        trials: by a text that says what was tried.
    """

    file: Path | None
    key: Mapping[str, Any]
    trials: dict[str, Trial] = field(default_factory=dict)

    def read(self) -> None:
        """Takes over the trials of the file, if there is one.

        Raises:
            DataError: it is no such file, or of another model, target or setting.
        """
        if self.file is None or not self.file.exists() or not self.file.stat().st_size:
            return
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{self.file}: this is no JSON that can be read") from error
        if not isinstance(found, dict) or found.get("record") != "tuning":
            raise DataError(f"{self.file}: this is no state of a tuning")
        if found.get("key") != json_form(self.key):
            raise DataError(
                f"{self.file}: it is of another model, target or setting; name another file"
            )
        self.trials = dict(read_as(_File, found, where=str(self.file)).trials)

    def add(self, what: str, trial: Trial) -> None:
        """The trial is kept, in the file too."""
        self.trials[what] = trial
        if self.file is None:
            return
        record = {
            "schema_version": SCHEMA_VERSION,
            "record": "tuning",
            "tool": {"name": "bnfold", "version": __version__},
            "key": json_form(self.key),
            "trials": {name: json_form(asdict(one)) for name, one in self.trials.items()},
        }
        with Together() as files:
            text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
            files.write(self.file, text.encode())


@dataclass(frozen=True)
class _File:
    trials: Mapping[str, Trial]
