"""Ablations: groups of runs side by side, labelled by the settings in which they differ. One class for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.curves.grouping import differing_leaves, leaves_of
from analysis.curves.study import Group, benchmarks_of
from analysis.figures.captions import caption
from analysis.figures.panels import NothingToCompareError, present, score_panel
from analysis.figures.spec import FigureSpec
from analysis.figures.training import length_panel, outcome_panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """A figure that compares groups of runs which differ in certain settings."""

    name: str
    title: str
    settings: tuple[str, ...]
    """Dotted names in config.yaml; runs must differ in one of them, or have no configuration (files)."""

    def __call__(self, groups: Sequence[Group]) -> FigureSpec:
        """Reward, length and benchmark accuracy of the groups. NothingToCompareError if the settings do not differ."""
        self._check(groups)
        names = benchmarks_of(groups)
        panels = present(
            [outcome_panel(groups), length_panel(groups), *(score_panel(groups, name) for name in names)],
            wanted="rewards, lengths or evaluations",
        )
        text = caption(f"{self.title}.", groups, panels=panels)
        return FigureSpec(name=self.name, title=self.title, panels=panels, caption=text)

    def explains(self, groups: Sequence[Group]) -> bool:
        """Whether the groups differ in these settings and nothing else; always true without settings."""
        differing = differing_leaves([leaves_of(group.studies[0]) for group in groups])
        return not self.settings or (bool(differing) and set(differing) <= set(self.settings))

    def _check(self, groups: Sequence[Group]) -> None:
        leaves = [leaves_of(group.studies[0]) for group in groups]
        differing = differing_leaves([one for one in leaves if one])
        if len(groups) < 2 or (all(leaves) and self.settings and not set(differing) & set(self.settings)):
            found = f"differ in {', '.join(differing)}" if differing else "are one experiment, or have equal settings"
            wanted = f"that differ in {' or '.join(self.settings)}" if self.settings else "of two experiments or more"
            raise NothingToCompareError(f"{self.name}: these runs {found}; name runs {wanted}.")


_LAMBDA = ("advantage.lam", "advantage.gamma", "advantage.estimator")
_KL = ("loss.kl_loss", "loss.kl_penalty", "loss.kl_estimator")
_BATCH = ("rollout.num_problems", "rollout.num_samples", "optim.policy_updates", "optim.critic_updates")

COMPARISON = Ablation(name="comparison", title="Experiments side by side", settings=())
LAMBDA = Ablation(name="lambda", title="GAE lambda", settings=_LAMBDA)
KL = Ablation(name="kl", title="KL in the loss or the reward", settings=_KL)
DATA_SCALE = Ablation(name="data-scale", title="Data scale", settings=("data.limit", "data.source"))
CURATION = Ablation(name="curation", title="Data curation", settings=("data.source", "data.language"))
BATCH = Ablation(name="batch", title="Batch combinations", settings=_BATCH)
LAMBDA_KL = Ablation(name="lambda-kl", title="Lambda and KL", settings=(*_LAMBDA, *_KL))
SAMPLING = Ablation(
    name="sampling", title="Sampling", settings=("rollout.temperature", "rollout.top_p", "rollout.top_k")
)
