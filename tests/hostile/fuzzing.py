"""Feeds mutants of valid models to the commands, each in a process that may take little.

    python -m tests.hostile.fuzzing --seconds 3600 --keep FOLDER

Prints the counts as JSON. Whatever comes in, a command ends within its time and memory, with one
sentence where it refuses, and never by a bug, a traceback or a signal.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.mutations import mutant
from tests.hostile.seeds import seeds

SECONDS = 10  # of processor time that a command may take
WAITED_SECONDS = 90  # on a machine that does other things too
MEMORY_BYTES = 6 << 30  # of address space, of which torch and onnxruntime take 2 by themselves
COMMANDS = {
    "fold": ("fold", "m.onnx", "-o", "out.onnx", "--force"),
    "inspect": ("inspect", "m.onnx", "--all"),
    "verify": ("verify", "m.onnx", "m.onnx", "--samples", "2"),
    "verify the seed": ("verify", "seed.onnx", "m.onnx", "--samples", "2"),
}
GOOD = frozenset((0, 1, 2, 3))


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        code: its exit code; negative for a signal.
        stderr: what it said.
        seconds: of processor time that it took.
        peak_bytes: of resident memory.
    """

    code: int
    stderr: str
    seconds: float
    peak_bytes: int

    @property
    def kind(self) -> str:
        """A word for the counts: `exit 0`, `traceback`, `hang`, `SIGSEGV`."""
        if self.code in (-signal.SIGALRM, -signal.SIGXCPU):
            return "hang"
        if self.code < 0:
            return signal.Signals(-self.code).name
        if "Traceback" in self.stderr:
            return "traceback"
        if "there is not enough memory" in self.stderr:
            return "no memory"
        if self.code == 2 and self.stderr.count("\n") != 1:
            return "not one sentence"
        return f"exit {self.code}" if "is a bug in bnfold" not in self.stderr else "exit 5"

    @property
    def is_good(self) -> bool:
        """Whether that is an end that a command may have."""
        return self.kind in {f"exit {code}" for code in GOOD}


def ending(folder: Path, command: tuple[str, ...], seconds: int = SECONDS) -> Ending:
    """The command, run in the folder by a fork of this process, which has everything imported."""
    said = folder / "stderr"
    child = os.fork()
    if child == 0:
        _be_the_command(folder, command, said, seconds)
    _, status, usage = os.wait4(child, 0)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    text = said.read_text(errors="replace")
    return Ending(code, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def _be_the_command(folder: Path, command: tuple[str, ...], said: Path, seconds: int) -> None:
    """Never returns."""
    code = 99
    try:
        os.chdir(folder)
        errors = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as it lives
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, used + seconds + 5))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(max(WAITED_SECONDS, 3 * seconds))
        from bnfold.cli.supervised import main

        sys.argv = ["bnfold", *command]
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


def import_everything() -> None:
    """So that forks need not."""
    import onnxruntime  # noqa: F401

    import bnfold.fold.api
    import bnfold.verify.api  # noqa: F401


def fuzz(
    draw: random.Random, *, seconds: float, keep: Path | None = None, most: int = 1 << 62
) -> dict[str, object]:
    """Mutants until the time is over, or so many: the counts of how commands ended."""
    import_everything()
    models = seeds()
    counts: collections.Counter[str] = collections.Counter()
    bad: list[str] = []
    longest, peak = 0.0, 0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        while time.monotonic() - begin < seconds and counts.total() < most:
            for file in folder.iterdir():
                file.unlink()
            _, seed = models[0] if draw.random() < 0.25 else draw.choice(models)
            (folder / "m.onnx").write_bytes(mutant(seed, draw))
            (folder / "seed.onnx").write_bytes(seed.SerializeToString())
            command = draw.choices(list(COMMANDS), (5, 2, 2, 2))[0]
            end = ending(folder, COMMANDS[command])
            counts[end.kind] += 1
            longest, peak = max(longest, end.seconds), max(peak, end.peak_bytes)
            if not end.is_good:
                bad.append(f"{command}: {end.kind}: {end.stderr.strip()[-300:]}")
                _keep(folder, keep, f"{len(bad):04}-{command.split()[0]}-{end.kind}", end)
    return {
        "mutants": counts.total(),
        "endings": dict(sorted(counts.items())),
        "longest_s": round(longest, 1),
        "peak_mib": peak >> 20,
        "bad": bad,
    }


def _keep(folder: Path, keep: Path | None, name: str, end: Ending) -> None:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "m.onnx", keep / f"{name.replace(' ', '-')}.onnx")
        (keep / f"{name.replace(' ', '-')}.txt").write_text(end.stderr)


def main() -> None:
    """Fuzzes, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    found = fuzz(random.Random(asked.seed), seconds=asked.seconds, keep=asked.keep)
    print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
