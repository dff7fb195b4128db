"""Feeds bytes to the reader and the fold, guided by which lines they reach.

    python -m tests.hostile.guided CORPUS -max_total_time=3600 -rss_limit_mb=4096

Needs atheris, whose options (those of libFuzzer) follow the folder of the corpus, which is filled
with the valid models at first. Whatever comes in, loading ends with a model or a `BnfoldError`, and
folding, without the runtime's opinion, with a ledger or one.
"""

from __future__ import annotations

import random
import sys
import traceback
from pathlib import Path

import atheris
import onnx
from google.protobuf.message import DecodeError

with atheris.instrument_imports(include=["bnfold"]):
    from bnfold import model_io
    from bnfold.errors import BnfoldError, InternalError
    from bnfold.fold.api import fold

from tests.hostile.mutations import mutant
from tests.hostile.seeds import seeds

_LARGEST = 1 << 16  # bytes: more of them only take longer
_seen: set[str] = set()


def try_one(data: bytes) -> None:
    """Reports each kind of bug once, and goes on."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        return
    try:
        fold(model_io.load(model), check=False)
    except InternalError:
        _report(data)
    except BnfoldError:
        return
    except (Exception, RecursionError):  # noqa: BLE001 - any other is what is looked for
        _report(data)


def _report(data: bytes) -> None:
    error = traceback.format_exc()
    place = [line for line in error.splitlines() if line.startswith("  File")][-1]
    if place not in _seen:
        _seen.add(place)
        Path(f"found-{len(_seen):03}.onnx").write_bytes(data)
        Path(f"found-{len(_seen):03}.txt").write_text(error)
        print(f"FOUND {place}", flush=True)  # noqa: T201


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """By structure where the bytes are a model and it is drawn; by bits otherwise."""
    draw = random.Random(seed)
    if draw.random() < 0.5:
        model = onnx.ModelProto()
        try:
            model.ParseFromString(data)
            return mutant(model, draw)[:most]
        except (DecodeError, ValueError, TypeError):
            pass  # no model, or one that cannot be changed so
    return bytes(atheris.Mutate(data, most))


def main() -> None:
    """Never returns."""
    corpus = Path(sys.argv[1])
    corpus.mkdir(exist_ok=True)
    for name, model in seeds():
        path = corpus / name.replace(" ", "-").replace("/", "-")
        path.write_bytes(model.SerializeToString())
    arguments = [sys.argv[0], f"-max_len={_LARGEST}", "-timeout=30", *sys.argv[1:]]
    atheris.Setup(arguments, try_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
