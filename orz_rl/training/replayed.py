"""The run that a replay learns from, checked before anything starts: what it has sampled has to be what is learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import resolve_model
from orz_rl.config import TrainConfig
from orz_rl.curation.answers.tokens import vocabulary_difference
from orz_rl.rollout.replay import Replayed, correction_of
from orz_rl.training.identity import saved_settings

_REMEDY = "Restore it, or name another run in rollout.replay."


def replayed_run(config: TrainConfig, *, policy: str, notice: Callable[[str], None]) -> Replayed | None:
    """The run of rollout.replay; None where the policy samples. OrzError if its rollouts cannot be learned so.

    `policy`: the checkpoint whose token ids they have to be.
    """
    if config.rollout.replay is None:
        return None
    run = RunDir(Path(config.rollout.replay))
    run.info()
    saved = saved_settings(run, remedy=_REMEDY)
    if saved is None:
        raise ConfigError(f"{run.config_path}: missing, so it is unknown how its rollouts were sampled. {_REMEDY}")
    theirs = saved.config()
    _require_as_sampled(config, theirs, run=run)
    _require_same_tokens(config, theirs, policy=policy)
    notice(f"the stored rollouts of {run.path} are learned, nothing is sampled; correction: {correction_of(config)}")
    names = ("function", "control", "overlong_buffer")
    return Replayed(
        run,
        config.num_rollouts,
        is_rewarded_again=any(getattr(config.reward, name) != getattr(theirs.reward, name) for name in names),
    )


def _require_same_tokens(config: TrainConfig, theirs: TrainConfig, *, policy: str) -> None:
    """Raise ConfigError where the stored token ids mean something else to the policy that learns."""
    if theirs.model.policy == config.model.policy:
        return
    sampler = resolve_model(theirs.model.policy, setting="model.policy")
    difference = vocabulary_difference(sampler, policy, names=("policy that sampled", "policy that learns"))
    if difference is not None:
        raise ConfigError(
            f"model.policy={config.model.policy} has another vocabulary than {theirs.model.policy}, whose rollouts are "
            f"replayed: {difference} Stored token ids are learned: use a policy of the same tokenizer, or distil the "
            f"answers as text (orz-rl distill --from)."
        )


def _require_as_sampled(config: TrainConfig, theirs: TrainConfig, *, run: RunDir) -> None:
    """Raise ConfigError where probabilities or steps would be others than those of the sampler."""
    names = ("num_problems", "num_samples", "temperature", "max_tokens")
    differing = [
        f"rollout.{name}: {getattr(theirs.rollout, name)} there, {getattr(config.rollout, name)} here"
        for name in names
        if getattr(theirs.rollout, name) != getattr(config.rollout, name)
    ]
    if differing:
        raise ConfigError(
            f"rollout.replay={run.path}: its rollouts were sampled otherwise than they would be learned "
            f"({'; '.join(differing)}); use its settings: orz-rl train --replay {run.path} --out NEW"
        )
