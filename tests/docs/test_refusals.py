"""docs/refusals.md explains each code of a refusal that stands in the source, and no other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import bnfold

PACKAGE = Path(bnfold.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs/refusals.md").read_text(encoding="utf-8")
COMPUTED = {
    "fault": "Exact.fault",
    "_OPSET.code": "copied",
    "refusal.code": "copied",
    "code": "given to not_constant",
}
"""First arguments that are no literals: where their values come from."""


def codes_of(expression: ast.expr, named: dict[str, str]) -> set[str]:
    """The codes that an expression may be; the test fails where it cannot tell."""
    match expression:
        case ast.Constant(value=str(code)):
            return {code}
        case ast.IfExp(body=one, orelse=other):
            return codes_of(one, named) | codes_of(other, named)
        case ast.Name(id=name) if name in named:
            return {named[name]}
    source = COMPUTED[ast.unparse(expression)]
    return {"overflow", "underflow"} if source == "Exact.fault" else set()


def constants_of(tree: ast.Module) -> dict[str, str]:
    """The texts that a module gives names to."""
    return {
        target.id: statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def codes_in_source() -> set[str]:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = constants_of(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Refusal"):
                first = node.args[0] if node.args else node.keywords[0].value
                found |= codes_of(first, named)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "not_constant":
                found |= codes_of(node.args[3], named)
    return found


def rows() -> list[tuple[str, str, str]]:
    """Code, meaning and advice of each row."""
    return re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \| (.+?) \|$", PAGE, flags=re.MULTILINE)


def test_every_code_is_explained_and_no_other():
    assert {code for code, _, _ in rows()} == codes_in_source()


def test_no_code_is_explained_twice():
    assert [
        code for code, count in Counter(code for code, _, _ in rows()).items() if count > 1
    ] == []


def test_a_weight_that_would_not_fit_is_called_overflow_or_underflow():
    source = ast.parse((PACKAGE / "fold/numbers/exact.py").read_text(encoding="utf-8"))
    (fault,) = (n for n in ast.walk(source) if isinstance(n, ast.FunctionDef) and n.name == "fault")
    words = {
        node.value
        for statement in ast.walk(fault)
        if isinstance(statement, ast.Return) and statement.value is not None
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert words == {"overflow", "underflow"}


def test_each_code_says_what_it_means_and_what_to_do_in_sentences():
    for code, meaning, advice in rows():
        assert meaning.endswith("."), code
        assert advice.rstrip("`").endswith((".", ")")), code
