"""What a release needs: every dependency pinned, versions that agree, a changelog that keeps up."""

from __future__ import annotations

import re
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
WANTED = [
    Requirement(text)
    for text in [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(text for extra, texts in EXTRAS.items() if extra != "gpu" for text in texts),
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
