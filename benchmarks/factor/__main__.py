"""Remakes docs/factor.svg and the tables of docs/verification.md.

python -m benchmarks.factor [--seeds N]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.factor.chart import chart
from benchmarks.factor.faults import FAULTS, folded, leaking_shift
from benchmarks.factor.networks import FAULTY, LAYERS, NETWORKS, pre_activation
from benchmarks.insert_table import insert
from bnfold.verify import verify
from bnfold.verify.measure import K

DOCS = Path(__file__).parents[2] / "docs"

Ratios = dict[str, list[float]]


def main() -> None:
    """Measures both sides and writes them down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="networks of each kind")
    seeds = parser.parse_args().seeds
    clean = {name: _clean(name, range(seeds)) for name in NETWORKS}
    faulty = _faulty()
    (DOCS / "factor.svg").write_text(chart(clean, faulty, K), encoding="utf-8")
    document = DOCS / "verification.md"
    insert(document, "clean", _table("network, folded correctly", clean))
    insert(document, "faults", _table("fault, in one layer of ten", faulty))
    worst = max(max(values) for values in clean.values())
    least = min(min(values) for values in faulty.values())
    count = sum(map(len, clean.values())), sum(map(len, faulty.values()))
    insert(
        document,
        "factor",
        f"{count[0]} correct folds, the worst at {worst:.2f}; {count[1]} planted faults, the "
        f"faintest at {least:.2f}; the factor is {K:g}.",
    )


def _clean(name: str, seeds: Sequence[int]) -> list[float]:
    print(f"{name} ...", flush=True)
    models = [NETWORKS[name](seed) for seed in seeds]
    return [verify(model, folded(model)).worst_ratio for model in models]


def _faulty() -> Ratios:
    found: Ratios = {}
    for name, fault in FAULTS.items():
        print(f"{name} ...", flush=True)
        for network in FAULTY:
            model = NETWORKS[network](0)
            for layer in range(LAYERS):
                ratio = verify(model, fault(model, layer), levels=("none",)).worst_ratio
                found.setdefault(name, []).append(ratio)
    padded = pre_activation(0)
    found["a shift that leaks at the padded border"] = [
        verify(padded, leaking_shift(padded, layer), levels=("none",)).worst_ratio
        for layer in range(LAYERS)
    ]
    return found


def _table(title: str, ratios: Mapping[str, Sequence[float]]) -> str:
    lines = [f"| {title} | cases | least | median | most |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, values in ratios.items():
        ranked = sorted(values)
        cells = (ranked[0], ranked[len(ranked) // 2], ranked[-1])
        lines.append(f"| {name} | {len(ranked)} | " + " | ".join(f"{c:.3g}" for c in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
