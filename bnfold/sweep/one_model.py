"""One model of a sweep, from file to file: what a worker does, wherever it runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bnfold import __version__
from bnfold.errors import BnfoldError
from bnfold.sweep.records import Outcome
from bnfold.sweep.stores import local_copy


@dataclass(frozen=True)
class SweepSettings:
    """What is asked for every model; see `bnfold.fold` and `bnfold.verify`."""

    allow: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    verify: bool = True
    samples: int | None = None
    seed: int = 0
    custom_ops: tuple[str, ...] = ()

    def key(self, sha256: str) -> str:
        """One word for this work on a model of that content, by this version of bnfold."""
        told = json.dumps([sha256, asdict(self), __version__], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class ModelJob:
    """A model to fold: where it is, and where the result and its page go."""

    source: str
    target: Path
    settings: SweepSettings
    earlier: Outcome | None = None

    @property
    def page(self) -> Path:
        """The report of this model alone."""
        return self.target.with_suffix(".html")

    def outcome(self) -> Outcome:
        """The model is folded, verified where asked, and then written, with its page beside it.

        What an earlier sweep has made of the same content, with the same settings, is kept if it is
        still there. A model that came out different is not written. Whatever a user can do
        something about becomes an outcome; a bug, a lack of memory, is raised.
        """
        try:
            with local_copy(self.source) as path:
                return _folded(self, path)
        except BnfoldError as error:
            return self.failure(str(error), error.exit_code)

    def failure(self, reason: str, exit_code: int) -> Outcome:
        """The outcome where the model was not folded."""
        return Outcome(self.source, None, "failed", reason, exit_code=exit_code)


def _folded(job: ModelJob, path: Path) -> Outcome:
    import bnfold
    from bnfold.model_io import Together, sha256
    from bnfold.report.html import html_page
    from bnfold.report.sections import Findings

    content = sha256(path)
    key = job.settings.key(content)
    if job.earlier is not None and job.earlier.key == key and _is_there(job.earlier):
        return replace(job.earlier, source=job.source, is_kept=True)
    settings = job.settings
    fold = bnfold.fold(
        path, allow=settings.allow, skip=settings.skip, custom_ops=settings.custom_ops
    )
    ledger = fold.ledger
    outcome = Outcome(
        job.source,
        None,
        "not verified",
        "it was not compared",
        before=ledger.batch_norms_before,
        after=ledger.batch_norms_after,
        left=ledger.codes_of_kept,
        sha256=content,
        size_bytes=path.stat().st_size,
        key=key,
    )
    verification = None
    job.target.parent.mkdir(parents=True, exist_ok=True)
    with Together() as files:
        aside = files.aside(job.target)
        fold.save(aside)
        if settings.verify:
            verification = bnfold.verify(
                path,
                aside,
                samples=settings.samples,
                seed=settings.seed,
                custom_ops=settings.custom_ops,
            )
            outcome = replace(
                outcome,
                status=verification.verdict,
                reason=verification.reason,
                exit_code=verification.exit_code,
            )
        if outcome.status == "different":
            files.drop(job.target)
            files.remove(job.target)
        else:
            outcome = replace(
                outcome,
                target=str(job.target),
                target_sha256=sha256(aside),
                target_size_bytes=aside.stat().st_size,
            )
        findings = Findings(f"bnfold sweep: {job.source}", {"": ledger}, verification)
        files.write(job.page, html_page(findings).encode())
    return outcome


def _is_there(earlier: Outcome) -> bool:
    """Whether what an earlier sweep has left is what it was."""
    from bnfold.model_io import sha256

    if earlier.target is None:
        return earlier.status == "different"
    try:
        return sha256(earlier.target) == earlier.target_sha256
    except (BnfoldError, OSError):  # gone, or no longer to be read: it is made again
        return False
