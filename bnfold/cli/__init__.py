"""The command line: parse, call the library, render, map errors to exit codes."""

from bnfold.cli.group import main

__all__ = ["main"]
