"""The pages that are made from the code: `python -m docs.generate`.

`commands.md` is what click knows of each command, `api.md` what signatures and docstrings say, and
`schemas/` what a record may hold. They are committed, and a test says when they are stale.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

import bnfold
from bnfold import errors, pytest_plugin
from bnfold.bench.records import BenchResult
from bnfold.bench.rows import Comparison
from bnfold.cli.group import COMMANDS, main
from bnfold.export.records import ExportResult
from bnfold.fold.account.ledger import Decision, Ledger
from bnfold.fold.api import FoldResult
from bnfold.fold.fold_pass import FoldBatchNorm
from bnfold.fold.plan import Refusal
from bnfold.run.records import RunResult
from bnfold.sweep.records import Outcome, Speed, SweepResult, Timing
from bnfold.torch_fold.records import FoldedModule
from bnfold.verify.records import Verification
from docs.schemas import RESULTS as RECORDS
from docs.schemas import schema_of

DOCS = Path(__file__).parent

FUNCTIONS = (
    bnfold.export,
    bnfold.fold,
    bnfold.inspect,
    bnfold.verify,
    bnfold.bench,
    bnfold.fold_module,
    bnfold.optimize,
    bnfold.run,
    bnfold.tune,
    bnfold.sweep,
)
RESULTS = (
    ExportResult,
    FoldResult,
    Ledger,
    Decision,
    Refusal,
    Verification,
    BenchResult,
    Comparison,
    FoldedModule,
    RunResult,
    SweepResult,
    Outcome,
    Speed,
    Timing,
    FoldBatchNorm,
)
ASSERTIONS = (
    pytest_plugin.assert_equivalent,
    pytest_plugin.assert_folds,
    pytest_plugin.assert_not_slower,
)
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.BnfoldError)
]
NOTE = "<!-- Made by `make docs` from the code; edit that. -->"


def commands_page() -> str:
    """Every command with its arguments and options."""
    parts = [NOTE, "# Commands", _prose(main.help or ""), _usage_of_all()]
    context = click.Context(main, info_name="bnfold")
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        parts += list(_command(command, click.Context(command, context, info_name=name)))
    return "\n\n".join(parts) + "\n"


def _usage_of_all() -> str:
    rows = [f"| [`bnfold {name}`](#bnfold-{name}) | {text} |" for name, text in COMMANDS.items()]
    return "\n".join(["| command | does |", "| --- | --- |", *rows]) + f"\n\n{main.epilog}"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## bnfold {command.name}"
    yield _prose(command.help or "")
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"    {context.command_path} {pieces}"
    rows = [
        _option(option, context) for option in command.params if isinstance(option, click.Option)
    ]
    yield "\n".join(["| option | means |", "| --- | --- |", *rows])
    if command.epilog:
        example = re.sub(r"\s+", " ", command.epilog).removeprefix("Example: ")
        yield f"For example:\n\n    {example}"


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    spelt, text = record
    return f"| `{_cell(spelt)}` | {_cell(text)} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("*", "\\*").strip()


def _prose(text: str) -> str:
    return inspect.cleandoc(text.replace("\b", ""))


def api_page() -> str:
    """The public functions, what they return and what they raise."""
    parts = [NOTE, "# Python", inspect.cleandoc(bnfold.__doc__ or "")]
    parts += [text for function in FUNCTIONS for text in _function(function, "bnfold")]
    parts.append("## What they return")
    parts += [text for kind in RESULTS for text in _class(kind)]
    parts.append("## In tests")
    parts.append(inspect.cleandoc(pytest_plugin.__doc__ or ""))
    parts += [text for function in ASSERTIONS for text in _function(function, function.__module__)]
    parts.append("## Errors")
    rows = [f"| `{kind.__name__}` | {kind.exit_code} | {_first(kind)} |" for kind in ERRORS]
    parts.append("\n".join(["| error | exit code | means |", "| --- | --: | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _function(function: Callable[..., Any], module: str) -> Iterator[str]:
    name = f"{module}.{function.__name__}"
    yield f"## {name}" if module == "bnfold" else f"### {name}"
    yield _code(_signature(function, name))
    yield _sections(inspect.getdoc(function) or "")


def _class(kind: type) -> Iterator[str]:
    yield f"### {kind.__module__}.{kind.__name__}"
    yield _sections(inspect.getdoc(kind) or "")
    rows = [
        f"| `{name}` | {_first(member)} |"
        for name, member in vars(kind).items()
        if not name.startswith("_") and (isinstance(member, property) or inspect.isfunction(member))
    ]
    if rows:
        yield "\n".join(["| member | gives |", "| --- | --- |", *rows])


def _signature(function: Callable[..., Any], name: str) -> str:
    signature = inspect.signature(function)
    lines: list[str] = []
    starred = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            lines.append("*")
            starred = True
        lines.append(_bare(parameter))
    inside = "".join(f"    {line},\n" for line in lines)
    return f"{name}(\n{inside}) -> {signature.return_annotation}"


def _bare(parameter: inspect.Parameter) -> str:
    """`seed: int = 0`, the annotation as it stands in the source."""
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {parameter.annotation}{default}"


def _sections(text: str) -> str:
    """A Google-style docstring as Markdown: each section a list."""
    paragraphs = []
    for block in re.split(r"\n\n", text):
        head, _, body = block.partition("\n")
        if re.fullmatch(r"(Args|Raises|Attributes|Returns):", head):
            entries = re.sub(r"\n {8,}", " ", body)
            items = [
                f"- `{item[1]}`: {item[2]}"
                for item in re.finditer(r"^ {4}([\w, ]+): (.*)$", entries, flags=re.MULTILINE)
            ]
            paragraphs.append("\n".join([f"{head}\n", *items]))
        else:
            paragraphs.append(block)
    return "\n\n".join(paragraphs)


def _first(member: object) -> str:
    """The first sentence of a docstring, without its end, for a cell."""
    line = (inspect.getdoc(member) or "").partition("\n\n")[0]
    return _cell(line)


def _code(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def schema_page(command: str) -> str:
    """The schema of a command's record."""
    return json.dumps(schema_of(command), indent=1) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "api.md": api_page,
    **{f"schemas/{command}.json": partial(schema_page, command) for command in RECORDS},
}


def write() -> None:
    """Every generated page is as the code says."""
    (DOCS / "schemas").mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
