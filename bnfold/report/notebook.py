"""What a result looks like in a notebook: the same blocks, as a piece of HTML."""

from __future__ import annotations

from bnfold.bench.records import BenchResult
from bnfold.export.records import ExportResult
from bnfold.fold.account.ledger import Ledger
from bnfold.fold.api import FoldResult
from bnfold.report.bench_text import bench_blocks
from bnfold.report.blocks import Block, Chart
from bnfold.report.export_text import export_blocks
from bnfold.report.html import fragment
from bnfold.report.ledger_text import ledger_blocks
from bnfold.report.verification_text import verification_blocks
from bnfold.verify.records import Verification

Result = ExportResult | FoldResult | Ledger | Verification | BenchResult


def html_of(result: Result) -> str:
    """The result as HTML, which brings its style along and runs no script."""
    return fragment(_blocks(result))


def _blocks(result: Result) -> list[Block]:
    match result:
        case FoldResult():
            return ledger_blocks(result.ledger)
        case Ledger():
            return ledger_blocks(result)
        case Verification():
            return verification_blocks(result)
        case BenchResult():
            return [*bench_blocks(result), *map(Chart, result.headline)]
        case ExportResult():
            return export_blocks(result)
