"""What a file of torch holds, told without running anything in it, and what to do with each kind.

An archive is told by the names in it, a pickle by the classes that its opcodes name.
"""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

Kind = Literal["weights", "module", "objects", "TorchScript", "program"]

SUFFIXES = (".pt", ".pth", ".safetensors", ".bin", ".ckpt")

_PROTOCOL = 3  # the newest whose opcodes torch reads without running code
_PICKLES = 4  # of the older format: a magic number, a version, facts on the machine, the content
_PLAIN = ("collections", "torch", "torch._utils", "torch._tensor", "torch.storage", "argparse")
"""Modules whose classes are tensors, dictionaries, and a trainer's arguments."""


@dataclass(frozen=True)
class TorchFile:
    """A file that torch has written.

    Attributes:
        path: where it is.
        kind: "weights" are tensors by name; a "module" is pickled whole; "objects" are something
            with pickled classes in it, such as a trainer's checkpoint.
        of: the first class that is pickled in it, and is none of torch's tensors.
        has_tensors: it names classes of torch's tensors.
        protocol: of its pickle, which torch reads by itself up to 3.
    """

    path: Path
    kind: Kind
    of: str = ""
    has_tensors: bool = False
    protocol: int = 2

    @property
    def as_network(self) -> str:
        """Why it is no network that can be read, and what to do."""
        match self.kind:
            case "weights":
                return (
                    f"{self.path} holds weights, and neither an ONNX model nor the code of a "
                    "network; name the code that builds it: "
                    f"bnfold run CODE.py:FACTORY --weights {self.path} -o DIR, or bnfold export"
                )
            case "module" | "objects":
                return (
                    f"{self._pickled}, and bnfold never unpickles, as that runs code; name a "
                    "function of yours that builds the network, or loads it: "
                    "bnfold run CODE.py:FACTORY -o DIR, or bnfold export"
                )
            case "TorchScript":
                return (
                    f"{self.path} is a TorchScript program, which cannot be exported; name the "
                    "code that it was made from: bnfold run CODE.py:FACTORY --weights weights.pt "
                    f"-o DIR, or bnfold export, with the weights that {self._script_weights} writes"
                )
        return (
            f"{self.path} is a program of torch.export and not an ONNX model; bnfold run and "
            "bnfold export take it under a name that ends in .pt2, with --trust"
        )

    @property
    def as_weights(self) -> str:
        """Why its weights cannot be read, and what to do; empty where they are all that it has."""
        match self.kind:
            case "weights" if self.protocol > _PROTOCOL:
                return (
                    f"{self.path} was saved with pickle protocol {self.protocol}, of which torch "
                    "reads no weights alone; save it without pickle_protocol"
                )
            case "weights":
                return ""
            case "module" | "objects":
                return (
                    f"{self._pickled}, and bnfold never unpickles, as that runs code; save the "
                    "weights alone: torch.save(network.state_dict(), 'weights.pt')"
                )
            case "TorchScript":
                return (
                    f"{self.path} is a TorchScript program and no file of weights; "
                    f"{self._script_weights} writes one for --weights"
                )
        return f"{self.path} is a program of torch.export, and has its own weights in it"

    @property
    def _pickled(self) -> str:
        what = "is a pickled module" if self.kind == "module" else "has pickled objects in it"
        return f"{self.path} {what} ({self.of})"

    @property
    def _script_weights(self) -> str:
        return f"torch.save(torch.jit.load({str(self.path)!r}).state_dict(), 'weights.pt')"


def torch_file(path: Path) -> TorchFile | None:
    """What torch has written there; None where it is no file, or one of something else."""
    if not path.is_file():
        return None  # a pipe would be waited for, and what it holds taken away
    if path.suffix == ".safetensors":
        return TorchFile(path, "weights")
    try:
        with path.open("rb") as file:
            if file.read(1) == b"\x80":
                file.seek(0)
                found = _pickled(path, file)
                return found if found.of or found.has_tensors else None  # a pickle of any program
        with zipfile.ZipFile(path) as archive:
            return _archived(path, archive)
    except (OSError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error):
        return None  # damaged, or another's


def _archived(path: Path, archive: zipfile.ZipFile) -> TorchFile | None:
    names = {name.partition("/")[2]: name for name in archive.namelist()}
    if "models/model.json" in names or "serialized_exported_program.json" in archive.namelist():
        return TorchFile(path, "program")
    if "constants.pkl" in names:
        return TorchFile(path, "TorchScript")
    if "data.pkl" not in names:
        return None
    with archive.open(names["data.pkl"]) as file:
        return _pickled(path, file)


def _pickled(path: Path, file: IO[bytes]) -> TorchFile:
    """What is pickled there, at the top or in what is there."""
    found = _Named()
    for count in range(_PICKLES):
        try:
            found = _named(file)
        except ValueError:
            if not count:
                raise
            break
        foreign = [each for each in found.classes if each.rpartition(".")[0] not in _PLAIN]
        if foreign:
            is_own = found.top == foreign[0]
            is_module = is_own and any(each.startswith("torch.nn.") for each in foreign)
            return TorchFile(path, "module" if is_module else "objects", foreign[0])
        if found.classes:
            break
    has_tensors = any(each.startswith("torch.") for each in found.classes)
    return TorchFile(path, "weights", "", has_tensors, found.protocol)


@dataclass
class _Named:
    """What a pickle names.

    Attributes:
        classes: each once.
        top: the class of its own value, if it begins so.
        protocol: in which it was written.
    """

    classes: dict[str, None] = field(default_factory=dict)
    top: str = ""
    protocol: int = 0


def _named(file: IO[bytes]) -> _Named:
    """What the next pickle names: a class is a module and a name, in one opcode or pushed."""
    found = _Named()
    pushed: list[str] = []
    kept: dict[Any, str] = {}
    is_beginning = True
    for opcode, argument, _ in pickletools.genops(file):
        match opcode.name:
            case "PROTO":
                found.protocol = argument or 0
            case "FRAME":
                pass
            case "UNICODE" | "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                pushed.append(str(argument))
            case "MEMOIZE":
                kept[len(kept)] = pushed[-1] if pushed else ""
            case "BINPUT" | "LONG_BINPUT":
                kept[argument] = pushed[-1] if pushed else ""
            case "BINGET" | "LONG_BINGET":
                pushed.append(kept.get(argument, ""))
            case "GLOBAL" | "STACK_GLOBAL":
                words = pushed[-2:] if argument is None else str(argument).split(" ")
                name = ".".join(words)
                found.top = name if is_beginning else found.top
                found.classes[name] = None
                is_beginning = False
                pushed.append("")
            case _:
                is_beginning = False
                pushed.append("")  # something else, which no class is named by
        del pushed[:-2]
    return found
