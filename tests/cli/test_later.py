"""A module that is put off is there where it is used, and for everybody else."""

from __future__ import annotations

import subprocess
import sys

import pytest

NEEDED = """
from fractions import Fraction
STARTED.append("needed")
class Base: pass
def double(x): return 2 * x
"""
IMPORTER = """
import needed
TABLE = {"double": needed.double}
def doubled(x): return TABLE["double"](x)
def is_base(x): return isinstance(x, needed.Base)
"""
START = """
import builtins
builtins.STARTED = []
from bnfold.cli.later import put_off
put_off("needed", importer="importer")
"""


@pytest.fixture
def told(tmp_path):
    """What a fresh Python prints, in which two modules of these names can be imported."""
    (tmp_path / "needed.py").write_text(NEEDED)
    (tmp_path / "importer.py").write_text(IMPORTER)

    def run(code: str) -> str:
        command = [sys.executable, "-W", "error", "-c", START + code]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


@pytest.mark.parametrize(
    ("use", "answer"),
    [
        ("importer.doubled(4)", "8"),
        ("importer.is_base(3)", "False"),
        ("importer.is_base(importer.needed.Base())", "True"),
    ],
)
def test_it_is_loaded_when_it_is_used(told, use, answer):
    assert told(f"import importer; print(STARTED); print({use}, STARTED)").split("\n") == [
        "[]",
        f"{answer} ['needed']",
    ]


def test_others_get_it_at_once(told):
    code = "import importer, needed; print(needed.double(1), needed.__file__ != '', STARTED)"
    assert told(code) == "2 True ['needed']"


def test_it_is_one_module_for_all(told):
    assert told("import importer, needed; print(importer.needed.Base is needed.Base)") == "True"


def test_an_importer_that_uses_it_at_once_has_it(told, tmp_path):
    (tmp_path / "importer.py").write_text(
        "import needed\nclass Mine(needed.Base): pass\nFOUR = needed.double(2)\n"
    )
    code = "import importer, needed; print(importer.FOUR, issubclass(importer.Mine, needed.Base))"
    assert told(code) == "4 True"


def test_what_is_there_already_stays(told):
    assert told("import needed, importer; print(importer.needed is needed)") == "True"


def test_names_of_sizes_are_computed_with_as_before():
    code = (
        "from bnfold.cli.later import put_off; put_off('sympy', importer='onnx_ir'); "
        "import onnx_ir, sys; print('sympy' in sys.modules); "
        "print(onnx_ir.SymbolicDim('max(n, 2)') + 1, (onnx_ir.SymbolicDim('n') * 2).value); "
        "import sympy; print(isinstance(onnx_ir.SymbolicDim('n')._expr, sympy.Expr))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["False", "Max(2, n) + 1 2*n", "True"]
