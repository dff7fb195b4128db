"""A step of a deployment pipeline: a trained module in, a folded model out, or nothing at all.

    python examples/deploy.py deployed.onnx

Replace `models.cnn:post` by a factory of yours, and `held_out` by examples that your network was
not trained on. Exit codes are bnfold's: 0, or 1 where the folded model is not the trained one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bnfold
from models.data import held_out
from models.recipe import RECIPES

FACTORY = "models.cnn:post"


def deploy(target: Path) -> None:
    """The folded model is at `target`, compared with what was trained; or an error is raised."""
    examples = held_out(RECIPES["cnn_post"]).inputs[:64]
    with tempfile.TemporaryDirectory() as folder:
        exported = bnfold.export(FACTORY, path=Path(folder) / "exported.onnx")
        print(f"exported {exported.batch_norms} batch norms, checked against the module")

        result = bnfold.fold(Path(folder) / "exported.onnx", allow=["rectifier"])
        print(result.ledger.summary)
        for decision in result.ledger.kept:
            print(f"  kept {decision.name}: {decision.refusals[0].sentence}")

        found = bnfold.verify(Path(folder) / "exported.onnx", result.model, data=examples)
        found.raise_if_different()
        print(f"{found.verdict}: {found.worst_ratio:.2f} times the original's own rounding error")
    result.save(target)


if __name__ == "__main__":
    try:
        deploy(Path(sys.argv[1]))
    except bnfold.BnfoldError as error:
        print(f"not deployed: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
