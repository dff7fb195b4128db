"""What a measuring process does: it reads a job from stdin, works on it, and writes its report.

It runs under any Python that has NumPy and onnxruntime: `bnfold.bench.handed` packs this file and
what it imports, which is nothing else, and hands it to one.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.bench.bench_steps import say_step
from bnfold.bench.bound import BoundModel, bind_alike
from bnfold.bench.child_alone import alone
from bnfold.bench.openvino_model import OpenVinoModel, compiled
from bnfold.bench.protocol import measure_pairs
from bnfold.runtime import engine
from bnfold.runtime.engine import Setting

Job = Mapping[str, Any]
Feeds = Mapping[str, np.ndarray]
Model = BoundModel | OpenVinoModel

OPENVINO = "openvino"  # as the engine of a model

_PROFILED_RUNS = 24


def main() -> None:
    """Reads a job and writes its report, or the error that a user should see."""
    job = json.load(sys.stdin)
    try:
        report = TASKS[job["task"]](job)
    except engine.EngineError as error:
        report = {"error": type(error).__name__, "message": str(error)}
    Path(job["report"]).write_text(json.dumps(report))


def pairs(job: Job) -> dict[str, Any]:
    """The quads of each candidate and of the baseline's twin, all of them in this process.

    The sessions are opened in an order drawn by the seed: where in memory one lies follows from it.
    """
    baseline, *others = job["models"]
    wanted = [baseline, baseline, *others]
    places = list(range(len(wanted)))
    random.Random(job["seed"]).shuffle(places)
    feeds = fed(job)
    opened = {place: opened_model(wanted[place], job, feeds) for place in places}
    first, twin, *candidates = (opened[place] for place in range(len(wanted)))
    bind_alike((first, twin, *candidates))
    samples = measure_pairs(
        first,
        twin,
        candidates,
        pairs=job["pairs"],
        seconds=job["seconds"],
        warm_up=job["warm_up"],
        seed=job["seed"],
        after_pair=say_step,
    )
    return asdict(samples)


def profiled(job: Job) -> dict[str, Any]:
    """Where onnxruntime's own profiler has written what it saw, and of how many runs."""
    (model,) = job["models"]
    session = open_model(model, job, profile_prefix=job["prefix"])
    run = bound(session, model, job, fed(job))
    for _ in range(_PROFILED_RUNS):
        run()
    return {"file": session.end_profiling(), "runs": _PROFILED_RUNS}


def alone_in_here(job: Job) -> dict[str, Any]:
    """Session creation, latency, throughput and memory of the one model."""
    (model,) = job["models"]
    feeds = fed(job)
    return alone(
        lambda: open_model(model, job),
        lambda session: bound(session, model, job, feeds),
        lambda session: facts_of(session, model, job),
        seconds=job["seconds"],
        warm_up=job["warm_up"],
        streams=job["streams"],
        on_device=job["setting"]["provider"] != "cpu",
    )


def fed(job: Job) -> dict[str, np.ndarray]:
    """The inputs by name, as the job's file has them."""
    with np.load(job["feeds"]) as arrays:
        return {name: arrays[f"arr_{i}"] for i, name in enumerate(job["feed_names"])}


def open_model(model: Mapping[str, str], job: Job, *, profile_prefix: str | None = None) -> Any:
    """A session of the model with the job's setting, by what is to run it."""
    wanted = job["setting"]
    if model.get("engine") == OPENVINO:
        return compiled(
            model["path"],
            name=model["name"],
            provider=wanted["provider"],
            threads=wanted["threads"],
        )
    tuples = {key: _hashable(value) for key, value in wanted.items()}
    setting = Setting(**tuples)
    return engine.open_session(
        model["path"], setting, name=model["name"], profile_prefix=profile_prefix
    )


def bound(session: Any, model: Mapping[str, str], job: Job, feeds: Feeds) -> Model:
    """The session with its inputs in place."""
    if model.get("engine") == OPENVINO:
        return OpenVinoModel(session, feeds, name=model["name"])
    wanted = job["setting"]
    return BoundModel(
        session,
        feeds,
        device=wanted["provider"],
        name=model["name"],
        is_graph=wanted.get("cuda_graph", False),
    )


def facts_of(session: Any, model: Mapping[str, str], job: Job) -> dict[str, Any]:
    """What the session says of how it computes."""
    provider = "cpu" if model.get("engine") == OPENVINO else job["setting"]["provider"]
    return engine.facts_of(session, provider)


def opened_model(model: Mapping[str, str], job: Job, feeds: Feeds) -> Model:
    """The model, ready to be run again and again."""
    return bound(open_model(model, job), model, job, feeds)


def _hashable(value: Any) -> Any:
    """JSON has lists where a setting has tuples."""
    return tuple(_hashable(entry) for entry in value) if isinstance(value, list) else value


TASKS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "pairs": pairs,
    "alone": alone_in_here,
    "profile": profiled,
}
"""What can be asked for."""


if __name__ == "__main__":
    main()
