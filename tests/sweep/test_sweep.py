"""A fleet of models is folded side by side: what fails stays alone, what was stopped goes on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest
from click.testing import CliRunner

import bnfold
from bnfold.cli import main
from bnfold.errors import UsageError

MODEL = """
    <ir_version: 8, opset_import: ["" : 15]>
    net (float[N, 3, 5, 5] x) => (float[N, 2, M, P] y)
    <float[2, 3, 3, 3] w, float[2] scale = {1.5, -2.0}, float[2] shift = {0.25, 1.0},
     float[2] mean = {0.5, -1.0}, float[2] variance = {2.0, 0.5}>
    {
        h = Conv (x, w)
        y = BatchNormalization (h, scale, shift, mean, variance)
    }
"""


def model(seed: int) -> onnx.ModelProto:
    proto = onnx.parser.parse_model(MODEL)
    weight = np.random.default_rng(seed).standard_normal((2, 3, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return proto


@pytest.fixture
def zoo(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.onnx", "deep/b.onnx", "deep/er/c.onnx")):
        path = tmp_path / "zoo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model(seed), path)
    return tmp_path / "zoo"


def put(name: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(b"mine")


@pytest.fixture
def here():
    """Workers that are threads of this process: nothing has to be started."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


def answers(path: Path) -> np.ndarray:
    x = np.random.default_rng(7).standard_normal((2, 3, 5, 5)).astype(np.float32)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    return found


def test_every_model_is_folded_into_its_place_with_a_page(zoo, here):
    result = bnfold.sweep("zoo/**/*.onnx", "out", executor=here)
    assert result.exit_code == 0
    assert result.headline == "3 models: 3 equivalent; batch norms: 3 -> 0"
    for name in ("a", "deep/b", "deep/er/c"):
        folded = Path("out") / f"{name}.onnx"
        assert "BatchNormalization" not in {n.op_type for n in onnx.load(folded).graph.node}
        close(name, zoo)
        assert "equivalent" in (Path("out") / f"{name}.html").read_text()


def test_a_model_that_fails_stops_no_other_and_says_why(zoo, here):
    (zoo / "broken.onnx").write_bytes(b"no model at all")
    result = bnfold.sweep("zoo", "out", executor=here)
    assert result.exit_code == 2
    (failed,) = [outcome for outcome in result.outcomes if outcome.status == "failed"]
    assert (failed.source, failed.target) == ("zoo/broken.onnx", None)
    assert "broken.onnx" in failed.reason
    assert sum(outcome.status == "equivalent" for outcome in result.outcomes) == 3
    assert not Path("out/broken.onnx").exists()


def close(name: str, zoo: Path) -> None:
    found, wanted = answers(Path("out") / f"{name}.onnx"), answers(zoo / f"{name}.onnx")
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_second_sweep_keeps_what_has_not_changed_and_does_the_rest(zoo, here):
    bnfold.sweep("zoo", "out", executor=here)
    onnx.save(model(9), zoo / "a.onnx")  # another content
    Path("out/deep/b.onnx").write_bytes(Path("out/deep/er/c.onnx").read_bytes())  # spoilt
    times = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.onnx")}
    result = bnfold.sweep("zoo", "out", executor=here)
    assert [outcome.is_kept for outcome in result.outcomes] == [False, False, True]
    assert Path("out/deep/er/c.onnx").stat().st_mtime_ns == times[Path("out/deep/er/c.onnx")]
    for name in ("a", "deep/b", "deep/er/c"):
        close(name, zoo)


@pytest.mark.parametrize("left", ["", '{"tool": {"na'], ids=["empty", "cut"])
def test_a_record_that_a_full_disk_left_without_its_first_line(zoo, here, monkeypatch, left):
    """It is whole or not there; what older versions left empty is begun anew."""
    Path("out").mkdir()
    if not left:
        Path("out/sweep.jsonl").write_text("")
        assert bnfold.sweep("zoo/a.onnx", "out", executor=here).exit_code == 0
        assert bnfold.sweep("zoo/a.onnx", "out", executor=here).outcomes[0].is_kept
        return

    def torn(self, content):
        with self.open("wb") as file:
            file.write(content[: len(left)])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", torn)
        with pytest.raises(OSError, match="No space left") as raised:
            bnfold.sweep("zoo/a.onnx", "out", executor=here)
    assert raised.value.filename == "out/sweep.jsonl"
    assert not any(Path("out").iterdir())


def test_a_page_that_cannot_be_written_is_a_failure_of_its_model(zoo, here, monkeypatch):
    write = Path.write_bytes

    def torn(self, content):
        if self.name == "b.html":
            raise OSError(28, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", torn)
    result = bnfold.sweep("zoo", "out", executor=here)
    assert [outcome.exit_code for outcome in result.outcomes] == [0, 2, 0]
    said = "zoo/deep/b.onnx: out/deep/b.html: no space left on device"
    assert result.outcomes[1].reason == said
    assert not Path("out/deep/b.onnx").exists()


def test_a_result_that_was_deleted_is_made_again(zoo, here):
    first = bnfold.sweep(zoo, "out", executor=here, samples=2)
    for outcome in first.outcomes:
        Path(outcome.target).unlink()
    again = bnfold.sweep(zoo, "out", executor=here, samples=2)
    assert [outcome.reason for outcome in again.outcomes if outcome.status == "failed"] == []
    assert all(Path(outcome.target).exists() for outcome in again.outcomes)


def test_the_page_of_a_model_that_fails_now_stays_the_sweeps_own(zoo, here):
    bnfold.sweep(zoo, "out", executor=here, samples=2)
    content = (zoo / "a.onnx").read_bytes()
    (zoo / "a.onnx").write_bytes(content[:99])
    broken = bnfold.sweep(zoo, "out", executor=here, samples=2)
    assert sorted(outcome.status for outcome in broken.outcomes)[-1] == "failed"
    (zoo / "a.onnx").write_bytes(content)
    mended = bnfold.sweep(zoo, "out", executor=here, samples=2)
    assert [outcome.status for outcome in mended.outcomes] == ["equivalent"] * 3


def test_other_settings_are_another_sweep(zoo, here):
    bnfold.sweep("zoo", "out", executor=here)
    result = bnfold.sweep("zoo", "out", executor=here, skip="conv")
    assert [outcome.after for outcome in result.outcomes] == [1, 1, 1]
    assert not any(outcome.is_kept for outcome in result.outcomes)


def test_a_record_that_was_cut_by_a_kill_is_read_up_to_there(zoo, here):
    bnfold.sweep("zoo", "out", executor=here)
    journal = Path("out/sweep.jsonl")
    journal.write_text(journal.read_text()[:-40])
    result = bnfold.sweep("zoo", "out", executor=here)
    assert [outcome.is_kept for outcome in result.outcomes] == [True, True, False]
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line.get("source") for line in lines[2:]] == [o.source for o in result.outcomes]


def test_what_it_has_written_is_no_model_of_the_next_sweep(zoo, here):
    bnfold.sweep("zoo", "zoo/out", executor=here)
    again = bnfold.sweep("zoo", "zoo/out", executor=here)
    assert len(again.outcomes) == 3
    assert all(outcome.is_kept for outcome in again.outcomes)


@pytest.mark.parametrize(
    ("prepare", "models", "output", "said"),
    [
        (lambda: None, "zoo/*.nothing", "out", "no model fits"),
        (lambda: None, "zoo", "zoo", "would be lost"),
        (lambda: put("out/a.onnx"), "zoo", "out", "--force"),
        (lambda: put("out/a.html"), "zoo", "out", "a.html: is there already"),
        (lambda: put("out/a.speed.html"), "zoo", "out", "a.speed.html: is there already"),
        (lambda: Path("out").write_bytes(b"mine"), "zoo", "out", "is a file"),
        (lambda: put("out/sweep.jsonl"), "zoo", "out",
         "not written by a sweep"),
    ],
    ids=["nothing fits", "onto the models", "somebody's model", "somebody's page",
         "somebody's other page", "a file", "somebody's record"],
)  # fmt: skip
def test_nothing_of_the_user_is_lost(zoo, here, prepare, models, output, said):
    prepare()
    before = {path: path.read_bytes() for path in zoo.parent.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=said):
        bnfold.sweep(models, output, executor=here)
    assert before == {path: path.read_bytes() for path in zoo.parent.rglob("*") if path.is_file()}


def test_two_models_that_would_share_a_target_are_refused(zoo, here):
    (zoo / "a.ONNX").write_bytes((zoo / "a.onnx").read_bytes())
    with pytest.raises(UsageError, match="several of the models"):
        bnfold.sweep(["zoo/a.onnx", "zoo/a.ONNX"], "out", executor=here)


def test_a_model_that_is_named_twice_is_folded_once(zoo, here):
    Path("link.onnx").symlink_to("zoo/a.onnx")
    names = ["zoo/a.onnx", "./zoo/a.onnx", str(zoo / "a.onnx"), "zoo/deep/../a.onnx", "link.onnx"]
    result = bnfold.sweep(names, "out", executor=here)
    assert [outcome.source for outcome in result.outcomes] == ["zoo/a.onnx"]


def test_a_folded_model_whose_original_is_gone_is_told_of(zoo, here):
    first = bnfold.sweep("zoo", "out", executor=here)
    assert first.orphans == ()
    (zoo / "a.onnx").unlink()
    for _ in range(2):
        result = bnfold.sweep("zoo", "out", executor=here)
        assert result.orphans == (str(Path("out/a.onnx")),)
        assert Path("out/a.onnx").exists()
    Path("out/a.onnx").unlink()
    assert bnfold.sweep("zoo", "out", executor=here).orphans == ()


def test_models_are_read_by_url(zoo, here):
    pytest.importorskip("fsspec")
    result = bnfold.sweep(f"file://{zoo}/deep/*.onnx", "out", executor=here)
    assert [outcome.status for outcome in result.outcomes] == ["equivalent"]
    assert Path("out/b.onnx").is_file()


def test_models_of_a_store_that_is_no_folder_are_copied_and_folded(zoo, here):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.put(f"{zoo}/", "/fleet/", recursive=True)
    store.pipe("/fleet/broken.onnx", b"no model at all")
    result = bnfold.sweep("memory://fleet/**/*.onnx", "out", executor=here)
    found = {outcome.source: outcome.status for outcome in result.outcomes}
    assert found == {
        "memory://fleet/a.onnx": "equivalent", "memory://fleet/broken.onnx": "failed",
        "memory://fleet/deep/b.onnx": "equivalent", "memory://fleet/deep/er/c.onnx": "equivalent",
    }  # fmt: skip
    for name in ("a", "deep/b", "deep/er/c"):
        close(name, zoo)
    again = bnfold.sweep("memory://fleet/**/*.onnx", "out", executor=here)
    assert [outcome.is_kept for outcome in again.outcomes] == [True, False, True, True]
    with pytest.raises(UsageError, match="no model fits"):
        bnfold.sweep("memory://nowhere/*.onnx", "out", executor=here)


def test_the_command_shows_a_table_and_writes_page_and_record(zoo):
    (zoo / "broken.onnx").write_bytes(b"no model at all")
    args = ["sweep", "zoo", "-o", "out", "--json", "all.json", "--workers", "1"]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert "4 models: 3 equivalent, 1 failed; batch norms: 3 -> 0" in result.stdout
    record = json.loads(Path("all.json").read_text())
    assert [one["status"] for one in record["result"]["models"]].count("equivalent") == 3
    page = Path("out/sweep.html").read_text()
    assert 'href="deep/er/c.html"' in page


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9", "nothing.invalid", "foo://x", "inproc://x"]
)
def test_a_scheduler_that_is_not_there_is_one_sentence(zoo, address):
    pytest.importorskip("distributed")
    from bnfold.sweep import cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "PATIENCE_S", 0.5)
        args = ["sweep", "zoo", "-o", "out", "--scheduler", address]
        result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    said = f"bnfold: --scheduler {address}: no scheduler answers there"
    assert result.stderr.strip() == said
    assert not Path("out").exists()


def test_gates_of_a_sweep_name_the_model_and_are_cases_for_ci(zoo):
    """One model keeps a batch norm, one cannot be read: each by its name, and the rest hold."""
    kept = model(7)
    (conv,) = (node for node in kept.graph.node if node.op_type == "Conv")
    kept.graph.output.append(onnx.ValueInfoProto(name=conv.output[0]))
    kept.graph.output[-1].type.CopyFrom(kept.graph.output[0].type)
    onnx.save(kept, zoo / "kept.onnx")
    args = ["sweep", "zoo", "-o", "out", "--workers", "1", "--leaves", "0", "--junit", "j.xml"]
    result = CliRunner().invoke(main, [*args, "--json", "s.json"])
    assert result.exit_code == 1
    again = CliRunner().invoke(main, ["report", "s.json", "--html", "s.html"])
    row = "zoo/kept.onnx       equivalent            1     1  1 stay: graph-output"
    assert row in again.stdout
    assert "bottom line: 4 models: 4 equivalent; batch norms: 4 -> 1" in again.stdout
    assert "zoo/kept.onnx" in Path("s.html").read_text(encoding="utf-8")
    told = CliRunner().invoke(main, ["report", "s.json", "--junit", "s.xml"])
    assert told.stdout.startswith("bnfold sweep\n")
    assert len(ElementTree.parse("s.xml").getroot().findall("testcase")) == 4
    assert "gate --leaves 0: does not hold: zoo/kept.onnx: 1 batch norm left" in result.stdout
    (zoo / "kept.onnx").write_bytes(b"no model")
    assert CliRunner().invoke(main, args).exit_code == 2
    cases = ElementTree.parse("j.xml").getroot().findall("testcase")
    wrong = [
        case.get("name")
        for case in cases
        if not {"failure", "error"}.isdisjoint(e.tag for e in case)
    ]
    assert wrong == ["zoo/kept.onnx"]
    assert len(cases) == 4 + 3  # each model, and the gate for each that was folded


def test_pairs_without_a_timing_are_refused(zoo, here):
    with pytest.raises(UsageError, match="ask for bench"):
        bnfold.sweep("zoo", "out", executor=here, pairs=5)
    with pytest.raises(UsageError, match="at least 5"):
        bnfold.sweep("zoo", "out", executor=here, bench=True, pairs=4)
    assert not Path("out").exists()


@pytest.mark.slow  # processes are started, and models timed
def test_each_model_is_timed_on_request_and_what_was_timed_is_kept(zoo):
    """One does not run at batch 1, where the others are timed: it is folded, and says why."""
    text = MODEL.replace("y = Batch", "b = Batch").replace("[N, 2, M, P]", "[K, 36]")
    text = text.replace("float[2] mean", "int64[2] rows = {-1, 36}, float[2] mean")
    even = onnx.parser.parse_model(text.rstrip().removesuffix("}") + "y = Reshape (b, rows)\n}")
    even.graph.initializer.extend(model(3).graph.initializer[-1:])
    onnx.save(even, zoo / "even.onnx")
    (zoo / "deep/er/c.onnx").write_bytes(b"no model")
    args = ["sweep", "zoo", "-o", "out", "--workers", "1", "--bench", "--pairs", "5"]
    result = CliRunner().invoke(main, [*args, "--json", "all.json"])
    assert result.exit_code == 2, result.output
    record = json.loads(Path("all.json").read_text())
    models = {one["source"]: one for one in record["result"]["models"]}
    assert models["zoo/deep/er/c.onnx"]["speed"] is None
    assert models["zoo/even.onnx"]["status"] == "equivalent"
    assert "Reshape" in models["zoo/even.onnx"]["speed"]["reason"]
    assert models["zoo/even.onnx"]["speed"]["timings"] == []
    page, lines = Path("out/sweep.html").read_text(), Path("out/sweep.jsonl").read_text()
    for name in ("a", "deep/b"):
        speed = models[f"zoo/{name}.onnx"]["speed"]
        assert [timing["level"] for timing in speed["timings"]] == ["all", "none"]
        ratio = speed["timings"][0]["ratio"]
        assert ratio["low"] <= ratio["estimate"] <= ratio["high"]
        assert f'href="{name}.speed.html"' in page
        assert f"bnfold sweep: zoo/{name}.onnx, timed" in Path(f"out/{name}.speed.html").read_text()
        assert json.dumps(speed) in lines
        assert speed["reason"] in result.stdout
    again = bnfold.sweep("zoo", "out", workers=1, bench=True, pairs=5)
    kept = {o.source: o.speed for o in again.outcomes if o.speed and o.speed.timings}
    assert {name: kept[name].to_dict() for name in kept} == {
        name: models[name]["speed"] for name in ("zoo/a.onnx", "zoo/deep/b.onnx")
    }
    untimed = bnfold.sweep("zoo", "out", workers=1)
    assert all(outcome.speed is None for outcome in untimed.outcomes)
