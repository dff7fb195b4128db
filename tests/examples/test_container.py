"""The image that the page on deploying describes: built with this bnfold, and run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from benchmarks.motifs import Motif, Norm
from tests.docs.blocks import blocks_of

ROOT = Path(__file__).parents[2]


def has_docker() -> bool:
    """Whether there is a daemon that answers."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60)
    return asked.returncode == 0


@pytest.mark.slow
def test_the_image_of_the_page_is_built_and_runs(tmp_path: Path) -> None:
    if not has_docker():
        pytest.skip("there is no Docker daemon here")
    page = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
    for block in blocks_of(page):
        if block.file in ("Dockerfile", "serve.py"):
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    text = "(float[N,3,8,8] x) => (float[N,4,P,Q] y) { a = Conv(x, w) y = BN(a, n) }"
    net = Motif("net", text, {"w": (4, 3, 3, 3), "n": Norm(4)}, "").model()
    onnx.save(net, tmp_path / "net.onnx")
    wheel = ["-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path / "wheels", ROOT]
    subprocess.run([sys.executable, *wheel], check=True)
    name = "bnfold-page-on-deploying"
    subprocess.run(["docker", "build", "--quiet", "-t", name, tmp_path], check=True)
    try:
        ran = subprocess.run(
            ["docker", "run", "--rm", name], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run(["docker", "rmi", "--force", name], capture_output=True, check=True)
    assert ran.stdout.strip() == "(1, 4, 6, 6)"
