"""What the pages tell the reader to type does what they say; what is not run has a reason."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bnfold.cli.group import COMMANDS
from tests.docs.blocks import blocks_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [path.name for path in sorted(DOCS.glob("*.md"))]
needs_bash = pytest.mark.skipif(sys.platform == "win32", reason="the pages speak to a Unix shell")


def shell(text, folder, exit_codes=frozenset({0})):
    """Runs the lines with this bnfold and this Python, in the folder; each must end as it may."""
    prologue = (
        f'bnfold() {{ "{sys.executable}" -m bnfold "$@"; }}\n'
        f'python() {{ "{sys.executable}" "$@"; }}\nset -e\n'
    )
    done = subprocess.run(
        ["bash", "-c", prologue + text],
        cwd=folder,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode in exit_codes, f"{text}\n{done.stdout}\n{done.stderr}"


def play(name, folder):
    """Does what the page says, block by block."""
    for block in blocks_of((DOCS / name).read_text(encoding="utf-8")):
        if block.reason_not_to_run:
            continue
        if block.file:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            (folder / "block.py").write_text(block.text, encoding="utf-8")
            shell("python block.py", folder)
        else:
            assert block.language == "sh", f"{name}: say how a block of {block.language!r} is run"
            shell(block.text, folder, block.exit_codes)


@needs_bash
@pytest.mark.slow
def test_the_quick_start_and_the_pages_on_ci_and_records_run(tmp_path):
    """One folder for all: the later pages start from the models of the quick start."""
    pytest.importorskip("torch")
    for name in ("index.md", *(page for page in PAGES if page != "index.md")):
        if name == "ci.md":  # what the workflow runs, but for the installation
            blocks = blocks_of((DOCS / name).read_text(encoding="utf-8"))
            workflows = "\n".join(block.text for block in blocks if block.language == "yaml")
            lines = re.findall(r"- run: (bnfold .*)", workflows)
            assert len(lines) == 2
            shell("\n".join(lines), tmp_path)
        play(name, tmp_path)


@needs_bash
@pytest.mark.slow
def test_the_example_of_each_command_runs(tmp_path):
    torch = pytest.importorskip("torch")
    quick = blocks_of((DOCS / "index.md").read_text(encoding="utf-8"))
    (net,) = (block for block in quick if block.file == "net.py")
    (data,) = (block for block in quick if block.file == "data.py")
    (tmp_path / "net.py").write_text(net.text.replace("x: ", ""), encoding="utf-8")
    (tmp_path / "data.py").write_text(data.text, encoding="utf-8")
    names = {}
    exec(compile(net.text, "net.py", "exec"), names)
    torch.save(names["build"]().state_dict(), tmp_path / "net.pt")
    shell("bnfold export net.py:build -o net.onnx\npython data.py", tmp_path)
    shell("bnfold fold net.onnx -o folded.onnx --json report.json", tmp_path)
    shell("mkdir -p zoo/vision && cp net.onnx zoo/vision", tmp_path)  # a fleet for sweep
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    examples = re.findall(r"For example:\n\n    (.*)", page)
    assert len(examples) == len(COMMANDS)
    for example in examples:
        if "--input x:" in example:  # the name of the parameter of a forward of the reader's own
            own = example.replace("x:1,3,224,224", "input:1,3,32,32")
        else:
            own = example
        shell(own, tmp_path, {0, 3} if re.match("bnfold (bench|run) ", own) else {0})


@pytest.mark.parametrize("name", PAGES)
def test_a_note_on_a_block_is_one_that_is_understood(name):
    for block in blocks_of((DOCS / name).read_text(encoding="utf-8")):
        assert re.match(r"(file|not run|may end with \d+): \S|$", block.note), block.note


@pytest.mark.parametrize("page", [*(DOCS / name for name in PAGES), ROOT / "CONTRIBUTING.md"])
def test_every_link_leads_to_a_file_and_a_heading_that_there_are(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue  # looked up by nobody: tests have no network
        file, _, anchor = target.partition("#")
        other = page if not file else page.parent / file
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), flags=re.M)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name}: {target}"


def test_every_page_is_in_the_navigation_of_the_site():
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r": (\S+\.md)$", site, flags=re.MULTILINE)) == set(PAGES)
