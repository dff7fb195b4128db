"""How much memory an NVIDIA GPU has in use, by whomever."""

from __future__ import annotations

import subprocess

_COMMAND = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0")


def used_mib() -> float | None:
    """MiB of the first one; None where nobody says."""
    try:
        done = subprocess.run(_COMMAND, capture_output=True, text=True, check=True, timeout=10)
        return float(done.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
