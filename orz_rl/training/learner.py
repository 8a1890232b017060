"""Policy, critic and reference as the trainer sees them: they score a batch, then are updated on it.

A batch is split into updates, ranks and packs here, and the results are put together again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from orz_bench.errors import EngineError
from orz_rl.config import TrainConfig
from orz_rl.ppo.batch import Batch, Shares, split
from orz_rl.ppo.estimate import estimate, token_rewards
from orz_rl.ppo.losses import kl_estimate, positive_weights, sequence_mask, token_weights
from orz_rl.ppo.packing import efficiency
from orz_rl.ppo.packs import PackSlice
from orz_rl.ppo.parts import Estimate
from orz_rl.workers.cluster import Cluster, ModelGroup, Pending, Sources
from orz_rl.workers.messages import CriticPack, ModelSpec, NonFinite, PolicyPack, PolicyTerms, Role, Update

Item = TypeVar("Item", PolicyPack, CriticPack)
Forward = Callable[[ModelGroup, Sequence[Sequence[PackSlice]]], Pending[list[Tensor]]]


class NonFiniteError(EngineError):
    """An update was stopped before its optimiser step; `members` are the rollouts of the offending pack."""

    def __init__(self, message: str, members: tuple[int, ...]) -> None:
        super().__init__(message)
        self.members = members


@dataclass(frozen=True, slots=True)
class Scores:
    """The models' outputs on a batch before it is learned from; None for what this configuration does not need."""

    values_BT: Tensor | None
    old_logprobs_BT: Tensor | None
    reference_logprobs_BT: Tensor | None
    kl_penalty_BT: Tensor | None
    teacher_BTX: Tensor | None = None
    """A teacher's most probable tokens at every place (TopTokens.packed()); None without distill.teacher_tokens."""


@dataclass(frozen=True, slots=True)
class Updates:
    """Results of the updates of one step."""

    policy: tuple[Update, ...]
    """One per optimiser step, summed over ranks; none in a step of critic.warmup_steps."""
    critic: tuple[Update, ...]
    logprobs_BT: Tensor | None
    """Under the policy, before the first update that used the token; None where it makes none."""
    entropy_BT: Tensor | None
    packing_efficiency: float | None
    """None where nothing is packed."""
    learning_rates: tuple[float, float]
    """(policy, critic) at the last update of the step."""


class Learner:
    """Policy, critic and reference."""

    def __init__(
        self, config: TrainConfig, cluster: Cluster, *, policy: str, critic: str, reference: str | None = None
    ) -> None:
        """Open the models from these checkpoints (folders or hub ids); the reference is the policy's, unless given."""
        self._config = config
        ranks = config.cluster
        self._policy = cluster.open_model(model_spec("policy", policy, config=config), ranks.policy_ranks)
        self._critic: ModelGroup | None = None
        self._reference: ModelGroup | None = None
        if config.has_critic:
            self._critic = cluster.open_model(model_spec("critic", critic, config=config), ranks.critic_ranks)
        if config.has_reference:
            self._reference = cluster.open_model(
                model_spec("reference", reference or policy, config=config), ranks.policy_ranks
            )
        for group in self._groups:
            group.ready()
        longest = config.max_sequence
        _wait([each.check_packs(max_tokens=longest, share_prompts=ranks.share_prompts) for each in self._groups])

    @property
    def groups(self) -> dict[str, ModelGroup]:
        """The models whose state is saved in a checkpoint."""
        return {"policy": self._policy} | ({"critic": self._critic} if self._critic else {})

    @property
    def _groups(self) -> list[ModelGroup]:
        return [group for group in (self._policy, self._critic, self._reference) if group is not None]

    def score(self, batch: Batch, *, step: int = 0) -> Scores:
        """Forwards without gradients; the models work at the same time. In a step of critic.warmup_steps the policy is
        asked only for what the rewards need.
        """
        config = self._config
        if not batch.rollouts:
            return Scores(None, None, None, None)
        learns = not config.is_warmup(step) or config.kl_in_rewards > 0
        # With one update per step, its own forward pass gives the old log-probabilities.
        needs_old = not config.is_supervised and (
            config.optim.policy_updates > 1 or config.kl_in_rewards > 0 or config.loss.sequence_band is not None
        )
        values = self._forward(batch, self._critic, forward=ModelGroup.values)
        top_k = config.distill.teacher_tokens
        reads = partial(ModelGroup.top_tokens, top_k=top_k) if top_k else ModelGroup.logprobs
        reference = self._forward(batch, self._reference if learns else None, forward=reads)
        old = self._forward(batch, self._policy if needs_old and learns else None, forward=ModelGroup.logprobs)
        old_BT, reference_BT, teacher_BTX = old(), reference(), None
        if top_k:
            assert reference_BT is not None
            reference_BT, teacher_BTX = reference_BT[..., 0], reference_BT
        penalty_BT = None
        if config.kl_in_rewards > 0:
            assert old_BT is not None
            assert reference_BT is not None
            kl_BT = kl_estimate(old_BT, reference_BT, estimator=config.loss.kl_penalty_estimator)
            penalty_BT = config.kl_in_rewards * kl_BT * batch.mask_BT
        return Scores(values(), old_BT, reference_BT, penalty_BT, teacher_BTX)

    def update(self, batch: Batch, scores: Scores, *, estimate: Estimate, step: int) -> Updates:
        """All optimiser steps of both models; in a step of critic.warmup_steps of the critic alone.

        Raises NonFiniteError before a step that would destroy the weights.
        """
        config, optim = self._config, self._config.optim
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        num_rollouts = len(batch.rollouts)
        if not num_rollouts:
            return Updates((), (), batch.mask_BT, batch.mask_BT, None, config.learning_rates(step))
        policy_parts = split(num_rollouts, optim.policy_updates, generator=generator)
        critic_parts = split(num_rollouts, optim.critic_updates, generator=generator)
        if config.is_warmup(step):
            shares, policy = list[Shares](), None
        else:
            shares = [self._deal(batch, part, group=self._policy) for part in policy_parts]
            policy = self._start_policy(batch, scores, estimate=estimate, shares=shares, lr=config.policy_rates(step))
        critic_updates = self._update_critic(
            batch, scores, estimate=estimate, parts=critic_parts, lr=config.critic_rates(step)
        )
        if policy is None:
            return Updates((), critic_updates, None, None, None, config.learning_rates(step))
        results = _finite(policy.results(), shares, role="policy")
        packs = [members for each in shares for share in each for members in share if members]
        return Updates(
            policy=_summed(results),
            critic=critic_updates,
            logprobs_BT=_gather(batch, results, all_shares=shares, what="logprobs"),
            entropy_BT=_gather(batch, results, all_shares=shares, what="entropies"),
            packing_efficiency=efficiency(list(map(batch.num_tokens, packs)), capacity=config.cluster.pack_tokens),
            learning_rates=config.learning_rates(step),
        )

    def _start_policy(
        self, batch: Batch, scores: Scores, *, estimate: Estimate, shares: Sequence[Shares], lr: Sequence[float]
    ) -> Pending[list[Update] | NonFinite]:
        """Start the policy's optimiser steps."""
        loss = self._config.loss
        terms = PolicyTerms(
            objective=loss.objective,
            clip_low=loss.clip_low,
            clip_high=loss.clip_high,
            kl_loss=loss.kl_loss,
            kl_estimator=loss.kl_loss_estimator,
            importance_cap=loss.importance_cap,
            importance_band=loss.importance_band,
            clips_against_sampler=self._config.clips_against_sampler,
            positive_nll=loss.positive_nll,
        )
        values = {
            "advantages_R": estimate.advantages_BT,
            "sampler_logprobs_R": batch.sampler_logprobs_BT,
            "old_logprobs_R": scores.old_logprobs_BT,
            "reference_logprobs_R": scores.reference_logprobs_BT,
            "teacher_RT": scores.teacher_BTX,
        }
        items = self._items(batch, shares, kind=PolicyPack, values=values, kept_B=self._kept(batch, scores))
        return self._policy.update_policy(items, lr=lr, terms=terms)

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Sources]:
        """A context in which the policy's weights are sent to these engines; yields the source for each."""
        return self._policy.sending_weights(engines)

    def offload(self) -> None:
        """Move every model to the host."""
        _wait([group.offload() for group in self._groups])

    def reload(self) -> None:
        """Load every model back to its device."""
        _wait([group.reload() for group in self._groups])

    def _update_critic(
        self, batch: Batch, scores: Scores, *, estimate: Estimate, parts: Sequence[list[int]], lr: Sequence[float]
    ) -> tuple[Update, ...]:
        if self._critic is None:
            return ()
        returns_BT, values_BT = estimate.returns_BT, scores.values_BT
        assert returns_BT is not None
        assert values_BT is not None

        shares = [self._deal(batch, part, group=self._critic) for part in parts]
        values = {"returns_R": returns_BT, "old_values_R": values_BT}
        items = self._items(batch, shares, kind=CriticPack, values=values)
        pending = self._critic.update_critic(items, lr=lr, clip=self._config.loss.value_clip)
        return _summed(_finite(pending.results(), shares, role="critic"))

    def _deal(self, batch: Batch, members: Sequence[int], *, group: ModelGroup) -> Shares:
        return batch.shares(members, capacity=self._config.cluster.pack_tokens, num_ranks=group.num_ranks)

    def _forward(self, batch: Batch, group: ModelGroup | None, *, forward: Forward) -> Callable[[], Tensor | None]:
        """Start a forward pass over the batch; the function waits for its result, of shape (B, T). None: no model."""
        if group is None:
            return lambda: None
        shares = self._deal(batch, range(len(batch.rollouts)), group=group)
        pending = forward(group, batch.packs(shares))
        return lambda: batch.from_packs(pending.results(), shares)

    def _kept(self, batch: Batch, scores: Scores) -> Tensor | None:
        """1 for the responses that the policy learns from, 0 for those that loss.sequence_band masks. None: all."""
        band = self._config.loss.sequence_band
        if band is None:
            return None
        assert scores.old_logprobs_BT is not None
        return sequence_mask(scores.old_logprobs_BT, batch.sampler_logprobs_BT, mask_BT=batch.mask_BT, band=band)

    def _weights(self, batch: Batch, shares: Shares, *, kept_B: Tensor | None) -> list[list[Tensor]]:
        """The weight of every token of each pack, in one update over all its ranks and packs."""
        members = [member for share in shares for chosen in share for member in chosen]
        weights_B = torch.zeros(len(batch.rollouts))
        constant = float(self._config.rollout.max_tokens)
        weights_B[members] = token_weights(
            batch.lengths_B[members], self._config.loss.normalisation, constant=constant
        ).float()
        return batch.repeated(weights_B if kept_B is None else weights_B * kept_B, shares)

    def _positive(self, batch: Batch, shares: Shares, *, kept_B: Tensor | None) -> list[list[Tensor]]:
        """The same for the likelihood of rewarded responses."""
        members = [member for share in shares for chosen in share for member in chosen]
        weights_B = torch.zeros(len(batch.rollouts))
        weights_B[members] = positive_weights(batch.lengths_B[members], batch.rewards_B[members]).float()
        return batch.repeated(weights_B if kept_B is None else weights_B * kept_B, shares)

    def _items(
        self,
        batch: Batch,
        all_shares: Sequence[Shares],
        *,
        kind: type[Item],
        values: Mapping[str, Tensor | None],
        kept_B: Tensor | None = None,
    ) -> list[list[list[Item]]]:
        """For each rank and each update: its packs with the inputs of the loss; `values`: of shape (B, T), by field."""
        per_update = []
        for shares in all_shares:
            fields: dict[str, list[list[Any]]] = {
                "pack": batch.packs(shares),
                "weights_R": self._weights(batch, shares, kept_B=kept_B),
            }
            if kind is PolicyPack and self._config.loss.positive_nll > 0:
                fields["positive_R"] = self._positive(batch, shares, kept_B=kept_B)
            fields |= {name: batch.in_packs(of_BT, shares) for name, of_BT in values.items() if of_BT is not None}
            unknown: dict[str, Any] = dict.fromkeys(name for name, of_BT in values.items() if of_BT is None)
            per_update.append(
                [
                    [
                        kind(**{name: found[rank][at] for name, found in fields.items()}, **unknown)
                        for at in range(len(share))
                    ]
                    for rank, share in enumerate(shares)
                ]
            )
        return [list(of_rank) for of_rank in zip(*per_update, strict=True)]


def estimated(batch: Batch, scores: Scores, *, config: TrainConfig) -> Estimate:
    """Advantages and returns of a batch, from its rewards, the KL penalty and the values."""
    return estimate(
        config.advantage.estimator,
        token_rewards(batch.rewards_B, batch.mask_BT, penalty_BT=scores.kl_penalty_BT),
        values_BT=scores.values_BT,
        group_B=batch.group_B,
        mask_BT=batch.mask_BT,
        discounts=config.advantage,
    )


def _wait(calls: Sequence[Pending[Any]]) -> None:
    for call in calls:
        call.results()


def model_spec(role: Role, checkpoint: str, *, config: TrainConfig) -> ModelSpec:
    """What a process needs to load its share of a model with these settings."""
    model, cluster, optim = config.model, config.cluster, config.optim
    return ModelSpec(
        role=role,
        checkpoint=checkpoint,
        seed=config.seed,
        dtype=model.dtype,
        device=cluster.device,
        attention=model.attention,
        gradient_checkpointing=model.gradient_checkpointing and role != "reference",
        value_head_init=model.value_head_init,
        zero_stage=cluster.zero_stage,
        offload_optimizer=cluster.offload_optimizer,
        betas=optim.betas,
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
        temperature=config.rollout.temperature,
        head_float32=model.head_float32,
    )


def _finite(
    results: Sequence[list[Update] | NonFinite], all_shares: Sequence[Shares], *, role: str
) -> list[list[Update]]:
    """The updates of each rank. Raises NonFiniteError, naming the pack, if an update was stopped."""
    for rank, outcome in enumerate(results):
        if isinstance(outcome, NonFinite) and outcome.pack is not None:
            members = all_shares[outcome.update][rank][outcome.pack]
            raise NonFiniteError(f"the {role}'s {outcome.what} is not finite", members)
    return [outcome for outcome in results if not isinstance(outcome, NonFinite)]


def _summed(results: Sequence[Sequence[Update]]) -> tuple[Update, ...]:
    """Sums the updates of all ranks into one per optimiser step."""
    return tuple(
        Update(
            loss=sum(update.loss for update in of_ranks),
            clipped=sum(update.clipped for update in of_ranks),
            kl_loss=sum(update.kl_loss for update in of_ranks),
            positive_nll=sum(update.positive_nll for update in of_ranks),
            grad_norm=of_ranks[0].grad_norm,
            logprobs=[],
            entropies=[],
        )
        for of_ranks in zip(*results, strict=True)
    )


def _gather(batch: Batch, results: Sequence[Sequence[Update]], *, all_shares: Sequence[Shares], what: str) -> Tensor:
    out_BT = torch.zeros_like(batch.mask_BT)
    for index, shares in enumerate(all_shares):
        batch.from_packs([getattr(updates[index], what) for updates in results], shares, into_BT=out_BT)
    return out_BT
