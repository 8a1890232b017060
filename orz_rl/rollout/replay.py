"""The stored rollouts of another run in the place of sampled ones: the same steps in the same order, and no engine.

A step's folder has the rollouts that were learned, in their order, then those that dynamic sampling had set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.origin import Source
from orz_bench.records.parquet import all_columns, rollouts_from_table
from orz_bench.records.rollout import Completion, Grade, Problem, Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.rollout.ahead import Place
from orz_rl.rollout.buffer import POSITION, position_of
from orz_rl.rollout.collector import StepRollouts, reward_under
from orz_rl.rollout.problems import Prompt, Prompts
from orz_rl.rollout.reward_process import Reward, Scored, binary_of
from orz_rl.rollout.window import window_of

_LEARNED_FROM = {
    "prompt_token_ids": "token ids",
    "token_ids": "token ids",
    "logprobs": "log-probabilities",
    "completion": "texts",
}
"""Columns that a replay needs, and what they hold."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The run whose rollouts are learned."""

    run: RunDir
    num_rollouts: int
    """Learned in each step."""
    is_rewarded_again: bool = False
    """Whether other rewards are wanted than those that it has."""

    def step(self, number: int) -> list[Rollout]:
        """All rollouts of a step. RunDirError if something that learning needs is not there (any more)."""
        folder = self.run.rollouts(number)
        table = folder.read(all_columns(folder.path))
        missing = sorted({what for name, what in _LEARNED_FROM.items() if table[name].null_count})
        if missing:
            raise RunDirError(
                f"{folder.path}: {counted(_most_missing(table), 'rollout')} without {' and '.join(missing)}, of which "
                f"nothing can be learned: they were dropped (rollouts.keep), or another tool wrote them without. "
                f"Name a run that has them, and keep them there (rollouts.keep=all)."
            )
        rows = rollouts_from_table(table)
        if len(rows) < self.num_rollouts:
            raise RunDirError(
                f"{folder.path}: {counted(len(rows), 'rollout')} of a step that was not learned, or of other settings: "
                f"wanted at least {self.num_rollouts:,} (rollout.num_problems x rollout.num_samples). Lower num_steps, "
                f"or name another run."
            )
        return rows

    def prompts(self) -> Prompts:
        """Those of the first step that it has, by which the new run is known. RunDirError as step(), or without any."""
        steps = [step for step, _ in self.run.sampled_steps()]
        if not steps:
            raise RunDirError(f"{self.run.path}: has no rollouts of training to learn; name another run.")
        found = {row.problem_id: row for row in reversed(self.step(steps[0])[: self.num_rollouts])}
        identity = str(self.run.info().get("run_id") or "")
        return Prompts(tuple(map(_prompt, reversed(found.values()))), (), answers=f"replay {identity}")


class ReplayedSteps:
    """Gives the trainer the rollouts of the steps that another run has learned."""

    def __init__(self, config: TrainConfig, replayed: Replayed, *, reward: Reward = binary_of) -> None:
        self._config, self._replayed, self._reward = config, replayed, reward
        self._place = Place(1, 0, 0)

    def begin(self, place: Place) -> None:
        """Go on from here."""
        self._place = place

    def engines_hold(self, version: int) -> None:
        """There are none."""

    def take(self) -> StepRollouts:
        """The rollouts of the next step. RunDirError where the run does not have them."""
        place = self._place
        rows = self._replayed.step(place.step)
        size = self._replayed.num_rollouts
        mine = [self._anew(row, step=place.step) for row in rows[:size]]
        aside = rows[size:]
        cursor, beyond = self._after(place, rows)
        self._place = Place(place.step + 1, cursor, place.policy_version + 1, beyond)
        return StepRollouts(
            tuple(mine),
            cursor,
            num_replaced=len({row.problem_id for row in aside}),
            num_generated=0,
            set_aside=tuple(aside),
            beyond=beyond,
        )

    def close(self) -> None:
        """Nothing is running."""

    def _anew(self, row: Rollout, *, step: int) -> Rollout:
        """The row before it was learned, with the reward that this run gives it."""
        found = replace(row, step=step, advantage=None, value=None)
        if not self._replayed.is_rewarded_again:
            return found
        return replace(found, reward=reward_under(_scored(row), reward=self._reward, config=self._config))

    def _after(self, place: Place, rows: Sequence[Rollout]) -> tuple[int, tuple[int, ...]]:
        """(cursor, beyond) behind these rows: where a run goes on that samples again."""
        if all(POSITION in row.extra for row in rows):
            window = window_of(self._config, head=place.cursor, beyond=place.beyond)
            window.record([list(dict.fromkeys(map(position_of, rows)))])
            window.take()
            return window.head, window.beyond
        return place.cursor + len({row.problem_id for row in rows}), ()


def last_step(run: RunDir, *, first: int) -> int:
    """The last of the steps from `first` on that the run has learned without a gap. ConfigError if there is none."""
    require_steps(run, first=first)
    learned = {row["step"] for row in run.metrics()[0]}
    last = first
    while last + 1 in learned and run.rollouts(last + 1).path.is_dir():
        last += 1
    return last


def require_steps(run: RunDir, *, first: int) -> None:
    """Raise ConfigError unless the run has learned the step `first`, and still has its rollouts."""
    steps = [step for step, _ in run.sampled_steps()]
    if first in steps and first in {row["step"] for row in run.metrics()[0]}:
        return
    has = f"its rollouts begin with step {min(steps)}" if steps else "it has no rollouts of training"
    parent = Source.from_json(run.info().get("parent"))
    is_branch = parent is not None and bool(steps) and min(steps) == parent.step + 1
    more = f": start where it did, with --from {parent.run}@{parent.step}" if parent and is_branch else ""
    raise ConfigError(f"{run.path}: step {first} was not learned there, or its rollouts are gone; {has}{more}.")


def correction_of(config: TrainConfig) -> str:
    """What corrects for rollouts that another policy has sampled, for people."""
    loss = config.loss
    if config.clips_against_sampler:
        parts = ["the ratio is that to the probabilities with which tokens were sampled (loss.clip_against=sampler)"]
    else:
        parts = []
    if loss.importance_cap is not None:
        parts.append(f"tokens are weighted by policy over sampler, up to {loss.importance_cap:g} (loss.importance_cap)")
    for name, band in (("importance_band", loss.importance_band), ("sequence_band", loss.sequence_band)):
        parts += [f"what is outside {list(band)} is masked (loss.{name})"] if band is not None else []
    return "; ".join(parts) or "none (loss.clip_against=policy)"


def _scored(row: Rollout) -> Scored:
    return Scored(
        problem=_problem(row),
        completion=Completion(
            problem_id=row.problem_id,
            sample_index=row.sample_index,
            seed=row.seed,
            text=row.completion,
            num_tokens=row.num_tokens,
            stop_reason=row.stop_reason,
            policy_version=row.policy_version,
        ),
        grade=Grade(
            verdict=row.verdict,
            why=row.why,
            extracted=row.extracted,
            second_extractor=row.second_extractor,
            second_extracted=row.second_extracted,
            second_verdict=row.second_verdict,
        ),
        where=f"problem {row.problem_id}, sample {row.sample_index}, step {row.step}",
    )


def _problem(row: Rollout) -> Problem:
    return Problem(
        benchmark=row.benchmark, problem_id=row.problem_id, question=row.question, gold=row.gold, kind="math"
    )


def _prompt(row: Rollout) -> Prompt:
    return Prompt(problem=_problem(row), text=row.prompt, token_ids=tuple(row.prompt_token_ids or ()))


def _most_missing(table: pa.Table) -> int:
    return max(int(table[name].null_count) for name in _LEARNED_FROM)
