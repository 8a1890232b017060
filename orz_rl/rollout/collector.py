"""From problems to graded rollouts on disk: what one step is trained on.

Asks for what the step's folder lacks and nothing else, so that a step that was interrupted goes on where it stopped,
and one that was sampled before a crash is not sampled again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orz_bench.engines.engine import Sampling
from orz_bench.errors import EngineError, RunDirError
from orz_bench.evaluation.recorder import AnswerGrader, Recorder
from orz_bench.grading.grader import GRADER_VERSION
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.rollout import Completion, Grade, Request, Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_bench.seeds import sample_seed
from orz_rl.config import TrainConfig
from orz_rl.rollout.problems import Drawn, Prompt, next_problems
from orz_rl.rollout.rewards import binary_reward, overlong_penalty
from orz_rl.workers.sampler import Sampler

Group = list[Rollout]
"""The rollouts of one problem."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The rollouts of a step, in the order of its problems, and where the next step's problems start."""

    rollouts: tuple[Rollout, ...]
    cursor: int
    num_replaced: int
    """Problems set aside by dynamic sampling; their rollouts stay on disk."""
    num_drawn: int
    """Rollouts that were not on disk already."""


class Collector:
    """Samples, grades and keeps."""

    def __init__(
        self, config: TrainConfig, *, run: RunDir, sampler: Sampler, grader: AnswerGrader, prompts: Sequence[Prompt]
    ) -> None:
        self._config, self._run, self._sampler, self._grader, self._prompts = config, run, sampler, grader, prompts

    def collect(
        self, step: int, *, policy_version: int, cursor: int, on_committed: Callable[[Sequence[Rollout]], None]
    ) -> Collected:
        """Everything that a step is trained on, drawn by `policy_version` from the problems at `cursor`."""
        rollout = self._config.rollout
        kept: list[Group] = []
        aside: list[Group] = []
        taken: set[int] = set()
        num_drawn = 0
        for round_ in range(rollout.dynamic_sampling + 1):
            wanted = rollout.num_problems - len(kept)
            drawn = self._next(cursor, count=wanted, taken=taken)
            if not drawn.indices:
                break
            groups, num_missing = self._round(
                step, drawn.indices, policy_version=policy_version, on_committed=on_committed
            )
            cursor, num_drawn = drawn.cursor, num_drawn + num_missing
            taken |= set(drawn.indices)
            is_last = round_ == rollout.dynamic_sampling
            kept += [group for group in groups if is_last or _has_signal(group)]
            aside += [group for group in groups if not is_last and not _has_signal(group)]
        # Every problem was met before the step was full: what was set aside last fills it.
        num_missing = rollout.num_problems - len(kept)
        aside, fill = (aside[:-num_missing], aside[-num_missing:]) if num_missing else (aside, [])
        rows = tuple(row for group in [*kept, *fill] for row in group)
        return Collected(rows, cursor, num_replaced=len(aside), num_drawn=num_drawn)

    def _next(self, cursor: int, *, count: int, taken: Collection[int]) -> Drawn:
        if count == 0:
            return Drawn((), cursor)
        return next_problems(
            len(self._prompts),
            start=cursor,
            count=count,
            seed=self._config.seed,
            step_size=self._config.rollout.num_problems,
            taken=taken,
        )

    def _round(
        self,
        step: int,
        indices: Sequence[int],
        *,
        policy_version: int,
        on_committed: Callable[[Sequence[Rollout]], None],
    ) -> tuple[list[Group], int]:
        """The groups of these problems, from disk or from the engines, and how many rollouts were not on disk."""
        requests = [request for index in indices for request in self._requests(self._prompts[index], step)]
        folder = self._run.rollouts(step)
        with folder.lock():
            done = _on_disk(folder, requests)
            missing = [request for request in requests if request.key not in done]
            if missing:
                recorder = Recorder(
                    folder,
                    self._grader,
                    requests=missing,
                    to_rollout=partial(self._row, step=step),
                    on_committed=on_committed,
                )
                with recorder:
                    recorder.add_all(self._sampler.generate(missing, self.sampling))
            rows = {row.key: row for row in rollouts_from_table(folder.read())}
        lost = [request.key for request in requests if request.key not in rows]
        if lost:
            raise EngineError(f"step {step}: the engines returned {len(rows)} samples and lost {lost[0]}; start again.")
        found = [rows[request.key] for request in requests]
        _check_version(found, policy_version, where=folder.path.name)
        size = self._config.rollout.num_samples
        return [found[at : at + size] for at in range(0, len(found), size)], len(missing)

    @property
    def sampling(self) -> Sampling:
        """How the engines draw."""
        rollout = self._config.rollout
        return Sampling(
            temperature=rollout.temperature,
            top_p=rollout.top_p,
            top_k=rollout.top_k,
            max_tokens=rollout.max_tokens,
            stop=rollout.stop,
        )

    def _requests(self, prompt: Prompt, step: int) -> list[Request]:
        """The group of one problem. Its seeds follow one another, so that an engine may draw it as one request."""
        first = sample_seed(
            self._config.seed, step=step, benchmark="train", problem_id=prompt.problem.problem_id, sample_index=0
        )
        return [
            Request(
                problem=prompt.problem,
                sample_index=index,
                seed=first + index,
                prompt=prompt.text,
                prompt_token_ids=prompt.token_ids,
            )
            for index in range(self._config.rollout.num_samples)
        ]

    def _row(self, request: Request, completion: Completion, *, grade: Grade, step: int) -> Rollout:
        rollout = Rollout.from_parts(
            request=request,
            completion=completion,
            grade=grade,
            step=step,
            grader_version=GRADER_VERSION,
            keep_tokens=True,
        )
        penalty = overlong_penalty(
            completion.num_tokens,
            max_tokens=self._config.rollout.max_tokens,
            buffer=self._config.reward.overlong_buffer,
        )
        config = self._config.rollout
        drawn_at = {"temperature": config.temperature, "top_p": config.top_p, "top_k": config.top_k}
        return replace(
            rollout,
            reward=binary_reward(grade.verdict, completion.stop_reason) + penalty,
            extra={**rollout.extra, "sampled_at": drawn_at},
        )


def _has_signal(group: Group) -> bool:
    """Whether its samples earned different rewards."""
    return len({row.reward for row in group}) > 1


def _on_disk(folder: RolloutsDir, requests: Sequence[Request]) -> set[tuple[str, int]]:
    """Keys of the rows that are there. Raises RunDirError for one of another problem or prompt than its request's."""
    wanted = {request.key: request for request in requests}
    rows = folder.read(["problem_id", "sample_index", "gold", "prompt_token_ids"]).to_pylist()
    for row in rows:
        request = wanted.get((row["problem_id"], row["sample_index"]))
        if request is None:
            continue
        is_same = row["gold"] == request.problem.gold and tuple(row["prompt_token_ids"]) == request.prompt_token_ids
        if not is_same:
            raise RunDirError(
                f"{folder.path}: holds samples of another problem under the id {request.problem.problem_id}: its gold "
                f"or its prompt is not that of the data. Samples are never mixed: restore the data file, or start a "
                f"new run with another --out."
            )
    return {(row["problem_id"], row["sample_index"]) for row in rows}


def _check_version(rollouts: Sequence[Rollout], wanted: int, *, where: str) -> None:
    stale = next((row for row in rollouts if row.policy_version != wanted), None)
    if stale is not None:
        raise RunDirError(
            f"{where}: {stale.problem_id} was drawn by policy version {stale.policy_version}, wanted {wanted}: the "
            f"engines hold other weights than the policy. Move that folder away and run the same command again."
        )
