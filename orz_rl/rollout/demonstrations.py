"""Stored answers in the place of sampled ones: the next step's, in a seeded order. Nothing is generated or graded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orz_bench.errors import ConfigError, counted
from orz_bench.records.rollout import Problem, Rollout
from orz_rl.config import TrainConfig
from orz_rl.rollout.collector import StepRollouts
from orz_rl.rollout.problems import Prompt, Prompts, next_problems


@dataclass(frozen=True, slots=True)
class DemonstrationCollector:
    """Hands out stored answers step by step: each once in an epoch, no answer twice in a step."""

    config: TrainConfig
    rows: Sequence[Rollout]

    def collect(
        self, step: int, *, policy_version: int, cursor: int, on_committed: Callable[[Sequence[Rollout]], None]
    ) -> StepRollouts:
        """The answers of a step, from position `cursor` of the stream; a pure function of it."""
        del policy_version
        batch = self.config.distill.batch
        chosen = next_problems(len(self.rows), start=cursor, count=batch, seed=self.config.seed, step_size=batch)
        found = tuple(replace(self.rows[index], step=step) for index in chosen.indices)
        on_committed(found)
        return StepRollouts(found, chosen.cursor, num_replaced=0, num_generated=0)


def prompts_of(rows: Sequence[Rollout], *, config: TrainConfig, digest: str) -> Prompts:
    """The prompts of stored answers, one for each problem. ConfigError if a step would need an answer twice."""
    wanted = config.distill.batch
    if len(rows) < wanted:
        raise ConfigError(
            f"{counted(len(rows), 'answer')} to learn, but a step needs distill.batch={wanted:,} different ones; lower "
            f"it, or choose more answers (per_problem, limit, from_step of distill.source)."
        )
    first = {(row.benchmark, row.problem_id): row for row in reversed(rows)}
    return Prompts(tuple(map(_prompt, first.values())), (), answers=digest)


def _prompt(row: Rollout) -> Prompt:
    problem = Problem(
        benchmark=row.benchmark, problem_id=row.problem_id, question=row.question, gold=row.gold, kind="math"
    )
    return Prompt(problem=problem, text=row.prompt, token_ids=tuple(row.prompt_token_ids or ()))
