"""What a whole run gives: what each step gave, and what that is worth together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold import model_io

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.export.records import ExportResult
    from bnfold.fold.api import FoldResult
    from bnfold.verify.records import Verification

ORIGINAL, FOLDED = "original.onnx", "folded.onnx"
DIFFERENT, INCONCLUSIVE = 1, 3


@dataclass(frozen=True)
class RunResult:
    """The results of the steps, in their order.

    Attributes:
        source: what was run, as a sentence names it.
        export: None where the source was an ONNX model already.
        fold, verification: as they are.
        bench: None where the models are different: a wrong model is not timed.
        settings: what was asked of each step, as JSON values.
        int8: the timing of both in int8, where that was asked for.
    """

    source: str
    export: ExportResult | None
    fold: FoldResult
    verification: Verification
    bench: BenchResult | None
    settings: Mapping[str, Any]
    int8: BenchResult | None = None

    @property
    def exit_code(self) -> int:
        """0 equivalent and timed, 1 different, 3 where verdict or timing is inconclusive."""
        code = self.verification.exit_code
        is_timed = self.bench is None or self.bench.is_conclusive
        return code if code or is_timed else INCONCLUSIVE

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        if self.exit_code and not self.verification.exit_code and self.bench is not None:
            return "; ".join(comparison.sentence for comparison in self.bench.headline)
        return f"{self.verification.verdict}: {self.verification.reason}"

    def __bool__(self) -> bool:
        """Whether the folded model is equivalent; how fast it is plays no part."""
        return bool(self.verification)

    def __repr__(self) -> str:
        """One line."""
        speed = (
            ""
            if self.bench is None or not self.bench.headline
            else f"; {self.bench.headline[0].sentence}"
        )
        return f"<RunResult {self.fold.ledger.summary}; {self.verification.verdict}{speed}>"

    def _repr_html_(self) -> str:
        """The tables of the report, as HTML that brings its style along."""
        from bnfold.report.blocks import Block, Line
        from bnfold.report.html import fragment
        from bnfold.report.sections import findings

        blocks: list[Block] = []
        for section in findings("", self.to_dict()).sections():
            blocks += [Line(section.title, "title"), *section.blocks]
        return fragment(blocks)

    def to_dict(self) -> dict[str, Any]:
        """The results as JSON values, by the names of the steps."""
        steps = {
            "export": self.export,
            "fold": self.fold,
            "verify": self.verification,
            "bench": self.bench,
            "int8": self.int8,
        }
        return {name: step.to_dict() for name, step in steps.items() if step is not None}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """The folder has the models, `report.json` and `report.html`; its path is returned.

        They are what `bnfold run` leaves: `original.onnx` where there was an export, and
        `folded.onnx` unless it is different. All are there at the end, or none.

        Raises:
            ModelError: a file cannot be written.
        """
        from bnfold.report.envelope import envelope, model_record, to_json
        from bnfold.report.html import html_page
        from bnfold.report.sections import findings

        place = Path(folder)
        place.mkdir(exist_ok=True)
        models = {ORIGINAL: None if self.export is None else self.export.model}
        models[FOLDED] = None if self.verification.exit_code == DIFFERENT else self.fold.model
        with model_io.Together() as files:
            outputs = []
            for name, model in models.items():
                if model is not None:
                    aside = files.aside(place / name)
                    model_io.save(model, aside)
                    outputs.append(model_record(place / name, at=aside))
            record = envelope(
                "run",
                settings=self.settings,
                inputs=[],
                outputs=outputs,
                result=self.to_dict(),
            )
            page = html_page(findings(f"bnfold run: {self.source}", record["result"]))
            files.write(place / "report.json", to_json(record).encode())
            files.write(place / "report.html", page.encode())
        return place
