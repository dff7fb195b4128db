"""The plot of how a fold grows can be drawn again from its table."""

from __future__ import annotations

from benchmarks.growth import Work, table, told


def test_the_table_is_read_as_it_was_written():
    found = {
        ("chain", "bnfold"): {
            10: Work(10_000, 0.25, 131.0, 0), 30_000: Work(18_270_000, 45.5, 481.0, 1_000)
        },
        ("chain", "onnxsim"): {10: Work(0, 0.01, 360.0, 0)},
    }  # fmt: skip
    page = f"text\n<!-- generated:growth -->\n\n{table(found)}\n\n<!-- end -->\nmore"
    assert told(page) == found
