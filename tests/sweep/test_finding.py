"""What a sweep finds, and what it says of places that it cannot look into."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import onnx.parser
import pytest
from click.testing import CliRunner

import bnfold
from bnfold.cli import main
from bnfold.errors import MissingDependencyError, UsageError
from tests.sweep.test_workers import MODEL

fsspec = pytest.importorskip("fsspec")
memory = fsspec.get_filesystem_class("memory")


class HttpError(Exception):
    """What a driver raises: not always an OSError."""


class Flaky(memory):
    """A store that fails half-way: in folders and files whose names say so."""

    protocol = "flaky"

    @classmethod
    def _strip_protocol(cls, path):
        return memory._strip_protocol(path.replace("flaky://", "memory://"))

    def ls(self, path, detail=True, **options):
        if path.endswith("locked"):
            raise PermissionError("403: Forbidden")
        if path.endswith("away"):
            raise HttpError("503: the service\nis away")
        return super().ls(path, detail=detail, **options)

    def get_file(self, rpath, lpath, **options):
        if "torn" in rpath:
            Path(lpath).write_bytes(self.cat_file(rpath)[:99])
            raise HttpError("connection reset\nby peer")
        super().get_file(rpath, lpath, **options)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def store():
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    found = fsspec.filesystem("memory")
    found.rm("/", recursive=True)
    data = onnx.parser.parse_model(MODEL).SerializeToString()
    for name in ("a", "deep/b", "deep/torn", "deep/locked/c", "away/d"):
        found.pipe(f"/fleet/{name}.onnx", data)
    yield found
    found.rm("/", recursive=True)


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        onnx.save(onnx.parser.parse_model(MODEL), name)


def test_a_store_that_fails_half_way_keeps_what_it_gave(store, here):
    result = bnfold.sweep("flaky://fleet/**/*.onnx", "out", executor=here)
    found = {outcome.source: (outcome.status, outcome.reason) for outcome in result.outcomes}
    assert [name for name, (status, _) in found.items() if status == "equivalent"] == [
        "flaky://fleet/a.onnx", "flaky://fleet/deep/b.onnx",
    ]  # fmt: skip
    failed = {name: reason for name, (status, reason) in found.items() if status == "failed"}
    assert failed == {
        "flaky://fleet/deep/torn.onnx":
            "flaky://fleet/deep/torn.onnx: cannot be read: HttpError: connection reset",
        "flaky://fleet/away":
            "flaky://fleet/away: cannot be listed: HttpError: 503: the service",
        "flaky://fleet/deep/locked":
            "flaky://fleet/deep/locked: cannot be listed: PermissionError: 403: Forbidden",
    }  # fmt: skip
    assert result.exit_code == 2
    assert sorted(path.name for path in Path("out").rglob("*.onnx")) == ["a.onnx", "b.onnx"]
    again = bnfold.sweep("flaky://fleet/deep", "out2", executor=here)
    assert again.headline.startswith("3 models: 1 equivalent, 2 failed")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("memory://fleet/*.onnx", ["a"]),
        ("memory://fleet/a.onnx", ["a"]),
        ("memory://fleet/*/*.onnx", ["away/d", "deep/b", "deep/torn"]),
        ("memory://fleet/d*/**/c.onnx", ["deep/locked/c"]),
        ("memory://fleet/deep/", ["deep/b", "deep/locked/c", "deep/torn"]),
        ("memory://*/a.onnx", ["a"]),
    ],
)
def test_patterns_of_a_store_mean_what_they_mean_in_folders(store, pattern, names):
    from bnfold.sweep.finding import found

    assert found([pattern]).models == [f"memory://fleet/{name}.onnx" for name in names]


@pytest.mark.parametrize(
    ("pattern", "kind", "said"),
    [
        ("flaky://fleet/away/*.onnx", UsageError, "cannot be listed: HttpError: 503"),
        ("flaky://fleet/nothing*", UsageError, "no model fits this"),
        ("flaky://fleet/gone.onnx", UsageError, "no model fits this"),
        ("memory://a**b", UsageError, "memory://a**b: "),
        ("nowhere://a/*.onnx", UsageError, "Protocol not known: nowhere"),
        ("s3://bucket/*.onnx", MissingDependencyError, "s3://bucket/*.onnx: Install s3fs"),
        ("gs://bucket/*.onnx", MissingDependencyError, "gs://bucket/*.onnx: Please install gcsfs"),
        ("reference://x", UsageError, "reference://x: cannot be opened"),
        ("nothing/*.onnx", UsageError, "no model fits this"),
        ("", UsageError, "a model or a pattern is empty"),
    ],
)
def test_a_place_with_nothing_to_find_is_one_sentence(store, here, pattern, kind, said):
    if kind is MissingDependencyError and not is_missing(pattern):
        pytest.skip("the driver is installed")
    with pytest.raises(kind) as raised:
        bnfold.sweep(pattern, "out", executor=here)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not Path("out").exists()


def is_missing(pattern: str) -> bool:
    try:
        fsspec.get_filesystem_class(pattern.partition("://")[0])
    except ImportError:
        return True
    return False


@pytest.fixture
def closed(here, monkeypatch):
    """A folder that the system does not let us list, whoever we are."""
    put("zoo/a.onnx", "zoo/locked/b.onnx")
    scandir = os.scandir

    def refusing(path="."):
        if not isinstance(path, int) and Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return here


@pytest.mark.parametrize("pattern", ["zoo", "zoo/**/*.onnx", "zoo/**"])
def test_a_folder_that_cannot_be_listed_is_a_failure_beside_the_models(closed, pattern):
    put("zoo/other/c.onnx")
    result = bnfold.sweep(pattern, "out", executor=closed)
    assert [(o.source, o.status) for o in result.outcomes] == [
        ("zoo/a.onnx", "equivalent"), ("zoo/other/c.onnx", "equivalent"), ("zoo/locked", "failed"),
    ]  # fmt: skip
    assert result.outcomes[-1].reason == "zoo/locked: cannot be listed: permission denied"
    assert result.exit_code == 2


def test_where_nothing_else_fits_that_is_the_sentence(closed):
    said = CliRunner().invoke(main, ["sweep", "zoo/locked/*.onnx", "-o", "out"])
    assert said.exit_code == 2
    assert said.stderr == "bnfold: zoo/locked: cannot be listed: permission denied\n"
    assert not Path("out").exists()
