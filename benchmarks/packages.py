"""Packages of the index, unpacked into a folder without being installed, by pip alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def fetch(requirement: str, folder: Path) -> Path | None:
    """The folder that the package was put into; None where pip cannot get it.

    Args:
        requirement: `name==version`.
        folder: where packages are kept; one that is there already is not fetched again.
    """
    target = folder / requirement
    if target.is_dir():
        return target
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(target), requirement]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{requirement}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return target
