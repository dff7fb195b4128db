"""Assertions on models for anybody's test suite.

    from bnfold.pytest_plugin import assert_equivalent, assert_folds, assert_not_slower

The plugin is loaded whenever pytest starts, so it imports nothing heavy until it is used.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from bnfold.errors import BnfoldError

if TYPE_CHECKING:
    import torch

    from bnfold.bench.records import BenchResult
    from bnfold.fold.account.ledger import Ledger
    from bnfold.model_io import ModelSource
    from bnfold.verify.records import Verification
    from bnfold.verify.user_data import Data


def assert_equivalent(
    a: ModelSource | torch.nn.Module,
    b: ModelSource,
    *,
    data: Data | None = None,
    samples: int | None = None,
    seed: int = 0,
    providers: str | Sequence[str] = ("cpu",),
    levels: str | Sequence[str] | None = None,
    dims: Mapping[str, int] | None = None,
    as_dtype: str | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    save_data: str | os.PathLike[str] | None = None,
    trust: bool = False,
) -> Verification:
    """`b` computes what `a` computes, up to rounding; the evidence is returned.

    Takes what `bnfold.verify` takes, `progress` apart.

    Raises:
        AssertionError: it does not, or it cannot be said; the message is the table.
    """
    __tracebackhide__ = True
    from bnfold.verify.api import verify

    try:
        found = verify(
            a,
            b,
            data=data,
            samples=samples,
            seed=seed,
            providers=providers,
            levels=levels,
            dims=dims,
            as_dtype=as_dtype,
            custom_ops=custom_ops,
            save_data=save_data,
            trust=trust,
        )
    except BnfoldError as error:
        raise error.with_traceback(None) from None  # the sentence says it; our frames say nothing
    if not found.is_equivalent:
        raise AssertionError(_verification_text(found))
    return found


def assert_folds(
    model: ModelSource,
    *,
    leaves: int = 0,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
) -> Ledger:
    """All batch norms but `leaves` can be folded; the ledger is returned.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model.
        leaves: how many batch norms may be left.
        allow: rewrites with a price, as `bnfold.fold` takes them.
        skip: nodes or rules to leave alone, as `bnfold.fold` takes them.

    Raises:
        AssertionError: more are left; the message says which and why.
    """
    __tracebackhide__ = True
    from bnfold.fold.api import fold

    try:
        ledger = fold(model, allow=allow, skip=skip).ledger
    except BnfoldError as error:
        raise error.with_traceback(None) from None
    if ledger.batch_norms_after > leaves:
        raise AssertionError(_ledger_text(ledger, leaves))
    return ledger


def assert_not_slower(
    a: ModelSource,
    b: ModelSource,
    *,
    limit: float = 1.05,
    providers: str | Sequence[str] = ("cpu",),
    threads: int | Sequence[int] = 1,
    batch: int | Sequence[int] | None = None,
    level: str = "all",
    pairs: int | None = None,
    duration: float | None = None,
    pythons: Sequence[str | os.PathLike[str]] = (),
    data: Data | None = None,
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
) -> BenchResult:
    """`b` takes at most `limit` times the time of `a`; the measurement is returned.

    Takes what `bnfold.bench` takes.

    Raises:
        AssertionError: it takes longer, or that cannot be said here; the message is the table.
    """
    __tracebackhide__ = True
    from bnfold.bench.api import bench
    from bnfold.report.gates import speed_gates

    if not limit >= 1:
        raise ValueError(f"limit is a factor from 1 on, not {limit}")
    try:
        found = bench(
            [a, b],
            providers=providers,
            threads=threads,
            batch=batch,
            levels=level,
            pairs=pairs,
            duration=duration,
            pythons=pythons,
            data=data,
            dims=dims,
            custom_ops=custom_ops,
        )
    except BnfoldError as error:
        raise error.with_traceback(None) from None
    gates = [gate for gate in speed_gates(found, limit) if not gate.holds]
    if gates:
        raise AssertionError(_bench_text(found, [gate.line.text for gate in gates]))
    return found


def _bench_text(found: BenchResult, heads: Sequence[str]) -> str:
    from bnfold.report.bench_text import bench_blocks
    from bnfold.report.plain import plain_text

    return "\n".join([*heads, plain_text(bench_blocks(found))])


def _verification_text(found: Verification) -> str:
    from bnfold.report.plain import plain_text
    from bnfold.report.verification_text import verification_blocks

    head = f"{found.other} against {found.original}:"
    return f"{head}\n{plain_text(verification_blocks(found))}"


def _ledger_text(ledger: Ledger, leaves: int) -> str:
    from bnfold.report.gates import leaves_gate
    from bnfold.report.ledger_text import ledger_blocks
    from bnfold.report.plain import plain_text

    head = leaves_gate(ledger.batch_norms_after, leaves).line.text
    return f"{head}\n{plain_text(ledger_blocks(ledger))}"
