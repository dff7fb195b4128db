"""The `bnfold` command: its parts are imported when they are called for, so help is instant.

That is why the border, what tells errors and what guesses at words are imported in the functions
that need them: each costs as much time as the help itself.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from bnfold import __version__
from bnfold.cli.signals import end_as_interrupted
from bnfold.cli.verbosity import verbosity_options

COMMANDS = {
    "export": "Write a torch module or program as ONNX, batch norms kept.",
    "inspect": "Tell where each batch norm would go or why it stays; write nothing.",
    "fold": "Fold every batch norm that can be folded exactly; account for the rest.",
    "verify": "Tell whether two models compute the same, rounding apart.",
    "bench": "Time models against each other, in pairs, and say what is certain.",
    "run": "Do it all: export, fold, verify, bench, one report.",
    "sweep": "Fold and verify a whole fleet of models, side by side, into one folder.",
    "report": "Show a JSON record again, as text, a page, JUnit or Markdown.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own names, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"bnfold.cli.{cmd_name}"), cmd_name
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; where there is none, those with names like it are told."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if args[0].endswith(".onnx") or Path(args[0]).is_file():
                said = f"{args[0]} is no command; did you mean 'bnfold fold {args[0]}'?"
            elif close:
                said = f"no such command '{args[0]}'; did you mean '{close[0]}'?"
            else:
                raise
            raise click.UsageError(said, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; what it raises has become one sentence and an exit code."""
        from bnfold.cli.border import Border
        from bnfold.cli.memory import spare_memory_only

        with spare_memory_only(), Border(ctx):
            return super().invoke(ctx)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Parses and runs, as click does, then ends the process with the command's exit code."""
        extra["standalone_mode"] = False
        end_as_interrupted()
        try:
            code = super().main(*args, **extra)
        except click.ClickException as error:
            if isinstance(error, click.exceptions.NoArgsIsHelpError):
                error.show()
            else:
                from bnfold.cli.sentence import one_sentence

                click.echo(one_sentence(error), err=True)
            code = error.exit_code
        except click.Abort:
            code = 130
        sys.exit(code or 0)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    epilog="Exit codes: 0 done, 1 the models differ, 2 usage or input, 3 inconclusive, "
    "4 provider not available, 5 a bug in bnfold, 130 interrupted.",
)
@click.version_option(__version__, message="bnfold %(version)s")
@verbosity_options
def main() -> None:
    """Folds every batch norm of a trained network that can be folded exactly, and proves it."""
