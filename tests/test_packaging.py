"""What a release needs: every dependency pinned, versions that agree, a changelog that keeps up."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import bnfold

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = {
    Requirement(line).name.lower().replace("_", "-"): Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
WANTED = [
    Requirement(text)
    for text in [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(text for extra, texts in EXTRAS.items() if extra != "gpu" for text in texts),
        *(text for texts in GROUPS.values() for text in texts if isinstance(text, str)),
    ]
]


@pytest.mark.parametrize("wanted", [r for r in WANTED if r.name != "bnfold"], ids=str)
def test_every_dependency_is_pinned_to_a_version_that_fits(wanted):
    pinned = PINNED[wanted.name.lower().replace("_", "-")]
    (specifier,) = pinned.specifier
    assert specifier.operator == "=="
    assert wanted.specifier.contains(specifier.version)


def test_the_core_install_is_without_torch():
    names = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
    assert names.isdisjoint({"torch", "onnxscript", "onnxsim"})


def test_what_only_developers_need_is_no_part_of_the_wheel():
    names = {Requirement(text).name for texts in EXTRAS.values() for text in texts}
    assert names.isdisjoint({"pytest", "mypy", "ruff", "hypothesis", "mkdocs-material"})


def test_every_package_that_is_imported_is_declared():
    declared = {
        Requirement(text).name
        for text in [
            *PROJECT["project"]["dependencies"],
            *(text for texts in EXTRAS.values() for text in texts),
            *GROUPS["test"],
        ]
    }
    called = {
        "google": "protobuf", "olive": "olive-ai", "onnx_ir": "onnx-ir", "sklearn": "scikit-learn",
        "yaml": "PyYAML",
    }  # fmt: skip
    imported = set()
    for path in Path(bnfold.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"bnfold"}
    assert {called.get(name, name) for name in foreign} <= declared


def test_every_python_of_the_matrix_of_ci_is_a_classifier():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    stated = {
        text.rpartition(" ")[2]
        for text in PROJECT["project"]["classifiers"]
        if re.search(r"Python :: 3\.\d+$", text)
    }
    assert set(re.findall(r"3\.\d+", matrix)) == stated


@pytest.mark.parametrize(
    "workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name
)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(workflow):
    """A tag can be moved to other code; a commit cannot."""
    used = re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8"))
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", text) for text in used)


def test_the_changelog_knows_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {bnfold.__version__}" in changelog or "## Unreleased" in changelog


def test_make_help_lists_every_command_that_the_readme_names():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)`", readme))
    assert {"demo", "test", "test-all", "lint", "bench", "help"} <= targets
    assert named <= targets


def test_every_generated_block_of_the_readme_is_closed():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("<!-- generated:") == readme.count("<!-- end -->")
