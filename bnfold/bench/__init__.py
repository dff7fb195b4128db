"""Measures what a change of a model buys: paired, with an interval, and judged in words.

`bnfold.bench(models)` is the entry point; the records it returns are in `bnfold.bench.records`.
"""

from bnfold.bench.api import bench as bench
from bnfold.bench.records import BenchResult as BenchResult
from bnfold.bench.rows import Comparison as Comparison
from bnfold.bench.rows import Isolated as Isolated
from bnfold.bench.rows import Verdict as Verdict
