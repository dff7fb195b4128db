"""Random networks folded and judged by runtimes alone: `python -m benchmarks.soundness`.

Seeds are taken in blocks, and each finished block is a line of soundness.jsonl: stopped, it goes on
where it was. The counts go to soundness.md; a network that is found wrong is named there by its
seed, and `--seed N` judges that one again. Take a block's line out, and it is judged anew.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.connection import Connection
from pathlib import Path

import numpy
import onnx
import onnxruntime

from benchmarks.lines import add, rows
from tests.fold.property.wider.judge import Found, WrongError, judged
from tests.fold.property.wider.network import random_network

BLOCK = 250
DIED = "the process died"
PATIENCE_S = 300  # for one network, which takes a twentieth of a second
REPORT = Path(__file__).parent / "soundness.md"
STATE = Path(__file__).parent / "soundness.jsonl"


def judge_seeds(seeds: range, sender: Connection) -> None:
    """Each seed's result is sent as soon as it is there: a runtime may end the process."""
    for seed in seeds:
        try:
            found = judged(random_network(seed))
        except WrongError as error:
            sender.send(str(error)[:300])
        except Exception as error:  # noqa: BLE001 - a crash is a fault like any other
            sender.send(f"crash: {type(error).__name__}: {error}"[:300])
        else:
            sender.send(found)
    sender.close()


def judge_block(block: int) -> dict[str, object]:
    """The counts of one block of seeds, and what was wrong; in processes of their own."""
    seeds = range(block * BLOCK, (block + 1) * BLOCK)
    results: list[Found | str] = []
    context = multiprocessing.get_context("spawn")
    while len(results) < BLOCK:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=judge_seeds, args=(seeds[len(results) :], sender))
        process.start()
        sender.close()
        told = f"no answer in {PATIENCE_S} s"
        try:
            while receiver.poll(PATIENCE_S):
                results.append(receiver.recv())
            process.kill()
        except EOFError:
            process.join()
            told = f"{DIED} by signal {-(process.exitcode or 0)}"
        if len(results) < BLOCK:
            results.append(told)
    return {"block": block, **_counted(seeds, results)}


def _counted(seeds: range, results: list[Found | str]) -> dict[str, object]:
    counts: Counter[str] = Counter()
    wrong = {}
    for seed, found in zip(seeds, results, strict=True):
        counts["networks"] += 1
        if isinstance(found, str):
            wrong[str(seed)] = found
            continue
        counts[f"judged by {found.judge}"] += 1
        counts["judged with all optimisations too"] += found.optimised
        counts["changed by the fold"] += bool(found.folded or found.merges)
        counts["affines folded"] += found.folded
        counts["affines kept"] += found.kept
        counts["branches merged"] += found.merges
    return {"counts": dict(counts), "wrong": wrong}


def run(until: int, processes: int, state: Path) -> None:
    """Every block below `until` seeds has its line in the file."""
    state.parent.mkdir(parents=True, exist_ok=True)
    done = {row["block"] for row in rows(state)}
    open_blocks = [block for block in range(until // BLOCK) if block not in done]
    with ThreadPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(judge_block, block) for block in open_blocks]):
            row = future.result()
            add(state, row)
            print(f"block {row['block']}: {len(row['wrong'])} wrong", flush=True)


def report(state: Path) -> str:
    """The counts of all finished blocks, as Markdown."""
    blocks = rows(state)
    total: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    for row in blocks:
        total.update(row["counts"])
        wrong |= row["wrong"]
    seeds = sorted(int(row["block"]) for row in blocks)
    died = {seed: said for seed, said in wrong.items() if said.startswith(DIED)}
    wrong = {seed: said for seed, said in wrong.items() if seed not in died}
    lines = [
        "# Random networks, judged by runtimes",
        "",
        "Remade by `python -m benchmarks.soundness`; what the networks hold and who judges them is "
        "told in [docs/soundness.md](../docs/soundness.md).",
        "",
        f"{len(blocks)} blocks of {BLOCK} seeds, {_ranges(seeds)}; "
        f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, "
        f"numpy {numpy.__version__}.",
        "",
        "| what | count |",
        "| --- | --: |",
        *(f"| {name} | {count} |" for name, count in total.items()),
        f"| onnxruntime ended the process | {len(died)} |",
        f"| **wrong** | **{len(wrong)}** |",
        "",
        *(f"- seed {seed}: {sentence}" for seed, sentence in (wrong | died).items()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _ranges(blocks: list[int]) -> str:
    runs: list[list[int]] = []
    for block in blocks:
        if runs and runs[-1][1] == block * BLOCK:
            runs[-1][1] += BLOCK
        else:
            runs.append([block * BLOCK, (block + 1) * BLOCK])
    return "seeds " + ", ".join(f"{start} to {stop - 1}" for start, stop in runs)


def main() -> None:
    """Goes on with the run and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--until", type=int, default=100_000, help="how many seeds")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--state", type=Path, default=STATE, help="where finished blocks are noted")
    parser.add_argument("--seed", type=int, help="judge this network alone")
    given = parser.parse_args()
    if given.seed is not None:
        print(judged(random_network(given.seed)))
        return
    try:
        run(given.until, given.processes, given.state)
    finally:
        REPORT.write_text(report(given.state), encoding="utf-8")


if __name__ == "__main__":
    main()
