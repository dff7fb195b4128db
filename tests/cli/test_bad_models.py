"""A bad model gets one sentence, the exit code of the design, and every file stays as it was."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest

from tests.cli.conftest import a_bad_file

KINDS = {
    "missing": "no such file",
    "folder": "folder",
    "empty": "empty",
    "text": "not an ONNX model",
    "truncated": "truncated",
    "without nodes": "no nodes",
    "broken link": "no such file",
}
COMMANDS = {
    "inspect": ["inspect", "bad.onnx"],
    "fold": ["fold", "bad.onnx", "-o", "out.onnx"],
    "fold in place": ["fold", "bad.onnx", "-o", "bad.onnx"],
    "verify": ["verify", "bad.onnx", "good.onnx"],
    "verify second": ["verify", "good.onnx", "bad.onnx"],
    "bench": ["bench", "bad.onnx"],
    "run": ["run", "bad.onnx", "-o", "results"],
}


def assert_one_sentence(stderr: str) -> None:
    assert stderr.startswith("bnfold: ")
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1
    assert "Traceback" not in stderr
    assert "this is a bug" not in stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_model_gets_one_sentence_and_nothing_changes(place, model, command, kind):
    a_bad_file(kind)(place / "bad.onnx")
    before = place.content()
    result = place.call(*COMMANDS[command])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert_one_sentence(result.stderr)
    assert "bad.onnx" in result.stderr
    assert place.content() == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_sentence_says_what_is_wrong(place, kind):
    a_bad_file(kind)(place / "bad.onnx")
    assert KINDS[kind] in place.call("inspect", "bad.onnx").stderr


@pytest.mark.parametrize("kind", ["empty", "truncated"])
def test_the_same_in_a_process_of_its_own(place, kind):
    a_bad_file(kind)(place / "bad.onnx")
    before = place.content()
    done = place.spawn("fold", "bad.onnx", "-o", "out.onnx")
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_sentence(done.stderr)
    assert place.content() == before


def test_verbose_shows_where_a_bad_model_was_noticed(place):
    a_bad_file("empty")(place / "bad.onnx")
    stderr = place.call("inspect", "bad.onnx", "--verbose").stderr
    assert stderr.startswith("Traceback")
    assert stderr.splitlines()[-1].startswith("bnfold: bad.onnx")


UNKNOWN_DOMAIN = """
<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1]>
g (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) { [mine] y = my.ops.Foo (x) }
"""


@pytest.fixture
def custom(place):
    onnx.save(onnx.parser.parse_model(UNKNOWN_DOMAIN), place / "custom.onnx")
    return place / "custom.onnx"


@pytest.mark.parametrize(
    "args", [["bench", "custom.onnx"], ["verify", "custom.onnx", "custom.onnx"]], ids=" ".join
)
def test_what_runs_a_model_names_the_operator_that_it_does_not_know(place, custom, args):
    before = place.content()
    result = place.call(*args)
    assert result.exit_code in {2, 3}
    assert "my.ops" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    assert place.content() == before


def test_folding_leaves_an_unknown_operator_alone_and_says_so(place, custom):
    result = place.call("fold", "custom.onnx", "-o", "out.onnx")
    assert result.exit_code == 0
    assert result.stderr == (
        "bnfold: note: custom.onnx: operators of the unknown domain 'my.ops' stay as they are\n"
    )
    assert [node.domain for node in onnx.load(place / "out.onnx").graph.node] == ["my.ops"]


def test_a_domain_that_the_model_does_not_import_is_refused(place):
    model = onnx.parser.parse_model(UNKNOWN_DOMAIN)
    del model.opset_import[1]
    onnx.save(model, place / "bad.onnx")
    before = place.content()
    result = place.call("fold", "bad.onnx", "-o", "out.onnx")
    assert result.exit_code == 2
    assert_one_sentence(result.stderr)
    assert "'my.ops' is not imported" in result.stderr
    assert place.content() == before
