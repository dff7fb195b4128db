"""Kills writers of a model, at each thing they ask of the system and at random moments.

    python -m tests.model_io.kill_loop FOLDER RANDOM_KILLS

A writer is a fork that saves. Prints the counts as JSON. Whenever a writer is killed, the graph on
the disk must be the old or the new one and read the data that it was written with, by onnx's own
loader; and what the killed writer left must be gone after the next one.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir

from bnfold import model_io

EVENTS = ("open", "os.rename", "os.remove", "os.chmod", "os.listdir", "os.scandir", "fcntl.flock")
TEXT = """
<ir_version: 8, opset_import: ["": 17]>
g (float[20000] x) => (float[20000] y) { a = Add (x, big) b = Add (a, other) y = Add (b, small) }
"""


def model_of(fill: float) -> ir.Model:
    """A model all of whose tensors, large and small, are filled with the number that it names."""
    proto = onnx.parser.parse_model(TEXT)
    for name, size in (("big", 20_000), ("other", 20_000), ("small", 1)):
        tensor = onnx.numpy_helper.from_array(np.full(size, fill, np.float32), name)
        proto.graph.initializer.append(tensor)
    proto.metadata_props.add(key="fill", value=str(fill))
    return model_io.load(proto)


def fill_on_disk(path: Path) -> float:
    """The number that the model is filled with, all of it; raises if it is not whole."""
    proto = onnx.load(path)
    (fill,) = {float(entry.value) for entry in proto.metadata_props}
    for tensor in proto.graph.initializer:
        assert (onnx.numpy_helper.to_array(tensor) == fill).all(), (tensor.name, fill)
    return fill


def killed(write: Callable[[], None], point: int | None, delay_s: float | None) -> bool:
    """Whether the writer died by the kill; else it was done before."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, _: tuple[object, ...]) -> None:
            nonlocal seen
            if event in EVENTS:
                seen += 1
                if seen == point:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        write()
        os._exit(0)
    if delay_s is not None:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def left_in(folder: Path) -> list[str]:
    """The names in the folder, with HASH in place of a hash."""
    return sorted(re.sub(r"[0-9a-f]{16}", "HASH", path.name) for path in folder.iterdir())


@dataclass(frozen=True)
class Kills:
    """Kills of writers that put a model filled with 2 in the place of one filled with 1."""

    target: Path
    old: ir.Model
    new: ir.Model

    def trial(
        self, before: bool, after: bool, point: int | None = None, delay: float | None = None
    ) -> bool:
        """Whether the writer was killed; the one before it has left nothing when this one begins.

        Args:
            before: whether the old model has external data.
            after: whether the new one will have.
            point: at which event the writer is killed.
            delay: after how many seconds.
        """
        model_io.save(self.old, self.target, external_data=before)
        assert fill_on_disk(self.target) == 1
        expected = ["out.onnx", "out.onnx.HASH.data"] if before else ["out.onnx"]
        assert left_in(self.target.parent) == expected, left_in(self.target.parent)
        was_killed = killed(
            lambda: model_io.save(self.new, self.target, external_data=after), point, delay
        )
        found = fill_on_disk(self.target)
        assert found in {1, 2} if was_killed else found == 2
        return was_killed


def main(folder: Path, random_kills: int) -> dict[str, int]:
    """Every point for each way of storing, then so many kills at random moments; the counts."""
    kills = Kills(folder / "out.onnx", model_of(1), model_of(2))
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    at_points = at_random = turns = 0
    for before, after in kinds:
        point = 1
        while kills.trial(before, after, point):
            at_points, point = at_points + 1, point + 1
    draw = random.Random(0)
    begin = time.monotonic()
    killed(lambda: model_io.save(kills.new, kills.target, external_data=True), None, None)
    whole_s = time.monotonic() - begin
    while at_random < random_kills:
        delay = draw.uniform(0, whole_s)
        at_random += kills.trial(*kinds[turns % 4], delay=delay)
        turns += 1
    kills.trial(True, True, delay=0.0)
    return {"at_points": at_points, "at_random": at_random, "random_turns": turns}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201
