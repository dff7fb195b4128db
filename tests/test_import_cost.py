"""What `import bnfold` and `bnfold --help` do not load: a quick answer stays quick."""

from __future__ import annotations

import subprocess
import sys

import onnx
import onnx.parser
import pytest

HEAVY = ("torch", "onnxruntime", "onnxsim", "onnxscript")
HEAVY_FOR_HELP = (*HEAVY, "onnx", "onnx_ir", "numpy", "rich")


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running the code."""
    tell = "import sys; print('modules:', *sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("modules:")[2].split())


HELP = """
from bnfold.cli import main
try:
    main({args}, prog_name='bnfold')
except SystemExit as stop:
    assert stop.code == 0, stop.code
"""


def test_importing_bnfold_loads_nothing_heavy():
    assert modules_after("import bnfold").isdisjoint(HEAVY_FOR_HELP)


@pytest.mark.parametrize(
    "args",
    [["--help"], ["--version"], *([name, "--help"] for name in ("fold", "inspect", "bench"))],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(args):
    assert modules_after(HELP.format(args=args)).isdisjoint(HEAVY_FOR_HELP)


@pytest.mark.parametrize("args", [["--help"], ["--version"]], ids=" ".join)
def test_the_first_help_loads_only_what_it_shows(args):
    """What tells errors and guesses at words costs as much time as click does."""
    assert modules_after(HELP.format(args=args)).isdisjoint(("difflib", "logging", "traceback"))


@pytest.mark.parametrize("name", ["fold", "verify", "bench", "export"])
def test_naming_a_public_function_does_not_load_torch(name):
    assert modules_after(f"import bnfold; bnfold.{name}").isdisjoint(("torch", "onnxsim"))


def test_a_fold_on_the_command_line_loads_no_sympy_and_nothing_of_export_and_verify(tmp_path):
    """onnx-ir imports SymPy, which takes as long as all the rest and is not used."""
    text = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y) '
        "<float[2] s = {1, 2}, float[2] b = {3, 4}, float[2] m = {5, 6}, float[2] v = {7, 8}, "
        "float[2, 2] w = {1, 2, 3, 4}> "
        "{ z = MatMul(x, w) y = BatchNormalization(z, s, b, m, v) }"
    )
    onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bnfold", "fold", "net.onnx", "-o", "out.onnx"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "onnx_ir" in loaded
    assert loaded.isdisjoint(("sympy", "bnfold.export.api", "bnfold.verify.api"))
