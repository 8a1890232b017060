"""A run that samples ahead, with its real collector, threads and files, and without models: `main()` ends or is killed.

Engines draw tokens from the seed of a sample, a few at a time, and stamp each sample with their version. "Learning" a
step writes what it was learned from; every second step leaves a checkpoint, from which the next start goes on.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import Sampling
from orz_bench.records.rollout import Completion, Request
from orz_bench.records.run_dir import RunDir, write_text
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.ahead import Ahead, Place
from orz_rl.rollout.collector import Collector, StepRollouts
from orz_rl.rollout.problems import Prompt
from orz_rl.workers.cluster import EngineMethod, Sampler, Sources
from orz_rl.workers.shared import SharedSampler
from tests.support.builders import a_completion, a_grade, a_problem

NUM_PROBLEMS, NUM_SAMPLES, PER_STEP, SEED = 10, 3, 4, 42


class SeededEngine(Sampler):
    """Batches of five; a sample is a function of its seed, and carries the version at its end."""

    engines = (0,)

    def __init__(self) -> None:
        self.version = -1

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        waiting = iter(requests)
        while batch := list(islice(waiting, 5)):
            yield [self._sample(request) for request in batch]

    def _sample(self, request: Request) -> Completion:
        draw = random.Random(request.seed)
        tokens = [draw.randrange(9) for _ in range(draw.randrange(1, 6))]
        return a_completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text="".join(map(str, tokens)),
            num_tokens=len(tokens),
            token_ids=tokens,
            logprobs=[-0.5] * len(tokens),
            policy_version=self.version,
        )

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: Any) -> None:
        assert method == "load_weights"
        self.version = settings["version"]

    def close(self) -> None:
        pass


class GradesText:
    """Right where the first digit is even."""

    def grade(self, submissions: Any) -> list[Any]:
        return [a_grade(verdict="correct" if int(s.response[0]) % 2 == 0 else "wrong") for s in submissions]


def learn(collection: StepRollouts, *, step: int, file: Path) -> None:
    """What it is learned from, as a line."""
    rows = [(row.problem_id, row.sample_index, row.seed, row.completion) for row in collection.rollouts]
    versions = [row.policy_version for row in collection.rollouts]
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"step": step, "rows": rows, "versions": versions}) + "\n")


def save(folder: Path, place: Place) -> None:
    write_text(folder / "checkpoint.json", json.dumps([place.step, place.cursor, place.policy_version]))


def start_of(folder: Path) -> Place:
    """After the last checkpoint; what was learned later is forgotten, as a run does with its metrics."""
    file, learned = folder / "checkpoint.json", folder / "learned.jsonl"
    place = Place(*json.loads(file.read_text("utf-8"))) if file.exists() else Place(1, 0, 0)
    lines = learned.read_text("utf-8").splitlines() if learned.exists() else []
    kept = [line for line in lines[: place.step - 1] if line.endswith("}")]
    write_text(learned, "".join(f"{line}\n" for line in kept))
    return place


def train(folder: Path, *, max_staleness: int, num_steps: int, dynamic_sampling: int = 0) -> None:
    """From the last checkpoint to the last step."""
    settings = [f"rollout.num_problems={PER_STEP}", f"rollout.num_samples={NUM_SAMPLES}", f"seed={SEED}"]
    settings += [f"rollout.max_staleness={max_staleness}", f"rollout.dynamic_sampling={dynamic_sampling}"]
    config = resolve("tiny", overrides=[*settings, "cluster.colocate=false"])
    prompts = [Prompt(problem=a_problem(problem_id=f"p{n}"), text="?", token_ids=(1, 2)) for n in range(NUM_PROBLEMS)]
    shared = SharedSampler(SeededEngine())
    collector = Collector(config, run=RunDir(folder), engine=shared, grader=GradesText(), prompts=prompts)
    collect = partial(collector.collect, on_committed=lambda _: None)
    ahead = Ahead(collect, max_staleness=max_staleness, num_steps=num_steps, interrupt=shared.interrupt)
    place = start_of(folder)
    ahead.begin(place)
    try:
        _loop(place, ahead, shared, folder=folder, num_steps=num_steps)
    finally:
        ahead.close()


def _loop(place: Place, ahead: Ahead, shared: SharedSampler, *, folder: Path, num_steps: int) -> None:
    def synchronise(version: int) -> None:
        with shared.updating():
            shared.load_weights({}, version=version)
        ahead.engines_hold(version)

    synchronise(place.policy_version)
    while place.step <= num_steps:
        collection = ahead.take()
        learn(collection, step=place.step, file=folder / "learned.jsonl")
        RunDir(folder).rollouts(place.step).replace([*collection.rollouts, *collection.set_aside])
        place = Place(place.step + 1, collection.cursor, place.policy_version + 1)
        synchronise(place.policy_version)
        if place.step % 2:
            save(folder, place)


def learned(folder: Path) -> list[dict[str, Any]]:
    """The lines of all steps."""
    return [json.loads(line) for line in (folder / "learned.jsonl").read_text("utf-8").splitlines()]


def main() -> None:
    """Arguments: folder, max_staleness, num_steps, dynamic_sampling."""
    folder, *numbers = sys.argv[1:]
    staleness, steps, rounds = map(int, numbers)
    train(Path(folder), max_staleness=staleness, num_steps=steps, dynamic_sampling=rounds)
