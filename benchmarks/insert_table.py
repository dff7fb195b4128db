"""Puts a generated fragment between its markers in a Markdown file, so that no figure is typed.

    <!-- generated:coverage -->
    ... replaced by what `python -m benchmarks.coverage` measured ...
    <!-- end -->

From a script: `insert(Path("README.md"), "coverage", table)`. From a shell:
`python -m benchmarks.insert_table README.md coverage < table.md`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def insert(document: Path, name: str, fragment: str) -> None:
    """The block called `name` in `document` now holds `fragment`, and nothing else has changed.

    Raises:
        ValueError: The document does not have exactly one block of that name.
    """
    block = re.compile(
        rf"(<!-- generated:{re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.DOTALL
    )
    text = document.read_text(encoding="utf-8")
    body = fragment.strip("\n")  # not its spaces: an indented block begins with some
    replaced, count = block.subn(lambda match: f"{match[1]}\n{body}\n\n{match[2]}", text)
    if count != 1:
        raise ValueError(f"{document}: {count} blocks <!-- generated:{name} -->, wanted one")
    document.write_text(replaced, encoding="utf-8")


if __name__ == "__main__":
    insert(Path(sys.argv[1]), sys.argv[2], sys.stdin.read())
