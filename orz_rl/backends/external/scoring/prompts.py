"""The prompts of a run in the order of training, handed out one sample at a time to a trainer of another project.

Their data files hold tickets instead of prompts: a trainer shuffles tickets as it likes, and each gets the next problem
in our order when it is first used. So every trainer sees the same problems in the same steps, as native does.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.errors import RecordError
from orz_bench.records.rollout import Request
from orz_rl.config import TrainConfig
from orz_rl.rollout.collector import group_seeds
from orz_rl.rollout.problems import Prompts, problems_at


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample to generate."""

    id: str
    """Names it when its response is scored."""
    step: int
    request: Request


class Desk:
    """Hands out the samples of a run; from any thread.

    `start`: problems that earlier steps have taken. `step`: the first step that is sampled.
    """

    def __init__(self, config: TrainConfig, prompts: Prompts, *, start: int, step: int) -> None:
        self._config, self._prompts = config, prompts.prompts
        self._start, self._first_step = start, step
        self._places: dict[tuple[int, str], int] = {}
        self._drawn: Counter[tuple[int, str]] = Counter()
        self._open: dict[str, Sample] = {}
        self._lock = threading.Lock()

    def sample(self, ticket: str, *, step: int | None = None) -> Sample:
        """The next sample for a ticket. `step`: of the trainer, where it knows it; else it follows from the count."""
        with self._lock:
            known = -1 if step is None else step
            place = self._places.setdefault((known, ticket), len(self._places))
            at = self._step_of(place) if step is None else step
            index = self._drawn[known, ticket]
            self._drawn[known, ticket] += 1
            sample = self._make(place, step=at, index=index)
            self._open[sample.id] = sample
            return sample

    def take(self, sample_id: str) -> Sample:
        """A sample that was handed out, once. RecordError for any other."""
        with self._lock:
            sample = self._open.pop(sample_id, None)
        if sample is None:
            raise RecordError(f"sample {sample_id!r} was not handed out, or was scored before; score each sample once.")
        return sample

    def _step_of(self, place: int) -> int:
        return self._first_step + place // self._config.rollout.num_problems

    def _make(self, place: int, *, step: int, index: int) -> Sample:
        size = self._config.rollout.num_problems
        (number,) = problems_at(
            len(self._prompts), start=self._start + place, count=1, seed=self._config.seed, step_size=size
        )
        prompt = self._prompts[number]
        seeds = group_seeds(self._config.seed, step=step, problem_id=prompt.problem.problem_id, count=index + 1)
        request = Request(
            problem=prompt.problem,
            sample_index=index,
            seed=seeds[index],
            prompt=prompt.text,
            prompt_token_ids=prompt.token_ids,
        )
        return Sample(f"{step}-{place}-{index}", step, request)


def num_tickets(config: TrainConfig) -> int:
    """Prompts that a run takes at most, where dynamic sampling replaces every group in every round."""
    return config.num_steps * config.rollout.num_problems * (1 + config.rollout.dynamic_sampling)


def write_tickets(path: Path, columns: Mapping[str, pa.Array]) -> None:
    """Replace the data file of a trainer."""
    temporary = path.with_suffix(".tmp")
    pq.write_table(pa.table(dict(columns)), temporary)
    temporary.replace(path)
