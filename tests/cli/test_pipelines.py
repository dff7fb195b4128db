"""What other people's pipelines call: the composite action, and the hook for pre-commit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]


def environment(**values: str) -> dict[str, str]:
    """That of a shell in which `bnfold` is this one."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    python = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": python, **values}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the action's shell is bash")
@pytest.mark.parametrize(
    ("name", "leaves", "code"), [("good", "0", 0), ("stuck", "0", 1), ("stuck", "", 0)]
)
def test_the_action_folds_verifies_gates_and_leaves_its_report(request, place, name, leaves, code):
    source = request.getfixturevalue({"good": "model", "stuck": "stuck"}[name])
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = next(step for step in action["runs"]["steps"] if "bnfold fold" in step.get("run", ""))
    given = {key: entry.get("default", "") for key, entry in action["inputs"].items()}
    given |= {"model": str(source), "leaves": leaves, "arguments": "--all"}
    values = {
        key: given[text.split("inputs.")[1].split(" ")[0]] for key, text in step["env"].items()
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    done = subprocess.run(
        command,
        cwd=place.folder,
        env=environment(**values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    left = {path.name for path in (place / "bnfold-report").iterdir()}
    assert left == {"fold.html", "fold.json", "fold.xml"}


def test_the_hook_refuses_a_model_with_a_batch_norm_that_could_be_folded(place, model, stuck):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, *arguments = shlex.split(hook["entry"])
    assert program == "bnfold"
    result = place.call(*arguments, stuck, model)
    assert result.exit_code == 1
    assert "good.onnx: 1 batch norm could be folded, 0 may be" in result.stdout
    assert place.call(*arguments, stuck).exit_code == 0
