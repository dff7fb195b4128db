"""Packages of the index in folders outside this environment, fetched by pip alone."""

from __future__ import annotations

import subprocess
import sys
import venv
import zlib
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


def environment(requirements: Path, folder: Path) -> Path | None:
    """The Python of a virtual environment that holds them, made once; None where pip cannot.

    Args:
        requirements: a file of pinned packages; another content makes another environment.
        folder: where environments are kept.
    """
    content = requirements.read_bytes()
    python = folder / f"tools-{zlib.crc32(content):08x}" / "bin" / "python"
    installed = python.parent.parent / "installed"
    if installed.exists():
        return python
    print(f"setting up {python.parent.parent} ...", file=sys.stderr, flush=True)
    venv.create(python.parent.parent, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*command, "-r", str(requirements)], check=False)
    if done.returncode != 0:
        return None
    installed.touch()
    return python
