"""Settings of what stands around the steps: evaluation, checkpoints, old rollouts, health, trackers."""

from __future__ import annotations

from orz_bench.records.keep_rules import Retention
from orz_rl.names import SignName
from orz_rl.settings.section import Count, Positive, Rule, Section, Text


class EvalConfig(Section):
    """Evaluation during training, with the running engines, by orz_bench."""

    benchmarks: tuple[Text, ...] = ()
    """Names as in `orz-bench data list`, or your own tables (docs/own-data.md); none: no evaluation."""
    by_own_protocol: tuple[Text, ...] = ()
    """Benchmarks that use their own protocol (see docs/benchmarks.md), up to rollout.max_tokens; the others use
    data.template, reward.extractor, rollout.stop and eval.n."""
    every: Positive = 10
    """Steps between evaluations; the base model and the last step are always evaluated."""
    n: Positive = 16
    """Samples per question; 1 if the benchmark's protocol is greedy."""
    limit: Positive | None = None
    """Only the first N questions."""


class RolloutsConfig(Section):
    """What stays on disk of old rollouts: all, every:K (steps that K divides), last:K (the newest K steps),
    sampled:P (a share of the problems). Applied at every checkpoint to the steps before it.
    """

    keep: Rule = "all"
    """What of texts, tokens and log-probabilities is kept, where no rule below says otherwise. All else always is."""
    keep_texts: Rule | None = None
    """Which responses keep their text; null: as `keep`."""
    keep_tokens: Rule | None = None
    """Which responses keep their token ids; null: as `keep`."""
    keep_logprobs: Rule | None = None
    """Which responses keep their log-probabilities, at most those that keep their token ids; null: as `keep`."""
    entropies: bool = True
    """Store the policy's entropy at each token, in 16 bits, beside the log-probabilities and for as long."""

    @property
    def retention(self) -> Retention:
        """The rule of each content."""
        named = {"texts": self.keep_texts, "tokens": self.keep_tokens, "logprobs": self.keep_logprobs}
        return Retention.of(self.keep, **named)


class CheckpointConfig(Section):
    """When checkpoints are saved, and how many are kept."""

    every: Positive = 50
    """Steps between checkpoints; the last step is always saved."""
    keep_last: Positive = 2
    """Number of most recent checkpoints to keep."""
    keep_best: Count = 1
    """Number of best checkpoints, by evaluation (or else by reward), to keep in addition."""


class HealthConfig(Section):
    """Reactions to signs of collapse; the signs are listed in docs/training.md."""

    hook: str | None = None
    """Command to run once per sign, with facts as JSON on stdin and in ORZ_SIGN, ORZ_TEXT, ORZ_STEP, ORZ_RUN."""
    stop: tuple[SignName, ...] = ()
    """Signs that stop the run, which is marked FAILED with the reason; none: a warning stops nothing."""


class LoggingConfig(Section):
    """Experiment trackers that get the metrics besides metrics.jsonl."""

    tensorboard: bool = True
    """Write TensorBoard files into the run directory."""
    wandb_project: Text | None = None
    """Report to this Weights & Biases project; needs the wandb package."""
