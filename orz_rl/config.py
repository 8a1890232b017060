"""The configuration of a training run: one frozen, typed tree. A recipe returns a whole one; see orz_rl.recipes.

Every section is validated as it is built, and a tree as a whole by orz_rl.recipes.faults; no default depends on
another, and what follows from other values is a property. A step is one generation with its updates, an update one
optimizer step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orz_bench.asking.protocol import MIN_TEMPERATURE, ORZ_STOP
from orz_bench.engines.engine import Sampling
from orz_rl.names import KlChoice, KlEstimator, Normalisation, SignName
from orz_rl.ppo.schedule import schedule
from orz_rl.settings.older import optim_of_today

_MANY = 10**9
"""More than anything here is counted to."""
Positive = Annotated[int, Field(ge=1, le=_MANY)]
Count = Annotated[int, Field(ge=0, le=_MANY)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0)]
"""Of learning, without an upper bound: an update that is not finite is stopped and named."""
Coefficient = Annotated[float, Field(ge=0, le=1000)]
Bound = Annotated[float, Field(gt=0, le=1e6)]
Text = Annotated[str, Field(min_length=1)]
REDUCE_BUCKET = 200_000_000
"""Gradients that ranks reduce at a time, in elements; DeepSpeed holds a buffer for them."""


class Section(BaseModel):
    """Frozen; an unknown key is an error, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class ModelConfig(Section):
    """What is trained."""

    policy: Text
    """The base model: a checkpoint folder, a hub id, or `tiny`, the one that ships with the product."""
    critic: Text | None = None
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

    source: tuple[Text, ...] = ()
    """Files in the ORZ format or JSON lines, CSV, Parquet; `hub:OWNER/NAME/FILE`; or `arithmetic`, generated sums."""
    template: str = "orz-code"
    """How a problem becomes a prompt; see docs/benchmarks.md."""
    max_prompt_tokens: Positive = 2048
    """Longer prompts are refused, counted and named, never cut."""
    limit: Positive | None = None
    """Only the first N problems, at least those of one step: the data-scale ablation."""
    language: Literal["any", "english"] = "any"
    """english: only problems whose question has no letter of a script but Latin, Greek and signs of mathematics."""


class RolloutConfig(Section):
    """What is sampled in one step, and by what."""

    num_problems: Positive = 128
    """Problems a step."""
    num_samples: Positive = 64
    """Samples a problem: the group."""
    temperature: Annotated[float, Field(ge=MIN_TEMPERATURE, le=100)] = 1.0
    """Of the softmax, in sampling and in training alike; so of every log-probability, entropy and KL of the run."""
    top_p: PositiveShare = 1.0
    """Only the most likely tokens that reach this share are drawn. The trainer's softmax is whole: below 1, mismatch/*
    includes what was cut, and loss.importance_cap is refused."""
    top_k: Annotated[int, Field(ge=-1, le=_MANY)] = -1
    """Only so many of the most likely tokens are drawn, as for top_p; -1: off."""
    max_tokens: Positive = 8000
    """New tokens a sample; what is cut there earns nothing."""
    max_model_len: Positive | None = None
    """Prompt and response together, where the engines should hold less than data.max_prompt_tokens + max_tokens; more
    than data.max_prompt_tokens."""
    stop: tuple[Text, ...] = ORZ_STOP
    """Strings that end a sample; they are kept."""
    engine: Literal["auto", "vllm", "transformers"] = "auto"
    """auto: vllm where it is installed."""
    num_engines: Positive = 1
    """Engines, each a Ray actor."""
    tensor_parallel: Positive = 1
    """GPUs an engine."""
    gpu_memory_share: PositiveShare = 0.7
    """Of each GPU, for vllm."""
    batch_size: Positive = 64
    """Sequences at once, for transformers."""
    dynamic_sampling: Count = 0
    """DAPO: up to this many further rounds replace the groups that are all right or all wrong; 0: off."""

    @property
    def sampling(self) -> Sampling:
        """How the engines sample."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
            stop=self.stop,
        )


class RewardConfig(Section):
    """How a grade becomes a reward: 1 for a right answer that ended by itself, else 0."""

    extractor: str = "orz"
    """Which rule finds the answer: orz, boxed or final."""
    overlong_buffer: Count = 0
    """DAPO: tokens before the limit in which a growing penalty up to 1 is subtracted; 0: off."""
    deadline_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
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
    clip_high: Bound = 0.2
    """PPO: and up to 1 + clip_high; larger than clip_low is DAPO's clip-higher."""
    value_clip: Bound | None = 0.2
    """How far a value may move from the old one in the clipped value loss; null: plain squared error."""
    normalisation: Normalisation = "token"
    """token: every token alike; sequence: every rollout alike; constant: every token over the generation limit."""
    kl_loss: Coefficient = 0.0
    """Coefficient of a KL term in the loss; 0: no reference model is loaded for it."""
    kl_penalty: Coefficient = 0.0
    """Coefficient of KL(policy || reference), subtracted from the rewards token by token; 0: likewise."""
    kl_estimator: KlChoice = "auto"
    """auto: k2 in the loss, k1 in the rewards; both have the gradient of KL(policy || reference). k3 in the loss has
    that of KL(reference || policy), as in GRPO. Other combinations have no KL's gradient and are refused."""
    importance_cap: Bound | None = None
    """Truncated importance sampling against the sampler's log-probabilities: the cap of the weight; null: off."""

    @property
    def kl_loss_estimator(self) -> KlEstimator:
        """Of the term in the loss."""
        return "k2" if self.kl_estimator == "auto" else self.kl_estimator

    @property
    def kl_penalty_estimator(self) -> KlEstimator:
        """Of the term in the rewards."""
        return "k1" if self.kl_estimator == "auto" else self.kl_estimator


class OptimConfig(Section):
    """AdamW for both models."""

    policy_lr: Rate = 1e-6
    """Learning rate of the policy."""
    critic_lr: Rate = 5e-6
    """Learning rate of the critic."""
    betas: tuple[Decay, Decay] = (0.9, 0.95)
    """Of AdamW."""
    weight_decay: Coefficient = 0.0
    """Of AdamW, decoupled."""
    max_grad_norm: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """Gradients are scaled down to this norm."""
    policy_warmup_updates: Count = 50
    """Optimizer steps of the policy, over the whole run, in which its rate rises linearly from 0."""
    critic_warmup_updates: Count = 50
    """The same for the critic, in its own optimizer steps."""
    final_lr: Rate | None = None
    """The policy's rate at its last optimizer step, reached linearly after the warm-up (annealing); null: constant."""
    policy_updates: Positive = 1
    """Optimizer steps of the policy a step, each on its share of the rollouts."""
    critic_updates: Positive = 12
    """The same for the critic."""

    @model_validator(mode="before")
    @classmethod
    def _read_older_names(cls, values: Any) -> Any:
        return optim_of_today(values) if isinstance(values, Mapping) else values


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
    def takes_turns(self) -> bool:
        """Whether models and engines must release the device for each other."""
        return self.colocate and self.device == "cuda"

    @property
    def transport(self) -> Literal["host", "broadcast", "ipc"]:
        """The transport in use ("auto" resolved)."""
        if self.weight_sync != "auto":
            return self.weight_sync
        if self.device == "cpu":
            return "host"
        return "ipc" if self.colocate else "broadcast"


class EvalConfig(Section):
    """Evaluation in training, with the running engines, by orz_bench."""

    benchmarks: tuple[Text, ...] = ()
    """Names as in `orz-bench data list`; none: no evaluation."""
    by_own_protocol: tuple[Text, ...] = ()
    """Those that are asked by their own protocol (see docs/benchmarks.md), up to rollout.max_tokens; the others are
    asked with data.template, reward.extractor, rollout.stop and eval.n."""
    every: Positive = 10
    """Steps (generations) between two; the base model and the last step are always evaluated."""
    n: Positive = 16
    """Samples a question; where the benchmark's protocol is greedy, it is one."""
    limit: Positive | None = None
    """Only the first N questions."""


class CheckpointConfig(Section):
    """What is saved."""

    every: Positive = 50
    """Steps (generations) between two; the last step is always saved."""
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
    wandb_project: Text | None = None
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
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
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
        """(policy's, critic's) at the last optimizer step of a step, counted from 1."""
        return self.policy_rates(step)[-1], self.critic_rates(step)[-1]

    def policy_rates(self, step: int) -> list[float]:
        """Of each of the policy's optimizer steps of a step."""
        optim = self.optim
        return schedule(
            range((step - 1) * optim.policy_updates + 1, step * optim.policy_updates + 1),
            peak=optim.policy_lr,
            warmup=optim.policy_warmup_updates,
            final=optim.final_lr,
            total=self.num_steps * optim.policy_updates,
        )

    def critic_rates(self, step: int) -> list[float]:
        """Of each of the critic's optimizer steps of a step."""
        optim = self.optim
        return schedule(
            range((step - 1) * optim.critic_updates + 1, step * optim.critic_updates + 1),
            peak=optim.critic_lr,
            warmup=optim.critic_warmup_updates,
        )
