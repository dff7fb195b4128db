"""The lowest version of everything that pyproject.toml asks of a user, as constraints for pip."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement


def lowest(texts: list[str]) -> list[str]:
    """`numpy==1.26` for `numpy>=1.26`."""
    return [
        f"{wanted.name}=={bound.version}"
        for wanted in map(Requirement, texts)
        for bound in wanted.specifier
        if bound.operator == ">="
    ]


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    sys.stdout.write("\n".join(lowest(project["dependencies"])) + "\n")
