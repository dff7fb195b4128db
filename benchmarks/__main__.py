"""Runs every script that remakes a generated table, one after the other: `make bench`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time

SCRIPTS = (
    "session",  # the commands of the README, with what they print
    "coverage",  # side by side with other tools, over graphs of every motif
    "real_networks",  # real networks: batch norms before and after, and why the rest stays
    "export_nodes",  # nodes of an export, beside torch's own and onnxsim
    "factor",  # the distributions behind the factor of `bnfold verify`
    "runtimes",  # what a fold buys, by version of onnxruntime, in float32 and int8
    "figures",  # a part of that for the README
    "tuning",  # what --tune keeps, in float32 and int8
    "growth",  # how the work of a fold grows with the model
    "whole_commands",  # three large models from file to file, beside other tools
    "scaling",  # what a sweep takes, by workers and by size of the models
    "interval",  # how often the interval of bench holds the truth
)


def main() -> int:
    """The number of scripts that failed; each runs in its own process, so timings stay clean."""
    failed = 0
    for script in SCRIPTS:
        module = f"benchmarks.{script}"
        if importlib.util.find_spec(module) is None:
            print(f"{module}: not there, left out")
            continue
        print(f"{module} ...", flush=True)
        start = time.monotonic()
        code = subprocess.run([sys.executable, "-m", module], check=False).returncode
        failed += code != 0
        print(f"{module}: exit code {code} after {time.monotonic() - start:.0f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
