"""Another Python measures: what it is handed needs no bnfold, and what it lacks is a sentence."""

from __future__ import annotations

import ast
import subprocess
import sys
import venv
import zipfile

import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.bench.handed import packed, write_archive
from bnfold.bench.interpreter import OLDEST, another_python
from bnfold.errors import UsageError

OLD_RUNTIME = "1.17.3"


@pytest.fixture
def python_that(tmp_path):
    """python_that(says): a program that answers so, whatever it is asked."""

    def write(says: str, name: str = "python"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)
        return str(path)

    return write


def answer(**found: str) -> str:
    return "\n".join(f"echo bnfold-python {key} '{value}'" for key, value in found.items())


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("echo hello", "this is no Python; name the interpreter, such as env/bin/python"),
        (answer(python="2.7.18"), r"this is Python 2\.7\.18; measuring needs 3\.10 or newer"),
        (answer(python="3.9.1", numpy="1.26.4"), r"this is Python 3\.9\.1; measuring needs 3\.10"),
        (answer(python="3.12.1"), r"it has no numpy; .*python -m pip install numpy"),
        (
            answer(python="3.12.1", numpy="2.0.0", onnxruntime="- No module named onnxruntime"),
            "its onnxruntime cannot be imported",
        ),
        (
            answer(python="3.12.1", numpy="2.0.0", onnxruntime='- libcuda.so: "not" found'),
            'its onnxruntime cannot be imported: libcuda.so: "not" found',
        ),
    ],
)
def test_a_python_that_cannot_measure_is_refused_in_a_sentence(python_that, says, words):
    with pytest.raises(UsageError, match=words):
        another_python(python_that(says))


def test_what_is_no_program_is_refused_too(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        another_python(str(tmp_path / "python"))
    (tmp_path / "python").write_text("text")
    with pytest.raises(UsageError, match="it cannot be run"):
        another_python(str(tmp_path / "python"))


def test_a_python_without_onnxruntime_is_told_how_to_get_it(tmp_path):
    """A real one, without a package."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    with pytest.raises(
        UsageError, match=r"it has no numpy; .*/env/bin/python -m pip install numpy"
    ):
        another_python(str(python))


def test_the_archive_needs_numpy_and_onnxruntime_alone():
    """OpenVINO only where it is asked to run a model: that it is not there is said then."""
    standard = {*sys.stdlib_module_names, "numpy", "onnxruntime", "psutil", "bnfold"}
    for place, text in packed().items():
        for node in ast.walk(ast.parse(text)):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            more = {"openvino"} if place.endswith("openvino_model.py") else set()
            assert {name.partition(".")[0] for name in names} <= standard | more, place


def test_the_archive_is_read_by_the_oldest_python_that_is_taken():
    for place, text in packed().items():
        ast.parse(text, filename=place, feature_version=OLDEST)


def test_the_archive_runs_where_there_is_no_bnfold(tmp_path):
    """All that is there of it is a name: its own front door is not packed."""
    archive = write_archive(tmp_path)
    assert "bnfold/bench/child.py" in zipfile.ZipFile(archive).namelist()
    assert zipfile.ZipFile(archive).read("bnfold/__init__.py") == b""
    code = f"import sys; sys.path[:0] = [{str(archive)!r}]; import bnfold.bench.child"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_this_python_can_be_the_other_one_and_what_it_refuses_is_a_row(model_file):
    good = model_file("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }", "good.onnx")
    bad = model_file("g (float[N,2] x) => (float[N,2] y) { y = Nonsense(x) }", "bad.onnx")
    again = model_file("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }", "again.onnx")
    seen = []
    result = bnfold.bench(
        [good, bad, again],
        pythons=[sys.executable],
        levels="all",
        pairs=5,
        progress=lambda *step: seen.append(step),
    )
    (failed,) = result.failed
    assert failed.model == "bad.onnx"
    assert failed.sentence.startswith("onnxruntime refuses it: ")
    assert [(c.baseline, c.candidate) for c in result.comparisons] == [("good.onnx", "again.onnx")]
    assert result.runtimes[0].path == sys.executable
    assert result.comparisons[0].runtime == f"onnxruntime {result.runtimes[0].onnxruntime}"
    assert not result.is_conclusive
    assert not result
    assert [step[0] for step in seen] == sorted(step[0] for step in seen)
    assert seen[-1][0] == seen[-1][1]


def test_without_a_baseline_that_runs_there_are_no_pairs(model_file):
    good = model_file("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }", "good.onnx")
    bad = model_file("g (float[N,2] x) => (float[N,2] y) { y = Nonsense(x) }", "bad.onnx")
    result = bnfold.bench([bad, good], pythons=[sys.executable], levels="all", processes=1)
    assert result.comparisons == ()
    assert [row.model for row in result.isolated] == ["good.onnx"]


@pytest.mark.slow
def test_an_old_runtime_from_the_package_index_measures_what_it_can_load(tmp_path):
    """onnxruntime 1.17 takes IR version 9, and no later one."""
    if sys.version_info >= (3, 13):
        pytest.skip("that runtime has no wheel for this Python")
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", f"onnxruntime=={OLD_RUNTIME}", "numpy<2"]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("the package index cannot be reached")
    files = []
    for ir_version in (9, 9, 10):
        text = f'<ir_version: {ir_version}, opset_import: ["" : 17]>'
        model = onnx.parser.parse_model(f"{text} g (float[2] x) => (float[2] y) {{ y = Abs(x) }}")
        files.append(tmp_path / f"{len(files)}.onnx")
        onnx.save(model, files[-1])
    result = bnfold.bench(files, pythons=[python], levels="all", pairs=5)
    assert [row.model for row in result.isolated] == ["0.onnx", "1.onnx"]
    assert [(c.baseline, c.candidate) for c in result.comparisons] == [("0.onnx", "1.onnx")]
    assert result.runtimes[0].onnxruntime == OLD_RUNTIME
    (failed,) = result.failed
    assert failed.model == "2.onnx"
    assert "Unsupported model IR version: 10, max supported IR version: 9" in failed.sentence
