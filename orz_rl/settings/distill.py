"""Settings of distillation: learning from another model's answers or probabilities instead of from rewards."""

from __future__ import annotations

from typing import Literal

from orz_rl.settings.section import Count, Positive, Section, Text

Preference = Literal["random", "shortest", "longest", "value", "diverse"]


class DistillConfig(Section):
    """Distillation (docs/distillation.md); without source and teacher it is off."""

    source: Text | None = None
    """Supervised: a run or a table of rollouts whose right answers are learned, with advantage.estimator=imitation and
    loss.objective=log_likelihood, as `orz-rl distill --from` sets them; null: off."""
    teacher: Text | None = None
    """On-policy: the model that scores every token that the policy samples, with advantage.estimator=reverse_kl, as
    `orz-rl distill --on-policy` sets it; a checkpoint folder or a hub id; null: off."""
    batch: Positive = 64
    """Answers per step (supervised)."""
    from_step: Count = 0
    """Only answers that were sampled in this step of the source, or later."""
    per_problem: Positive | None = None
    """At most so many answers of one problem; null: all."""
    limit: Positive | None = None
    """At most so many answers in all, first one of every problem, then a second one, and so on; null: all."""
    prefer: Preference = "random"
    """Which answers of a problem come first. value: those with the highest mean value of `orz-bench value`; diverse:
    each the one that shares the fewest 3-grams of tokens with those before it."""
    critic: Text | None = None
    """Start of the digest of the critic whose values are read (distill.prefer=value); null: the only one there is."""
    against: tuple[Text, ...] = ()
    """Benchmarks whose questions are not learned, besides those of eval.benchmarks; all: every benchmark."""
