"""Grades the responses of another trainer, as native does, and writes them into the run directory as rollouts."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from orz_bench.evaluation.recorder import PART_ROWS, AnswerGrader
from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.external.scoring.prompts import Sample
from orz_rl.backends.external.scoring.responses import Reader, Response
from orz_rl.config import TrainConfig
from orz_rl.rollout.collector import rewarded_row
from orz_rl.rollout.reward_process import Reward, binary_of


class Scorer:
    """Scores responses from any thread. What waits is written by flush(), and whenever a part is full."""

    def __init__(
        self,
        config: TrainConfig,
        run: RunDir,
        *,
        reader: Reader,
        grader: AnswerGrader,
        reward: Reward = binary_of,
        on_committed: Callable[[Sequence[Rollout]], None],
    ) -> None:
        self._config, self._run, self._reader, self._grader = config, run, reader, grader
        self._reward = reward
        self._on_committed = on_committed
        self._waiting: list[Rollout] = []
        self._scored: dict[int, list[Rollout]] = defaultdict(list)
        self._lock = threading.Lock()

    def score(self, sample: Sample, response: Response) -> Rollout:
        """The graded response, with its reward."""
        request = sample.request
        completion = self._reader.completion(request, response)
        problem = request.problem
        (grade,) = self._grader.grade(
            [
                Submission(
                    gold=problem.gold,
                    kind=problem.kind,
                    num_choices=problem.num_choices,
                    response=completion.text,
                )
            ]
        )
        rollout = rewarded_row(
            request, completion, grade=grade, step=sample.step, reward=self._reward, config=self._config
        )
        with self._lock:
            self._waiting.append(rollout)
            self._scored[rollout.step].append(replace(rollout, token_ids=None, logprobs=None))
            is_full = len(self._waiting) >= PART_ROWS
        if is_full:
            self.flush()
        return rollout

    def complete(self, step: int) -> list[Rollout]:
        """Write everything, and return the rollouts of a step that is complete, without their tokens; once."""
        self.flush()
        with self._lock:
            return self._scored.pop(step, [])

    def flush(self) -> None:
        """Write everything scored so far, each step into its folder."""
        with self._lock:
            by_step: dict[int, list[Rollout]] = defaultdict(list)
            for rollout in self._waiting:
                by_step[rollout.step].append(rollout)
            for step, rollouts in by_step.items():
                folder = self._run.rollouts(step)
                with folder.lock():
                    folder.append(rollouts)
            committed, self._waiting = self._waiting, []
        if committed:
            self._on_committed(committed)
