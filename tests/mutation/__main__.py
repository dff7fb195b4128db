"""Every condition of the rules is turned, one at a time, and the tests have to notice.

    pip install cosmic-ray
    python -m tests.mutation [FILE ...] [--state PATH] [--limit N]

The mutants are cosmic-ray's: comparisons by their neighbours (< and <=, == and !=), `and` by `or`,
a `not` before a condition. Each runs in a fork of one process, which has the libraries loaded, with
the mutated source in place of the file's: no file is written. Finished mutants are lines of a file,
so that a run can be stopped; survivors are printed at the end, and told in SURVIVORS.md.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path

import cosmic_ray.mutating
import cosmic_ray.plugins

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "bnfold/fold/moves/absorb",
    "bnfold/fold/moves/carry",
    "bnfold/fold/moves/priced",
    "bnfold/fold/merge",
)
OPERATORS = (
    *(
        f"core/ReplaceComparisonOperator_{pair}"
        for pair in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot")
    ),
    "core/ReplaceComparisonOperator_IsNot_Is",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/AddNot",
)
PROOFS = "tests/fold/proofs"
TESTS = {
    "bnfold/fold/merge": ["tests/fold/merge", "tests/fold/test_motifs.py"],
    "bnfold/fold/moves": ["tests/fold/moves", "tests/fold/test_motifs.py", "tests/fold/traps"],
}
_NO_TESTS = 5
_BY_PROOF = 77
_LIMIT_S = 300  # of processor time


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text."""

    def __init__(self, name: str, source: str, path: Path) -> None:
        self.name, self.source, self.path = name, source, path

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module: object) -> None:
        exec(compile(self.source, str(self.path), "exec"), vars(module))


def mutants(path: Path) -> list[tuple[str, int, str]]:
    """Operator, occurrence and source of every mutant of the file."""
    source = path.read_text(encoding="utf-8")
    found = []
    for name in OPERATORS:
        operator = cosmic_ray.plugins.get_operator(name)
        occurrence = 0
        while True:
            changed = cosmic_ray.mutating.mutate_code(source, operator(), occurrence)
            if changed is None:
                break
            found.append((name, occurrence, changed))
            occurrence += 1
    return found


def killer_of(path: Path, source: str) -> str:
    """What notices the source: "proofs", "tests", or "" where nothing does; a hang is noticed."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, _LIMIT_S)
        status = 1
        try:
            status = _run(path, source)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return {0: "", _BY_PROOF: "proofs"}.get(os.waitstatus_to_exitcode(status), "tests")


def _run(path: Path, source: str) -> int:
    """The proofs of the file's rules, and what else tests them where those hold."""
    import pytest

    relative = path.relative_to(ROOT)
    name = ".".join(relative.with_suffix("").parts)
    sys.meta_path.insert(0, _Mutated(name, source, path))
    tests = next(tests for folder, tests in TESTS.items() if str(relative).startswith(folder))
    options = ["-x", "-q", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    for plugin in ("cacheprovider", "randomly", "xdist"):
        options += ["-p", f"no:{plugin}"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        rules = getattr(importlib.import_module(name), "RULES", ())
        words = " or ".join(sorted({rule.name for rule in rules})) or path.parent.name
        if pytest.main([*options, PROOFS, "-k", words]) not in (0, _NO_TESTS):
            return _BY_PROOF
        return int(pytest.main([*options, "-m", "not slow", *tests]))


def _load_libraries() -> None:
    """What every mutant needs and none of them changes."""
    for name in ("numpy", "onnx", "onnx_ir", "onnx.reference", "onnxruntime", "sympy", "z3"):
        importlib.import_module(name)
    for name in ("onnx.parser", "onnx.shape_inference", "rich", "click"):
        importlib.import_module(name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is not in the state yet, and prints what survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="all of the rules' if none")
    parser.add_argument("--state", type=Path, default=Path("build/mutants.jsonl"))
    parser.add_argument("--limit", type=int, default=10**9, help="mutants to run at most")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    files = [ROOT / name for name in given.files] or [
        path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))
    ]
    _load_libraries()
    given.state.parent.mkdir(parents=True, exist_ok=True)
    lines = given.state.read_text(encoding="utf-8").splitlines() if given.state.exists() else []
    done = {tuple(json.loads(line)["mutant"]) for line in lines}
    for path in files:
        if killer_of(path, path.read_text(encoding="utf-8")):
            raise SystemExit(f"{path.relative_to(ROOT)}: its tests fail as it is")
        for operator, occurrence, source in mutants(path):
            mutant = (str(path.relative_to(ROOT)), operator, occurrence)
            if mutant in done or given.limit <= 0:
                continue
            given.limit -= 1
            row = {"mutant": mutant, "killed_by": killer_of(path, source)}
            row["line"] = _changed_line(path.read_text(encoding="utf-8"), source)
            with given.state.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    _tell(given.state)


def _changed_line(old: str, new: str) -> str:
    pairs = zip(old.splitlines(), new.splitlines(), strict=False)
    return next((f"{i}: {b.strip()}" for i, (a, b) in enumerate(pairs, 1) if a != b), "")


def _tell(state: Path) -> None:
    rows = [json.loads(line) for line in state.read_text(encoding="utf-8").splitlines()]
    survivors = [row for row in rows if not row["killed_by"]]
    print(f"{len(rows)} mutants, {len(survivors)} survived")
    for row in survivors:
        print(f"{row['mutant'][0]}:{row['line']}   ({row['mutant'][1].partition('/')[2]})")


if __name__ == "__main__":
    main()
