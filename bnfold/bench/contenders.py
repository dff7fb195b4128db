"""Who is measured beside the models that a user names: the floor, other optimisers, an export.

They take part in the same pairs. One that fails is a row, and the rest goes on: the question was
about the user's models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bnfold.bench.floor import NAME as FLOOR
from bnfold.bench.floor import write_floor
from bnfold.bench.model_files import ModelFile, joined, on_disk
from bnfold.errors import BnfoldError
from bnfold.peers.optimised import Peer, optimised
from bnfold.peers.tools import TOOLS
from bnfold.verify.api import verify

if TYPE_CHECKING:
    from bnfold.model_io import ModelSource

EXPORTED = "torch.onnx.export by default"


@dataclass(frozen=True)
class Contenders:
    """Those that take part, the user's first, and what is to be said of those that do not."""

    subjects: tuple[ModelFile, ...]
    peers: tuple[Peer, ...] = ()
    notes: tuple[str, ...] = ()


def contenders(
    found: Sequence[ModelFile],
    folder: Path,
    *,
    against: Sequence[str],
    with_floor: bool,
    exported: ModelSource | None,
    in_int8: bool,
    dims: Mapping[str, int],
    custom_ops: Sequence[str],
) -> Contenders:
    """The user's models and the others that were asked for, each as a file in the folder.

    What an optimiser makes is verified at the sizes `dims`, with those libraries of operators.
    """

    def differs(path: Path) -> str | None:
        found = verify(baseline.path, path, samples=2, dims=dims, custom_ops=custom_ops)
        return found.reason if found.verdict == "different" else None

    baseline, notes = found[0], []
    subjects, peers = list(found), []
    if exported is not None:
        try:
            path = on_disk(exported, folder / "exported.onnx")
            subjects.append(joined(baseline, path, EXPORTED, role="export"))
        except BnfoldError as error:
            notes.append(f"{EXPORTED} is not timed: {error}")
    if with_floor:
        path = folder / "floor.onnx"
        if write_floor(baseline.path, path):
            subjects.append(joined(baseline, path, FLOOR, role="floor"))
        else:
            notes.append(f"{baseline.name} has no batch norm: it is its own floor")
    for name in against:
        peer, subject = _peer(name, baseline, folder, in_int8, differs)
        peers.append(peer)
        subjects += [] if subject is None else [subject]
    return Contenders(tuple(subjects), tuple(peers), tuple(notes))


def _peer(
    name: str,
    baseline: ModelFile,
    folder: Path,
    in_int8: bool,
    differs: Callable[[Path], str | None],
) -> tuple[Peer, ModelFile | None]:
    """The optimiser, and its model where it is to be timed."""
    if TOOLS[name].runs_models and in_int8:
        return Peer(
            name, "", "it runs models itself; in int8 all are of onnxruntime's quantiser"
        ), None
    target = folder / f"peer-{name}.onnx"
    peer = optimised(name, baseline.path, target)
    if peer.sentence:
        return peer, None
    title = f"{name} {peer.version}" if peer.version else name
    if TOOLS[name].runs_models:
        return peer, replace(baseline, name=title, role="peer", engine=name)
    try:
        subject = joined(baseline, target, title, role="peer")
        difference = differs(target)
    except BnfoldError as error:
        return replace(peer, sentence=str(error)), None
    if difference is not None:
        return replace(peer, sentence=f"it computes something else: {difference}"), None
    return peer, subject
