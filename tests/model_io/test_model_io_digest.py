"""What is hashed beside the writing has the name of its bytes, however they came."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bnfold.model_io.digest import Digest
from bnfold.model_io.replacing import replacement


@pytest.mark.parametrize("sizes", [(1, 0, 65_536), (65_537, 3), (200_001,) * 20])
def test_data_is_called_by_its_bytes(tmp_path, sizes):
    draw = np.random.default_rng(0)
    parts = [draw.bytes(size) for size in sizes]
    with replacement(tmp_path / "m.onnx") as new:
        with new.data_file("m.onnx") as file:
            assert [file.write(memoryview(part)) for part in parts] == list(sizes)
            assert file.tell() == sum(sizes)
        name = file.content_name("m.onnx")
        new.model.write(b"graph")
    content = (tmp_path / name).read_bytes()
    assert content == b"".join(parts)
    assert hashlib.sha256(content).hexdigest()[:16] in name


def test_what_cannot_be_hashed_is_heard():
    with pytest.raises(TypeError), Digest() as digest:
        digest.update("text")  # type: ignore[arg-type]
        digest.hex()
