"""The command runs in a child: what ends a library by a signal ends in a sentence as well.

Models are read and run by native code of others, and some of what a model may say makes it read
where nothing is. No exception comes of that, and nobody can catch it in the same process.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import NoReturn

from bnfold.cli.group import main as command
from bnfold.cli.later import put_off

_CRASHES = frozenset(("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGKILL"))
_BAD_INPUT = 2
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NEW_OBJECTS = 50_000  # a graph of 1,000 nodes is ten times that, and none of it is garbage
_FROM_THE_SYSTEM = 0x80  # SI_KERNEL: Ctrl-C, which the terminal sends to the child too


def main() -> NoReturn:
    """Runs the command line and ends this process with its exit code."""
    gc.set_threshold(_NEW_OBJECTS)
    put_off("sympy", importer="onnx_ir")
    if not sys.platform.startswith("linux"):
        _run()
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*ending, signal.SIGCHLD})
    parent, child = os.getpid(), os.fork()
    if child == 0:
        _die_with(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _run()
    _end_as(_status_of(child, ending))


def _run() -> None:
    """Runs the command, with which this process ends: nobody looks for cycles in what is left."""
    try:
        command(prog_name="bnfold")
    finally:
        gc.freeze()  # Python looks through all there is twice, a third of a second for 3,000 nodes


def _die_with(parent: int) -> None:
    """This process is killed when its parent is."""
    import ctypes

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(_BAD_INPUT)


def _status_of(child: int, ending: set[signal.Signals]) -> int:
    """How the child ended; what tells this process to end is passed on until then."""
    while True:
        told = signal.sigwaitinfo({*ending, signal.SIGCHLD})
        if told.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return status
        elif told.si_code != _FROM_THE_SYSTEM:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, told.si_signo)


def _end_as(status: int) -> NoReturn:
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name
    if name not in _CRASHES:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    why = (
        "the system killed it, as it does where memory runs out"
        if name == "SIGKILL"
        else f"a library that reads or runs models crashed ({name}), and said nothing of why"
    )
    print(f"bnfold: the command did not end by itself: {why}", file=sys.stderr)  # noqa: T201
    sys.stderr.flush()
    os._exit(_BAD_INPUT)
