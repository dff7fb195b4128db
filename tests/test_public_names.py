"""The public names are plain functions, whatever else is imported, with all that help needs."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pydoc
import subprocess
import sys

import pytest

import bnfold

FUNCTIONS = {
    "export": "bnfold.export.api",
    "fold": "bnfold.fold.api",
    "inspect": "bnfold.fold.api",
    "verify": "bnfold.verify.api",
    "bench": "bnfold.bench.api",
    "fold_module": "bnfold.torch_fold.api",
}


def told(function):
    """Names, kinds and defaults; the types are for mypy to compare."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_has_the_signature_and_docstring_of_what_it_calls(name):
    public, real = getattr(bnfold, name), getattr(importlib.import_module(FUNCTIONS[name]), name)
    assert inspect.isfunction(public)
    assert told(public) == told(real)
    assert inspect.getdoc(public) == inspect.getdoc(real)
    shown = pydoc.plain(pydoc.render_doc(public))
    assert "kwargs" not in shown
    assert all(parameter in shown for parameter in inspect.signature(public).parameters)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_reaches_what_is_called(name, monkeypatch):
    """Each parameter is handed on under its own name, so none is dropped or swapped."""
    seen = {}
    module = importlib.import_module(FUNCTIONS[name])
    signature = inspect.signature(getattr(module, name))

    def spy(*args, **kwargs):
        seen.update(signature.bind(*args, **kwargs).arguments)
        return "what it returns"

    monkeypatch.setattr(module, name, spy)
    given = {parameter: object() for parameter in signature.parameters}
    assert getattr(bnfold, name)(**given) == "what it returns"
    assert seen == given


@pytest.mark.parametrize(
    "first",
    [
        "import bnfold.fold.api, bnfold.verify, bnfold.bench.records, bnfold.export.api",
        "from bnfold.fold import Ledger",
        "import importlib; importlib.import_module('bnfold.verify.api')",
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
