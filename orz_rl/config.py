"""The configuration of a training run: one frozen, typed tree. A recipe returns a whole one; see orz_rl.recipes.

Every section is validated as it is built, and a tree as a whole by `TrainConfig.faults`; no default depends on another,
and what follows from other values is a property.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from orz_bench.grading.extract import EXTRACTORS
from orz_bench.protocol import ORZ_STOP
from orz_bench.templates import TEMPLATES
from orz_rl.health import SignName
from orz_rl.ppo.names import KlEstimator, Normalisation

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
REDUCE_BUCKET = 200_000_000
"""Gradients that ranks reduce at a time, in elements; DeepSpeed holds a buffer for them."""


class Section(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelConfig(Section):
    """What is trained."""

    policy: str
    """The base model: a checkpoint folder, a hub id, or `tiny`, the one that ships with the product."""
    critic: str | None = None
    """What the critic's body starts from; null: the same as the policy."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of weights and activations; the optimiser keeps float32."""
    value_head_init: Literal["code", "paper", "zero"] = "code"
    """code: N(0, 1/(hidden+1)), as in the reference's code; paper: U(-sqrt 5, sqrt 5), as in its paper; zero: zeros."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass: about a third more time for much less memory."""
    attention: Literal["packed_sdpa", "flash_attention_2"] = "packed_sdpa"
    """packed_sdpa runs everywhere; flash_attention_2 needs a GPU and the flash-attn package."""


class DataConfig(Section):
    """What is trained on."""

    source: tuple[str, ...] = ()
    """Files in the ORZ format or JSON lines, CSV, Parquet; `hub:OWNER/NAME/FILE`; or `arithmetic`, generated sums."""
    template: str = "orz-code"
    """How a problem becomes a prompt; see docs/benchmarks.md."""
    max_prompt_tokens: Positive = 2048
    """Longer prompts are refused, counted and named, never cut."""
    limit: Positive | None = None
    """Only the first N problems: the data-scale ablation."""
    language: Literal["any", "english"] = "any"
    """english: only problems whose question has no letter of a script but Latin, Greek and signs of mathematics."""


class RolloutConfig(Section):
    """What is sampled in one step, and by what."""

    num_problems: Positive = 128
    """Problems a step."""
    num_samples: Positive = 64
    """Samples a problem: the group."""
    temperature: Rate = 1.0
    """Of the softmax, in sampling and in training alike."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Below 1, log-probabilities of sampler and trainer differ by the cut tail; the mismatch metrics show it."""
    top_k: int = -1
    """-1: off."""
    max_tokens: Positive = 8000
    """New tokens a sample; what is cut there earns nothing."""
    max_model_len: Positive | None = None
    """Prompt and response together, where the engines should hold less than data.max_prompt_tokens + max_tokens."""
    stop: tuple[str, ...] = ORZ_STOP
    """Strings that end a sample; they are kept."""
    engine: Literal["auto", "vllm", "transformers"] = "auto"
    """auto: vllm where it is installed."""
    num_engines: Positive = 1
    """Engines, each a Ray actor."""
    tensor_parallel: Positive = 1
    """GPUs an engine."""
    gpu_memory_share: Share = 0.7
    """Of each GPU, for vllm."""
    batch_size: Positive = 64
    """Sequences at once, for transformers."""
    dynamic_sampling: Count = 0
    """DAPO: up to this many further rounds replace the groups that are all right or all wrong; 0: off."""


class RewardConfig(Section):
    """How a grade becomes a reward: 1 for a right answer that ended by itself, else 0."""

    extractor: str = "orz"
    """Which rule finds the answer: orz, boxed or final."""
    overlong_buffer: Count = 0
    """DAPO: tokens before the limit in which a growing penalty up to 1 is subtracted; 0: off."""
    deadline_s: Rate = 5.0
    """Seconds before the grading of one answer is given up."""


class AdvantageConfig(Section):
    """How rewards become advantages."""

    estimator: Literal["gae", "grpo", "dr_grpo", "rloo", "reinforce_pp"] = "gae"
    """gae trains a critic; the others compare the samples of a group (reinforce_pp: of the batch) and have none."""
    gamma: Share = 1.0
    """Discount a token (gae, reinforce_pp)."""
    lam: Share = 1.0
    """GAE's lambda: 1 is return minus value."""
    whiten: bool = True
    """Mean 0 and deviation 1 over the tokens of the batch (gae)."""


class LossConfig(Section):
    """What the optimisers minimise."""

    clip_low: Share = 0.2
    """PPO: the ratio counts down to 1 - clip_low."""
    clip_high: Rate = 0.2
    """PPO: and up to 1 + clip_high; larger than clip_low is DAPO's clip-higher."""
    value_clip: Rate | None = 0.2
    """How far a value may move from the old one in the clipped value loss; null: plain squared error."""
    normalisation: Normalisation = "token"
    """token: every token alike; sequence: every rollout alike; constant: every token over the generation limit."""
    kl_loss: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of KL(policy || reference) in the loss; 0: no reference model is loaded for it."""
    kl_penalty: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of the same, subtracted from the rewards token by token; 0: likewise."""
    kl_estimator: KlEstimator = "k3"
    """k1, k2 or k3 (Schulman 2020)."""
    importance_cap: Rate | None = None
    """Truncated importance sampling against the sampler's log-probabilities: the cap of the weight; null: off."""


class OptimConfig(Section):
    """AdamW for both models."""

    policy_lr: Rate = 1e-6
    """Learning rate of the policy."""
    critic_lr: Rate = 5e-6
    """Learning rate of the critic."""
    betas: tuple[Share, Share] = (0.9, 0.95)
    """Of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of AdamW, decoupled."""
    max_grad_norm: Rate = 1.0
    """Gradients are scaled down to this norm."""
    warmup_steps: Count = 50
    """Steps in which both rates rise linearly from 0."""
    final_lr: Rate | None = None
    """The policy's rate at the last step, reached linearly after the warm-up (annealing); null: constant."""
    policy_updates: Positive = 1
    """Optimiser steps of the policy a generation, each on its share of the rollouts."""
    critic_updates: Positive = 12
    """The same for the critic."""


class ClusterConfig(Section):
    """Where things run."""

    device: Literal["cpu", "cuda"] = "cuda"
    """What both models are trained on."""
    in_process: bool = False
    """Everything in the controller's process, without Ray: one rank, one engine; for debugging and tests."""
    colocate: bool = True
    """Engines and models share devices and take turns; otherwise each has its own."""
    spread: bool = False
    """Place bundles on as many nodes as there are; otherwise on as few as possible."""
    policy_ranks: Positive = 1
    """Processes that share the policy's training."""
    critic_ranks: Positive = 1
    """The same for the critic."""
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 3
    """DeepSpeed ZeRO: 1 shards the optimiser over ranks, 2 also gradients, 3 also weights."""
    weight_sync: Literal["auto", "host", "broadcast", "ipc"] = "auto"
    """How new weights reach the engines. ipc: mapped from the rank on the same device; broadcast: NCCL (gloo on a CPU);
    host: through memory of the host; auto: ipc where colocated on GPUs, broadcast between GPUs, host on a CPU."""
    offload_optimizer: bool = False
    """Keep the optimiser's state in host memory."""
    pack_tokens: Positive = 16_384
    """Tokens a pack: what goes through a model at once."""

    @property
    def transport(self) -> Literal["host", "broadcast", "ipc"]:
        """What weight_sync comes to."""
        if self.weight_sync != "auto":
            return self.weight_sync
        if self.device == "cpu":
            return "host"
        return "ipc" if self.colocate else "broadcast"


class EvalConfig(Section):
    """Evaluation in training, with the running engines, by orz_bench."""

    benchmarks: tuple[str, ...] = ()
    """Names as in `orz-bench data list`; none: no evaluation."""
    every: Positive = 10
    """Steps between two; the base model and the last step are always evaluated."""
    n: Positive = 16
    """Samples a question."""
    limit: Positive | None = None
    """Only the first N questions."""


class CheckpointConfig(Section):
    """What is saved."""

    every: Positive = 50
    """Steps between two; the last step is always saved."""
    keep_last: Positive = 2
    """Whole ones kept; older ones go."""
    keep_best: Count = 1
    """The best by evaluation (or else by reward), kept besides."""


class HealthConfig(Section):
    """What happens when training shows a sign of collapse; the signs: docs/training.md."""

    hook: str | None = None
    """A command that is run once a sign, with facts as JSON on stdin and in ORZ_SIGN, ORZ_TEXT, ORZ_STEP, ORZ_RUN."""
    stop: tuple[SignName, ...] = ()
    """Signs that end the run, marked FAILED with the reason; none: a warning stops nothing."""


class LoggingConfig(Section):
    """Where metrics go besides metrics.jsonl."""

    tensorboard: bool = True
    """Write TensorBoard files into the run directory."""
    wandb_project: str | None = None
    """Report to this Weights & Biases project; needs the wandb package."""


class TrainConfig(Section):
    """A whole run."""

    model: ModelConfig
    data: DataConfig
    rollout: RolloutConfig = RolloutConfig()
    reward: RewardConfig = RewardConfig()
    advantage: AdvantageConfig = AdvantageConfig()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    cluster: ClusterConfig = ClusterConfig()
    eval: EvalConfig = EvalConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    health: HealthConfig = HealthConfig()
    logging: LoggingConfig = LoggingConfig()
    seed: int = 42
    """Everything random follows from it."""
    num_steps: Positive = 1000
    """Generations with their updates."""

    @property
    def has_critic(self) -> bool:
        """Whether the estimator needs values."""
        return self.advantage.estimator == "gae"

    @property
    def has_reference(self) -> bool:
        """Whether a KL term needs the frozen start."""
        return self.loss.kl_loss > 0 or self.loss.kl_penalty > 0

    @property
    def num_rollouts(self) -> int:
        """Rollouts a step."""
        return self.rollout.num_problems * self.rollout.num_samples

    @property
    def max_sequence(self) -> int:
        """Tokens of the longest prompt and response together."""
        longest = self.data.max_prompt_tokens + self.rollout.max_tokens
        return min(longest, self.rollout.max_model_len or longest)

    def learning_rates(self, step: int) -> tuple[float, float]:
        """(policy's, critic's) at a step, counted from 1."""
        optim = self.optim
        warmth = min(1.0, step / optim.warmup_steps) if optim.warmup_steps else 1.0
        policy_lr = optim.policy_lr
        if optim.final_lr is not None and step > optim.warmup_steps:
            done = (step - optim.warmup_steps) / max(1, self.num_steps - optim.warmup_steps)
            policy_lr += (optim.final_lr - policy_lr) * min(1.0, done)
        return policy_lr * warmth, optim.critic_lr * warmth

    def faults(self) -> Iterator[str]:
        """What contradicts itself, each with what to do."""
        yield from self._choices()
        yield from self._sizes()
        yield from self._combinations()

    def _choices(self) -> Iterator[str]:
        if not self.data.source:
            yield "data.source is empty; name files, hub:OWNER/NAME/FILE or arithmetic"
        if self.data.template not in TEMPLATES:
            yield f"data.template is {self.data.template!r}, wanted one of {', '.join(TEMPLATES)}"
        if self.reward.extractor not in EXTRACTORS:
            yield f"reward.extractor is {self.reward.extractor!r}, wanted one of {', '.join(EXTRACTORS)}"

    def _sizes(self) -> Iterator[str]:
        rollout, cluster, optim = self.rollout, self.cluster, self.optim
        if self.advantage.estimator in ("grpo", "dr_grpo", "rloo") and rollout.num_samples < 2:
            yield (
                f"rollout.num_samples is {rollout.num_samples}, but advantage.estimator={self.advantage.estimator} "
                f"compares the samples of a problem and needs at least 2; set it, or use advantage.estimator=gae"
            )
        if self.max_sequence > cluster.pack_tokens:
            yield (
                f"the longest prompt and response have {self.max_sequence:,} tokens, but cluster.pack_tokens is "
                f"{cluster.pack_tokens:,} and no sequence is ever dropped; raise it, or lower "
                f"data.max_prompt_tokens or rollout.max_tokens"
            )
        for name in ("policy_updates", "critic_updates"):
            if getattr(optim, name) > self.num_rollouts:
                yield f"optim.{name} is {getattr(optim, name)}, but a step has {self.num_rollouts} rollouts; lower it"
        if self.reward.overlong_buffer >= rollout.max_tokens:
            yield f"reward.overlong_buffer is {self.reward.overlong_buffer}, wanted less than rollout.max_tokens"

    def _combinations(self) -> Iterator[str]:
        rollout, cluster = self.rollout, self.cluster
        if cluster.colocate and rollout.tensor_parallel > 1:
            yield "rollout.tensor_parallel above 1 needs engines of their own; set cluster.colocate=false"
        if cluster.transport == "ipc" and not (cluster.colocate and rollout.num_engines <= cluster.policy_ranks):
            yield (
                f"cluster.weight_sync=ipc maps weights on the engine's own device, but {rollout.num_engines} engines "
                f"and {cluster.policy_ranks} policy ranks do not share devices; set cluster.colocate=true and as many "
                f"ranks as engines, or cluster.weight_sync=host"
            )
        if cluster.in_process and max(cluster.policy_ranks, cluster.critic_ranks, rollout.num_engines) > 1:
            yield "cluster.in_process allows one rank and one engine; set them to 1, or cluster.in_process=false"
        if self.model.dtype == "bfloat16" and cluster.zero_stage == 0:
            yield (
                "model.dtype=bfloat16 needs cluster.zero_stage=1 or higher, which keeps float32 copies of weights and "
                "gradients for the optimiser; set it, or model.dtype=float32"
            )
        if cluster.device == "cpu" and self.model.attention == "flash_attention_2":
            yield "model.attention=flash_attention_2 needs a GPU; use packed_sdpa, or cluster.device=cuda"
        if self.loss.importance_cap is not None and rollout.top_p < 1:
            yield "loss.importance_cap compares log-probabilities, which rollout.top_p below 1 changes; use one of them"
