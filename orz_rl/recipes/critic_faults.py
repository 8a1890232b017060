"""Contradictions between settings of the critic: warm-up, critic.from, lambdas, the loss of rewarded responses."""

from __future__ import annotations

from collections.abc import Iterator

from orz_rl.config import TrainConfig


def critic_faults(config: TrainConfig) -> Iterator[str]:
    """A sentence for each."""
    critic, estimator = config.critic, config.advantage.estimator
    if not config.has_critic:
        for name, is_set in (("warmup_steps", critic.warmup_steps > 0), ("from", critic.source is not None)):
            if is_set:
                value = getattr(critic, name)
                yield (
                    f"critic.{name} is {value}, but advantage.estimator={estimator} has no critic; leave it out, or "
                    f"use advantage.estimator=gae"
                )
    if critic.warmup_steps >= config.num_steps:
        yield (
            f"critic.warmup_steps is {critic.warmup_steps}, but num_steps is {config.num_steps}, so the policy would "
            f"never learn; raise num_steps, which counts the warm-up, or lower it"
        )
    if critic.source is not None and config.model.critic is not None:
        yield (
            f"critic.from is {critic.source} and model.critic is {config.model.critic}, but a critic starts from one "
            f"of them; keep critic.from for a critic with its value head, model.critic for a body"
        )
    yield from _lambdas(config)
    yield from _positive(config)


def _lambdas(config: TrainConfig) -> Iterator[str]:
    advantage = config.advantage
    if advantage.lam_policy is not None and advantage.lam_alpha is not None:
        yield (
            f"advantage.lam_policy is {advantage.lam_policy} and advantage.lam_alpha {advantage.lam_alpha}, but both "
            f"set the lambda of the policy's advantages; keep one"
        )
    most = config.rollout.max_tokens
    if advantage.lam_alpha is not None and advantage.lam_alpha * most <= 1:
        yield (
            f"advantage.lam_alpha is {advantage.lam_alpha}, so 1 - 1 / (lam_alpha l) is 0 for every response up to "
            f"rollout.max_tokens={most:,}; use more than {1 / most:.3g}, or advantage.lam_policy=0"
        )


def _positive(config: TrainConfig) -> Iterator[str]:
    if not config.loss.positive_nll:
        return
    for setting, is_set in (("distill.source", config.is_supervised), ("distill.teacher", config.has_teacher)):
        if is_set:
            yield f"loss.positive_nll is about rewarded responses, but {setting} is learned; set loss.positive_nll=0"
