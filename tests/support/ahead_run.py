"""A run that samples ahead, with its real collector, threads and files, and without models: `main()` ends or is killed.

Engines draw tokens from the seed of a sample, a few at a time, and stamp each sample with their version. "Learning" a
step writes what it was learned from; every second step leaves a checkpoint, from which the next start goes on.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import Sampling
from orz_bench.records.rollout import Completion, Drawn, Request
from orz_bench.records.run_dir import RunDir, write_text
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.ahead import Ahead, Place, Steps
from orz_rl.rollout.carried import CarriedSteps, Judging
from orz_rl.rollout.collector import Collector, StepRollouts
from orz_rl.rollout.problems import Prompt
from orz_rl.rollout.window import spacing_of
from orz_rl.workers.cluster import EngineMethod, Sampler, Sources
from orz_rl.workers.shared import SharedSampler
from tests.support.builders import a_completion, a_grade, a_problem

NUM_PROBLEMS, NUM_SAMPLES, PER_STEP, SEED = 10, 3, 4, 42
_PATIENCE = 20


class SeededEngine(Sampler):
    """Batches of five; a sample is a function of its seed, and carries the version at its end."""

    engines = (0,)

    def __init__(self) -> None:
        self.version = -1
        self._pause = threading.Event()

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        waiting = iter(requests)
        while batch := list(islice(waiting, 5)):
            yield [self._sample(request) for request in batch]

    def _sample(self, request: Request) -> Completion:
        tokens = tokens_of(request.seed)
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

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        """Up to twelve at a time, a token of each in turn. Every third sample is slow: it hesitates before its last."""
        waiting, open_, patience = iter(requests), list[Request](), _PATIENCE
        while not until():
            open_ += islice(waiting, 12 - len(open_))
            if not open_:
                break
            going = [request for request in open_ if patience == 0 or not self._hesitates(request)]
            if going:
                patience = _PATIENCE
                held = [request for request in open_ if request not in going]
                open_ = [*held, *map(self._one_token_more, going)]
            else:
                patience -= 1
                self._pause.wait(0.002)
            yield [self._carried(request) for request in open_ if _is_complete(request)]
            open_ = [request for request in open_ if not _is_complete(request)]
        return [*open_, *waiting]

    def _hesitates(self, request: Request) -> bool:
        """Whether its last token waits for new weights, for a while."""
        drawn = request.drawn
        is_last = drawn is not None and len(drawn.token_ids) == len(tokens_of(request.seed)) - 1
        return is_last and request.seed % 3 == 0 and drawn is not None and drawn.token_versions[-1] == self.version

    def _one_token_more(self, request: Request) -> Request:
        older = request.drawn
        ids, logprobs, versions = (older.token_ids, older.logprobs, older.token_versions) if older else ((), (), ())
        drawn = Drawn(
            token_ids=[*ids, tokens_of(request.seed)[len(ids)]],
            logprobs=[*logprobs, -0.5],
            token_versions=[*versions, self.version],
        )
        return replace(request, drawn=drawn)

    def _carried(self, request: Request) -> Completion:
        assert request.drawn is not None
        versions = request.drawn.token_versions
        return replace(self._sample(request), policy_version=versions[0], token_versions=versions)

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: Any) -> None:
        assert method == "load_weights"
        self.version = settings["version"]

    def close(self) -> None:
        pass


def tokens_of(seed: int) -> list[int]:
    """The tokens of a sample."""
    draw = random.Random(seed)
    return [draw.randrange(9) for _ in range(draw.randrange(1, 6))]


def _is_complete(request: Request) -> bool:
    return request.drawn is not None and len(request.drawn.token_ids) == len(tokens_of(request.seed))


class GradesText:
    """Right where the first digit is even."""

    def grade(self, submissions: Any) -> list[Any]:
        return [a_grade(verdict="correct" if int(s.response[0]) % 2 == 0 else "wrong") for s in submissions]


def learn(collection: StepRollouts, *, step: int, file: Path) -> None:
    """What it is learned from, as a line."""
    rows = [(row.problem_id, row.sample_index, row.seed, row.completion) for row in collection.rollouts]
    versions = [version for row in collection.rollouts for version in row.versions]
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"step": step, "rows": rows, "versions": versions}) + "\n")


def save(folder: Path, place: Place) -> None:
    write_text(folder / "checkpoint.json", json.dumps([place.step, place.cursor, place.policy_version, place.beyond]))


def start_of(folder: Path) -> Place:
    """After the last checkpoint; what was learned later is forgotten, as a run does with its metrics."""
    file, learned = folder / "checkpoint.json", folder / "learned.jsonl"
    place = Place(*json.loads(file.read_text("utf-8"))) if file.exists() else Place(1, 0, 0)
    lines = learned.read_text("utf-8").splitlines() if learned.exists() else []
    kept = [line for line in lines[: place.step - 1] if line.endswith("}")]
    write_text(learned, "".join(f"{line}\n" for line in kept))
    return place


def train(
    folder: Path, *, max_staleness: int, num_steps: int, dynamic_sampling: int = 0, window: int | None = None
) -> None:
    """From the last checkpoint to the last step; with a window, samples are carried over updates."""
    settings = [f"rollout.num_problems={PER_STEP}", f"rollout.num_samples={NUM_SAMPLES}", f"seed={SEED}"]
    settings += [f"rollout.max_staleness={max_staleness}", f"rollout.dynamic_sampling={dynamic_sampling}"]
    settings += [] if window is None else ["rollout.partial=true", f"rollout.window={window}"]
    config = resolve("tiny", overrides=[*settings, "cluster.colocate=false", f"num_steps={num_steps}"])
    shared = SharedSampler(SeededEngine(), carries=config.rollout.partial)
    ahead = steps_of(config, folder, shared)
    place = start_of(folder)
    ahead.begin(place)
    try:
        _loop(place, ahead, shared, folder=folder, num_steps=num_steps)
    finally:
        ahead.close()


def steps_of(config: TrainConfig, folder: Path, shared: SharedSampler) -> Steps:
    """As a run has them, with ten problems, or as many as carrying needs."""
    rollout, run = config.rollout, RunDir(folder)
    count = spacing_of(config) if rollout.partial else NUM_PROBLEMS
    prompts = [Prompt(problem=a_problem(problem_id=f"p{n}"), text="?", token_ids=(1, 2)) for n in range(count)]
    if rollout.partial:
        judging = Judging(GradesText(), lambda _: None, part_seconds=0.001)
        return CarriedSteps(config, run=run, sampler=shared, judging=judging, prompts=prompts)
    collector = Collector(config, run=run, engine=shared, grader=GradesText(), prompts=prompts)
    collect = partial(collector.collect, on_committed=lambda _: None)
    return Ahead(collect, max_staleness=rollout.max_staleness, num_steps=config.num_steps, interrupt=shared.interrupt)


def _loop(place: Place, ahead: Steps, shared: SharedSampler, *, folder: Path, num_steps: int) -> None:
    def synchronise(version: int) -> None:
        with shared.updating():
            shared.load_weights({}, version=version)
        ahead.engines_hold(version)

    synchronise(place.policy_version)
    while place.step <= num_steps:
        collection = ahead.take()
        learn(collection, step=place.step, file=folder / "learned.jsonl")
        RunDir(folder).rollouts(place.step).replace([*collection.rollouts, *collection.set_aside])
        place = Place(place.step + 1, collection.cursor, place.policy_version + 1, collection.beyond)
        synchronise(place.policy_version)
        if place.step % 2:
            save(folder, place)


def learned(folder: Path) -> list[dict[str, Any]]:
    """The lines of all steps."""
    return [json.loads(line) for line in (folder / "learned.jsonl").read_text("utf-8").splitlines()]


def main() -> None:
    """Arguments: folder, max_staleness, num_steps, dynamic_sampling, window (0: none)."""
    folder, *numbers = sys.argv[1:]
    staleness, steps, rounds, window = map(int, numbers)
    train(Path(folder), max_staleness=staleness, num_steps=steps, dynamic_sampling=rounds, window=window or None)
