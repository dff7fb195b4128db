"""How many nodes an export has, beside torch's own and that behind onnxsim.

    python -m benchmarks.export_nodes     # writes benchmarks/export_nodes.md

All have the same dynamic dimensions; the last column is after the fold.
"""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import onnx
import onnxsim
import torch
from torch import nn

import bnfold
from benchmarks.export_networks import NETWORKS

_TABLE = Path(__file__).with_name("export_nodes.md")


@dataclass(frozen=True)
class Row:
    """Nodes of one network, constants left out."""

    name: str
    is_dynamic: bool
    default: int
    simplified: int
    exported: int
    folded: int

    @property
    def is_short(self) -> bool:
        """Whether nobody else has fewer."""
        return self.folded <= min(self.default, self.simplified)


def measure(name: str, *, is_dynamic: bool) -> Row:
    """The network exported in each way, with random statistics in its batch norms."""
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = make().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            assert part.running_mean is not None, "its statistics are tracked"
            assert part.running_var is not None, "its statistics are tracked"
            part.running_mean.uniform_(-0.1, 0.1)
            part.running_var.uniform_(0.5, 2.0)
    x = torch.randn(shape)
    default = _by_default(module, x, is_dynamic=is_dynamic)
    simplified, _ = onnxsim.simplify(default)
    axes = {0: "batch"} if is_dynamic else {}
    first = "input" if isinstance(module, nn.Sequential) else "x"
    exported = bnfold.export(module, x, dynamic={first: axes})
    folded = bnfold.fold(exported.model).to_proto()  # type: ignore[operator]
    before = sum(node.op_type != "Constant" for node in exported.model.graph)
    return Row(name, is_dynamic, _nodes(default), _nodes(simplified), before, _nodes(folded))


def _by_default(module: nn.Module, x: torch.Tensor, *, is_dynamic: bool) -> onnx.ModelProto:
    shapes = ({0: torch.export.Dim.DYNAMIC},) if is_dynamic else None
    silent = redirect_stdout(StringIO()), redirect_stderr(StringIO())
    with warnings.catch_warnings(), silent[0], silent[1]:
        warnings.simplefilter("ignore")  # of torch, about itself
        program = torch.onnx.export(module, (x,), dynamo=True, verbose=False, dynamic_shapes=shapes)
    assert program is not None, "dynamo gives a program"
    return program.model_proto


def _nodes(model: onnx.ModelProto) -> int:
    return sum(node.op_type != "Constant" for node in model.graph.node)


def table(rows: list[Row]) -> str:
    """As Markdown."""
    lines = [
        "| network | batch | torch's default | and onnxsim | `bnfold export` | and folded |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    for row in rows:
        batch = "dynamic" if row.is_dynamic else "fixed"
        counts = (row.default, row.simplified, row.exported, row.folded)
        lines.append(f"| {row.name} | {batch} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> int:
    """Writes the table; 1 where somebody else's export has fewer nodes than the folded one."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    rows = [measure(name, is_dynamic=dynamic) for name in NETWORKS for dynamic in (True, False)]
    longer = [row.name for row in rows if not row.is_short]
    versions = f"torch {torch.__version__}, onnxsim {onnxsim.__version__.lstrip('v')}"
    text = f"# Nodes of an export\n\n{table(rows)}\n\nMade by `python -m benchmarks.export_nodes`"
    _TABLE.write_text(f"{text}: {versions}.\n")
    sys.stdout.write(f"longer than the others: {', '.join(longer) or 'none'}\n")
    return int(bool(longer))


if __name__ == "__main__":
    sys.exit(main())
