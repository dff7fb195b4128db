"""The public names are plain functions, whatever else is imported, each with one home."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bnfold

FUNCTIONS = {
    "export": "bnfold.export.api",
    "fold": "bnfold.fold.api",
    "inspect": "bnfold.fold.api",
    "optimize": "bnfold.run.optimize",
    "run": "bnfold.run.api",
    "sweep": "bnfold.sweep.api",
    "tune": "bnfold.tune.api",
    "verify": "bnfold.verify.api",
    "bench": "bnfold.bench.api",
    "fold_module": "bnfold.torch_fold.api",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_name_is_the_function_itself_with_all_that_help_needs(name):
    public = getattr(bnfold, name)
    assert public is getattr(importlib.import_module(FUNCTIONS[name]), name)
    shown = pydoc.plain(pydoc.render_doc(public))
    assert all(parameter in shown for parameter in inspect.signature(public).parameters)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        *((name, "a path, an onnx.ModelProto or an onnx_ir.Model, not int")
          for name in ("fold", "inspect", "bench", "tune")),
        *((name, "a torch module, or package.module:factory") for name in ("run", "optimize")),
        ("sweep", "paths, patterns or URLs, not int"),
        ("export", "a torch module, or package.module:factory"),
        ("fold_module", "a torch module, not int"),
        ("verify", "a path, an onnx.ModelProto or an onnx_ir.Model, not int"),
    ],
)  # fmt: skip
def test_a_model_of_a_wrong_type_is_told_which_are_right(call, said, tmp_path):
    more = {"sweep": [tmp_path / "out"], "verify": [3], "fold_module": [()]}
    with pytest.raises(bnfold.errors.UsageError, match=re.escape(said)):
        getattr(bnfold, call)(3, *more.get(call, []))
    assert not list(tmp_path.iterdir())


def test_what_a_type_checker_reads_is_what_runs():
    """The imports that only it sees name each function at its home."""
    tree = ast.parse(Path(bnfold.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == FUNCTIONS


def test_a_name_that_there_is_not_is_told():
    with pytest.raises(AttributeError, match="'bnfold' has no attribute 'nothing'"):
        bnfold.nothing  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "import bnfold.fold.api, bnfold.verify, bnfold.bench.records, bnfold.export.api",
        "import bnfold; bnfold.fold; import bnfold.fold.api; import importlib; "
        "importlib.reload(bnfold)",
        "import bnfold.cli, bnfold.pytest_plugin",
    ],
)
def test_importing_a_part_does_not_turn_a_function_into_a_package(first):
    names = sorted(FUNCTIONS)
    code = f"{first}\nimport bnfold, types\nfrom bnfold import {', '.join(names)}\n"
    code += f"print([type(getattr(bnfold, n)) is types.FunctionType for n in {names}])\n"
    code += f"print([type(n) is types.FunctionType for n in ({', '.join(names)})])\n"
    code += "from bnfold.fold import Ledger; from bnfold.verify.records import Verification"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{[True] * len(names)}\n" * 2


def test_a_function_can_be_replaced_and_pickled(monkeypatch):
    assert pickle.loads(pickle.dumps(bnfold.fold)) is bnfold.fold
    monkeypatch.setattr(bnfold, "fold", len)
    assert bnfold.fold is len


def test_every_public_name_is_there_and_listed():
    assert {*FUNCTIONS, "BnfoldError", "__version__"} == set(bnfold.__all__) == set(dir(bnfold))
    assert all(hasattr(bnfold, name) for name in bnfold.__all__)
