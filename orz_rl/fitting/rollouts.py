"""What a critic is fitted on: the stored rollouts of a training run, divided into learned and held-out problems."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from pydantic import ValidationError

from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.regular import read_text
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.settings.older import settings_of_today

_TO_THE_END = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which rollouts of a run are used."""

    from_step: int = 1
    to_step: int | None = None
    """The last one; None: that of the run."""
    held_out: float = 0.2
    """Share of the problems whose rollouts are not learned."""


@dataclass(frozen=True, slots=True)
class Divided:
    """The rollouts, in a fixed order."""

    learned: tuple[Rollout, ...]
    held_out: tuple[Rollout, ...]

    @property
    def digest(self) -> str:
        """Of what was sampled and rewarded, and of how it is divided."""
        found = hashlib.sha256()
        for rows in (self.learned, self.held_out):
            found.update(f"{len(rows)}\n".encode())
            for row in rows:
                facts = (row.step, row.problem_id, row.sample_index, row.reward, row.num_tokens)
                found.update(f"{facts!r}\n".encode())
                found.update(np.asarray(row.token_ids, dtype=np.int32).tobytes())
        return found.hexdigest()


def settings_of(run: RunDir) -> TrainConfig:
    """The settings of a training run. ConfigError if it is none, RunDirError if they cannot be read."""
    info = run.info()
    if info["kind"] != "train":
        raise ConfigError(
            f"{run.path}: a run of kind {info['kind']}, whose samples have no rewards; name a training run, with the "
            f"rollouts of its steps."
        )
    if info.get("imported"):
        raise ConfigError(
            f"{run.path}: was imported from another tool, without the settings of its training; name a run of "
            f"orz-rl train."
        )
    try:
        return TrainConfig.model_validate(settings_of_today(yaml.safe_load(read_text(run.config_path))))
    except (OSError, ValueError, TypeError, yaml.YAMLError, ValidationError) as error:
        reason = " ".join(str(error).split())[:300]
        raise RunDirError(f"{run.config_path}: not the settings of a training run ({reason}); restore it.") from error


def divided_rollouts(run: RunDir, chosen: Chosen, *, notice: Callable[[str], None]) -> Divided:
    """The rollouts with tokens and rewards of these steps. ConfigError if there are none, or not enough problems.

    A problem is held out as a whole, by a hash of its id: another sample of a learned problem says nothing new.
    """
    last = _TO_THE_END if chosen.to_step is None else chosen.to_step
    folders = [(step, folder) for step, folder in run.sampled_steps() if chosen.from_step <= step <= last]
    if not folders:
        have = ", ".join(str(step) for step, _ in run.sampled_steps()[:20]) or "none"
        raise ConfigError(
            f"{run.path}: has no rollouts of steps {chosen.from_step} to {chosen.to_step or 'the last'} (steps with "
            f"rollouts: {have}); choose others, or name a run that keeps them."
        )
    rows = [row for _, folder in folders for row in folder.rows()]
    usable = [row for row in rows if row.token_ids and row.prompt_token_ids and row.reward is not None]
    if not usable:
        raise ConfigError(
            f"{run.path}: none of its {counted(len(rows), 'rollout')} of these steps has token ids and a reward, from "
            f"which a critic learns; keep them in training (rollouts.keep_tokens=all), with a backend that returns "
            f"token ids, or choose other steps."
        )
    if len(usable) < len(rows):
        notice(f"{counted(len(rows) - len(usable), 'rollout')} of {len(rows):,} left out: no token ids, or no reward")
    return _divide(usable, chosen.held_out, where=run.path)


def _divide(rows: Sequence[Rollout], share: float, *, where: Path) -> Divided:
    ordered = sorted(rows, key=lambda row: (row.step, row.problem_id, row.sample_index))
    # The problems with the lowest hashes, so that few problems are divided too.
    problems = sorted({row.problem_id for row in ordered}, key=_place)
    number = min(max(1, round(share * len(problems))), len(problems) - 1)
    if number < 1:
        raise ConfigError(
            f"{where}: has rollouts of {counted(len(problems), 'problem')} in these steps, but learned and held-out "
            f"ones must be of different problems; choose more steps."
        )
    held_out = set(problems[:number])
    return Divided(
        tuple(row for row in ordered if row.problem_id not in held_out),
        tuple(row for row in ordered if row.problem_id in held_out),
    )


def _place(problem_id: str) -> str:
    return hashlib.sha256(f"held out: {problem_id}".encode()).hexdigest()
