"""Kills writers of a model, at each thing they ask of the system and at random moments.

    python -m tests.model_io.kill_loop FOLDER RANDOM_KILLS

Prints the counts as JSON. Whenever a writer is killed, the graph on the disk must be the old or the
new one and read the data that it was written with, by onnx's own loader; and what the killed writer
left must be gone after the next one.
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
        assert set(onnx.numpy_helper.to_array(tensor).tolist()) == {fill}, (tensor.name, fill)
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


def trial(target: Path, before: bool, after: bool, point: int | None, delay: float | None) -> bool:
    """One kill while a model filled with 2 takes the place of one filled with 1."""
    model_io.save(model_of(1), target, external_data=before)
    new = model_of(2)
    was_killed = killed(lambda: model_io.save(new, target, external_data=after), point, delay)
    found = fill_on_disk(target)
    assert found in {1, 2} if was_killed else found == 2
    model_io.save(model_of(3), target, external_data=after)
    assert fill_on_disk(target) == 3
    expected = ["out.onnx", "out.onnx.HASH.data"] if after else ["out.onnx"]
    assert left_in(target.parent) == expected, left_in(target.parent)
    return was_killed


def main(folder: Path, random_kills: int) -> dict[str, int]:
    """Every point for each way of storing, then random moments; the counts."""
    target, at_points, at_random = folder / "out.onnx", 0, 0
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    for before, after in kinds:
        point = 1
        while trial(target, before, after, point, None):
            at_points, point = at_points + 1, point + 1
    draw = random.Random(0)
    begin = time.monotonic()
    model_io.save(model_of(2), target, external_data=True)
    whole_s = time.monotonic() - begin
    for turn in range(random_kills):
        delay = draw.uniform(0, 1.2 * whole_s)
        at_random += trial(target, *kinds[turn % 4], None, delay)
    return {"at_points": at_points, "at_random": at_random, "random_turns": random_kills}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201
