"""Which bundle of resources each process of a run takes, and how much of it. Plain arithmetic; Ray only applies it."""

from __future__ import annotations

from dataclasses import dataclass

from orz_rl.config import ClusterConfig
from orz_rl.workers.messages import Role

SHARE = 0.25
"""Share of a bundle per process: policy, critic, reference and engine may use the same bundle."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The bundles of a run, by their index in its placement group."""

    ranks: dict[Role, range]
    """One bundle per rank of each model. The reference shares the policy's bundles."""
    engines: range
    """The first bundle of each engine."""
    gpus_per_engine: int
    has_gpus: bool
    """Whether models and engines use GPUs."""
    is_shared: bool
    """Whether an engine shares its bundle with models."""

    @property
    def num_trained(self) -> int:
        """Models that are trained: the policy, and the critic if there is one."""
        return 1 + bool(self.ranks["critic"])

    @property
    def models_share(self) -> bool:
        """Whether policy and critic are in the same bundles."""
        return bool({*self.ranks["policy"]} & {*self.ranks["critic"]})

    @property
    def bundles(self) -> list[dict[str, float]]:
        """The resources of every bundle."""
        num_bundles = max(places.stop for places in (*self.ranks.values(), self.engines))
        own = () if self.is_shared else self.engines
        gpus = [self.gpus_per_engine if index in own else 1 for index in range(num_bundles)]
        return [{"CPU": 1.0} | ({"GPU": float(count)} if self.has_gpus else {}) for count in gpus]

    def share_of(self, *, is_engine: bool) -> dict[str, float]:
        """The `num_cpus` and `num_gpus` of one process: an engine that shares nothing takes its whole bundle.

        One that spans several bundles takes no GPU itself; each of its workers takes SHARE of one (see spanned()).
        """
        if is_engine and self.spans:
            return {"num_cpus": SHARE, "num_gpus": 0.0}
        owns_bundle = is_engine and not self.is_shared
        share = 1.0 if owns_bundle else SHARE
        gpus = self.gpus_per_engine if owns_bundle else 1
        return {"num_cpus": share, "num_gpus": share * gpus if self.has_gpus else 0.0}

    @property
    def spans(self) -> bool:
        """Whether an engine spans the devices of several ranks: tensor parallelism on shared devices."""
        return self.is_shared and self.gpus_per_engine > 1

    def spanned(self, engine: int) -> range:
        """The bundles that the workers of an engine are in, one each, if it spans several."""
        first = self.engines[engine]
        return range(first, first + self.gpus_per_engine)


def place(config: ClusterConfig, *, has_critic: bool, engines: int, gpus_per_engine: int) -> Placement:
    """Colocated, models and engines share bundles from the first on; otherwise engines have their own, and either each
    model has too, or policy and critic share theirs (colocate_models).
    """
    critics = config.critic_ranks if has_critic else 0
    first_critic = 0 if config.colocate or config.colocate_models else config.policy_ranks
    first_engine = 0 if config.colocate else max(config.policy_ranks, first_critic + critics)
    policy = range(config.policy_ranks)
    width = gpus_per_engine if config.colocate else 1
    return Placement(
        ranks={"policy": policy, "reference": policy, "critic": range(first_critic, first_critic + critics)},
        engines=range(first_engine, first_engine + engines * width, width),
        gpus_per_engine=gpus_per_engine,
        has_gpus=config.device == "cuda",
        is_shared=config.colocate,
    )
