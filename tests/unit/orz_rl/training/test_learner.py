"""What the learner sends to the policy's rank for samples of older weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch

from orz_rl.ppo.batch import Batch
from orz_rl.ppo.parts import Estimate
from orz_rl.recipes.registry import resolve
from orz_rl.training.learner import Learner
from orz_rl.workers.cluster import Cluster
from orz_rl.workers.in_process import Done
from orz_rl.workers.messages import PolicyPack, PolicyTerms, Update
from tests.support.builders import a_rollout

SHIFT = 0.1
"""The policy gives the first response this much more than the sampler did, each token, and the others the same."""


class OneRank:
    """Scores as told; keeps what an update is made from."""

    num_ranks = 1

    def __init__(self) -> None:
        self.items: list[PolicyPack] = []
        self.terms: PolicyTerms | None = None

    def open_model(self, spec: object, num_ranks: int) -> OneRank:
        return self

    def ready(self) -> None:
        pass

    def check_packs(self, *, max_tokens: int, share_prompts: bool) -> Done:
        return Done(None)

    def start(self, method: str, shares: Sequence[Any] | None = None, **settings: Any) -> Done:
        assert (method, len(shares or ())) == ("logprobs", 1)
        assert shares is not None
        counts = [[count for each in pack.lengths for count in each.responses] for pack in shares[0]]
        return Done([self._scores(lengths) for lengths in counts])

    def _scores(self, lengths: list[int]) -> torch.Tensor:
        return torch.cat([torch.full((count,), -0.5 + (SHIFT if count == 3 else 0.0)) for count in lengths])

    def logprobs(self, packs: Sequence[Any]) -> Done:
        return self.start("logprobs", packs)

    def update_policy(self, batches: Any, *, lr: Any, terms: PolicyTerms) -> Done:
        ((self.items,),) = batches
        self.terms = terms
        found = [item.weights_R for item in self.items]
        return Done([Update(loss=0.0, clipped=0.0, grad_norm=1.0, logprobs=found, entropies=found)])


def updated(*overrides: str) -> OneRank:
    """After one update on responses of 3, 2 and 5 tokens."""
    rank = OneRank()
    config = resolve("tiny", overrides=["advantage.estimator=rloo", *overrides])
    learner = Learner(config, cast("Cluster", rank), policy="m", critic="m")
    batch = Batch.of(
        [
            a_rollout(
                sample_index=index,
                num_tokens=count,
                token_ids=[1] * count,
                prompt_token_ids=[2],
                logprobs=[-0.5] * count,
                reward=1.0,
            )
            for index, count in enumerate((3, 2, 5))
        ]
    )
    target = Estimate(batch.mask_BT, batch.mask_BT, None)
    learner.update(batch, learner.score(batch), estimate=target, step=1)
    return rank


@pytest.mark.parametrize(("high", "is_masked"), [(1.08, True), (1.2, False)])
def test_a_masked_response_has_no_weight_and_those_of_the_others_stay(high: float, *, is_masked: bool) -> None:
    (item,) = updated(f"loss.sequence_band=[0.9, {high}]").items
    (plain,) = updated().items
    lengths = [count for each in item.pack.lengths for count in each.responses]
    is_first = torch.tensor([count == 3 for count in lengths for _ in range(count)])
    assert torch.equal(item.weights_R, plain.weights_R * ~(is_first & is_masked))
    assert plain.old_logprobs_R is None, "without a mask the update's own forward pass gives them"
    assert item.old_logprobs_R is not None


def test_what_the_ratio_is_clipped_against() -> None:
    separate = ("cluster.colocate=false", "rollout.max_staleness=1")
    for overrides, wanted in (
        ((), False),
        (("loss.clip_against=sampler",), True),
        (separate, True),
        ((*separate, "loss.importance_cap=2"), False),
        ((*separate, "loss.clip_against=policy", "loss.importance_band=[0.5, 5]"), False),
    ):
        terms = updated(*overrides).terms
        assert terms is not None
        assert terms.clips_against_sampler is wanted, overrides
