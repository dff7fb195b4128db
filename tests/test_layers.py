"""Imports point one way: cli and plugin, report, bench and export, verify, fold, the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bnfold

ROOT = Path(bnfold.__file__).parent
LAYERS = (
    {"errors", "__init__"},
    {"arguments", "progress", "escaping", "fresh_names", "torch_files", "wire"},
    {"logs"},
    {"notebook_display"},  # asks the report, by its name, how a result looks in a notebook
    {"record"},
    {"runtime"},
    {"float64", "model_io", "torch_code"},
    {"typed"},
    {"fold"},
    {"verify"},
    {"int8", "peers"},
    {"bench", "export"},
    {"tune"},
    {"torch_fold"},
    {"report"},
    {"run"},
    {"sweep", "integrations"},
    {"pytest_plugin", "cli"},
    {"__main__"},
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
FILES = sorted(ROOT.rglob("*.py"))


def is_handed_over(path: Path) -> bool:
    """Whether another Python may be handed the file's folder, without bnfold."""
    return path.is_relative_to(ROOT / "runtime/engine")


def is_ours(node: ast.ImportFrom) -> bool:
    """Whether the import is of bnfold, by any name."""
    return node.level > 0 or (node.module or "").startswith("bnfold")


def part_of(path: Path) -> str:
    """The first part of a file's place in the package: `fold` for bnfold/fold/api.py."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_parts(path: Path) -> Iterator[str]:
    """The parts of bnfold that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("bnfold.")]
        elif isinstance(node, ast.ImportFrom) and is_handed_over(path):
            assert node.level == 1 or not is_ours(node), f"{path}: its folder must stand alone"
            continue
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it points"
            names = [node.module or ""]
            if node.module == "bnfold":
                names = [f"bnfold.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("bnfold."):
                part = name.split(".")[1]
                yield "__init__" if part.startswith("__") else part


def test_a_file_imports_only_its_own_part_and_the_layers_below():
    """The public names are imported when they are used: `__init__` is left out."""
    upward = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in FILES
        if (part := part_of(path)) != "__init__"
        for imported in imported_parts(path)
        if imported != part and RANK[imported] >= RANK[part]
    ]
    assert not upward


def test_every_part_of_the_package_has_a_layer():
    assert {part_of(path) for path in FILES} <= set(RANK)


ROOMS = (
    "numbers", "facts", "plan", "sources", "moves", "question", "merge", "proof", "edit",
    "account", "equalize", "rules", "advice", "folder", "rehearsal", "in_place", "opinion", "api",
    "fold_pass", "__init__",
)  # fmt: skip
"""The rooms of fold/, each of which sees only those before it."""

FOLD_FILES = sorted((ROOT / "fold").rglob("*.py"))


def room_of(path: Path) -> str:
    """The room of a file of fold/: `edit` for fold/edit/engine.py."""
    return path.relative_to(ROOT / "fold").with_suffix("").parts[0]


def imported_rooms(path: Path) -> Iterator[str]:
    """The rooms of fold/ that a file imports, names for the type checker included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "bnfold.fold":
            modules = [f"bnfold.fold.{alias.name}" for alias in node.names]
        else:
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            if module.startswith("bnfold.fold."):
                yield module.split(".")[2]


def test_a_room_of_the_fold_imports_only_the_rooms_before_it():
    upward = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in FOLD_FILES
        for imported in imported_rooms(path)
        if ROOMS.index(imported) > ROOMS.index(room_of(path))
    ]
    assert not upward


def readers_of_op_type(path: Path) -> Iterator[str]:
    """What a file asks for its operator's name; a node that is to be made (`new`) may be asked."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr == "op_type":
            asked = ast.unparse(node.value)
            if asked not in ("new", "self"):
                yield asked


ASKS_NO_NODE = [
    path
    for path in FOLD_FILES
    if path.relative_to(ROOT / "fold").parts[0] not in ("edit", "proof") and path.name != "node.py"
]


def test_which_operator_a_node_is_facts_node_says():
    """It minds the domain: a local function may be called Relu."""
    askers = {str(path.relative_to(ROOT)): list(readers_of_op_type(path)) for path in ASKS_NO_NODE}
    assert not {path: asked for path, asked in askers.items() if asked}
