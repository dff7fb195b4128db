"""What `bnfold fold --tune` keeps: `python -m benchmarks.tuning`.

CREPE with its trained weights, the trained digits network whose batch norms stand behind the
activation, and PP-OCRv4's detector, tuned in float32 and in int8. What is free is measured against
the original and kept unless it is slower; each rewrite that has a price is measured in pairs
against the model without it, and only what is faster is kept. Then the tuned model is measured
against the original, which is what a user gets. Writes benchmarks/tuning.md; `--quick` writes
nothing. What was measured is kept in `--folder`: a run that was stopped goes on. Takes `--budget`
seconds a row at most, and a minute for the last measurement: about 40 minutes, --quick about 5.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import bnfold
from benchmarks.deployed import OTHERS
from benchmarks.kept import kept
from benchmarks.network_sources import sources
from benchmarks.runtimes import calibration, open_sizes
from bnfold.fold import FoldResult
from bnfold.report.bench_text import environment_line
from models.digits_cnn_post import example_inputs
from models.registry import build

BUDGET_S = 500.0
_TRAINED = ("crepe-full", "ch_PP-OCRv4_det_infer")
_PAGE = Path(__file__).with_name("tuning.md")
_HEAD = """| network | target | tried | kept | tuned against original |
| --- | --- | --- | --- | --- |"""


def networks(folder: Path) -> dict[str, Callable[[], Path]]:
    """How to get each network's file."""
    trained = {source.name: source.get for source in sources(folder) if source.trained}
    found = {OTHERS[name]: trained[name] for name in _TRAINED if name in trained}
    return {**found, "digits, post-activation": lambda: _digits(folder)}


def _digits(folder: Path) -> Path:
    path = folder / "digits_cnn_post.onnx"
    if not path.exists():
        bnfold.export(build("digits_cnn_post"), example_inputs()[0], path)
    return path


def tuned(model: Path, target: str, folder: Path, *, budget: float, pairs: int) -> FoldResult:
    """The model, tuned; what was measured stays in a state file of its own."""
    return bnfold.tune(
        model, target=target, budget=budget, pairs=pairs,
        int8=calibration(model) if target == "int8" else None, dims=open_sizes(model),
        state=folder / f"tuning-{model.stem}-{target}-{pairs}.json",
    )  # fmt: skip


def told(result: FoldResult) -> tuple[str, str]:
    """What was tried, with ratios, and what of it is in the model."""
    tried = [
        f"{t.rewrite} for {len(t.batch_norms)}: {t.verdict}"
        + (f" ({t.ratio:.2f}, {t.low:.2f} to {t.high:.2f})" if t.verdict != "not tried" else "")
        for t in result.ledger.tried
    ]
    kept_ = [f"{t.rewrite} for {len(t.batch_norms)}" for t in result.ledger.tried if t.is_kept]
    return "; ".join(tried) or "nothing has a price", "; ".join(kept_) or "nothing"


def main() -> int:
    """Tunes, measures, and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(tempfile.gettempdir(), "bnfold-networks")
    parser.add_argument("--folder", type=Path, default=default, help="packages, files, states")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds of a row")
    parser.add_argument("--only", action="append", default=[], help="part of a network's name")
    parser.add_argument("--quick", action="store_true", help="hardly any pairs; write nothing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")  # the exporter's, about its own future
    pairs, budget = (5, min(options.budget, 60.0)) if options.quick else (40, options.budget)
    lines, last = [_HEAD], None
    for name, get in networks(options.folder).items():
        if options.only and not any(part in name for part in options.only):
            continue
        for target in ("cpu", "int8"):
            print(f"{name}, {target} ...", file=sys.stderr, flush=True)
            original = get()
            result = tuned(original, target, options.folder, budget=budget, pairs=pairs)
            path = result.save(options.folder / f"tuned-{original.stem}-{target}.onnx")
            last = kept(
                options.folder, f"tuning: {name}, {target}", [pairs, told(result)],
                lambda original=original, path=path, target=target: bnfold.bench(  # type: ignore[misc]
                    [original, path], levels="all", pairs=pairs, dims=open_sizes(original),
                    int8=calibration(original) if target == "int8" else None,
                ),
            )  # fmt: skip
            cells = [name, target, *told(result), last.headline[0].sentence]
            lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join([*lines, "", f"{environment_line(last).capitalize()}." if last else ""])
    print(text)
    if not options.quick:
        _PAGE.write_text(f"# What --tune keeps\n\n{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
