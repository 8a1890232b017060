"""The configuration of a training run: one frozen, typed tree. A recipe returns a complete one; see orz_rl.recipes.

Every section is validated when it is built, and the whole tree by orz_rl.recipes.faults. No default depends on another,
and derived values are properties. A step is one generation with its updates; an update is one optimizer step.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from orz_bench.asking.protocol import MIN_TEMPERATURE, ORZ_STOP
from orz_bench.engines.engine import Sampling
from orz_rl.names import ClipReference, KlChoice, KlEstimator, Normalisation
from orz_rl.ppo.parts import ADVANTAGES, OBJECTIVES
from orz_rl.ppo.schedule import schedule
from orz_rl.settings.around import CheckpointConfig, EvalConfig, HealthConfig, LoggingConfig, RolloutsConfig
from orz_rl.settings.critic import CriticConfig
from orz_rl.settings.distill import DistillConfig
from orz_rl.settings.older import optim_of_today
from orz_rl.settings.section import (
    MANY,
    Band,
    Bound,
    Coefficient,
    Control,
    Count,
    Decay,
    Positive,
    PositiveShare,
    Rate,
    Section,
    Share,
    Text,
    known,
)

REDUCE_BUCKET = 200_000_000
"""Number of gradient elements that ranks reduce at a time; DeepSpeed allocates a buffer for them."""


class ModelConfig(Section):
    """The models."""

    policy: Text
    """The base model: a checkpoint folder, a hub id, or `tiny`, the embedded model."""
    critic: Text | None = None
    """The checkpoint from which the critic's body starts; null: the policy's."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Type of weights and activations; the optimiser keeps float32."""
    value_head_init: Literal["code", "paper", "zero"] = "code"
    """code: N(0, 1/(hidden+1)), as in ORZ's code; paper: U(-sqrt 5, sqrt 5), as in its paper; zero: zeros."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass: about a third more time, much less memory."""
    attention: Literal["packed_sdpa", "flash_attention_2"] = "packed_sdpa"
    """packed_sdpa runs everywhere; flash_attention_2 needs a GPU and the flash-attn package."""
    head_float32: bool = False
    """Multiply the output layer in float32, so that bfloat16 does not round logits: prime-rl's default; slower."""


class DataConfig(Section):
    """The training problems."""

    source: tuple[Text, ...] = ()
    """Files in the ORZ format or JSON lines, CSV, Parquet, with options behind a colon (docs/own-data.md);
    `hub:OWNER/NAME/FILE`; or generated: `arithmetic`, `word_problems`, and `arithmetic_programs` (answered by code)."""
    template: str = "orz-code"
    """Template that turns a problem into a prompt; see docs/benchmarks.md."""
    max_prompt_tokens: Positive = 2048
    """Longer prompts are refused and reported, never truncated."""
    limit: Positive | None = None
    """Only the first N problems, at least as many as a step needs: the data-scale ablation."""
    language: Literal["any", "english"] = "any"
    """english: only problems whose question has no letters other than Latin, Greek and mathematical symbols."""


class RolloutConfig(Section):
    """What is sampled in one step, and by which engines."""

    num_problems: Positive = 128
    """Problems per step."""
    num_samples: Positive = 64
    """Samples per problem (the size of a group)."""
    temperature: Annotated[float, Field(ge=MIN_TEMPERATURE, le=100)] = 1.0
    """Of the softmax, in sampling and in training; so all log-probabilities, entropies and KL terms are at it."""
    top_p: PositiveShare = 1.0
    """Sample only from the most likely tokens that reach this share. The trainer uses the full softmax: below 1,
    mismatch/* includes what was cut off, and loss.importance_cap is refused."""
    top_k: Annotated[int, Field(ge=-1, le=MANY)] = -1
    """Sample only from this many of the most likely tokens, as for top_p; -1: off."""
    max_tokens: Positive = 8000
    """New tokens per sample; truncated samples get reward 0, or none is learned from them: reward.truncated."""
    max_model_len: Positive | None = None
    """Prompt and response together, if the engines should hold less than data.max_prompt_tokens + max_tokens; must
    exceed data.max_prompt_tokens."""
    stop: tuple[Text, ...] = ORZ_STOP
    """Strings that end a sample; they stay in the text."""
    engine: Literal["auto", "vllm", "transformers"] = "auto"
    """auto: vllm if it is installed, else transformers."""
    num_engines: Positive = 1
    """Number of engines, each a Ray actor."""
    tensor_parallel: Positive = 1
    """GPUs per engine."""
    gpu_memory_share: PositiveShare = 0.7
    """Share of each GPU's memory for vllm."""
    batch_size: Positive = 64
    """Sequences that transformers generates together."""
    dynamic_sampling: Count = 0
    """DAPO: up to this many further rounds replace groups that are all correct or all wrong; 0: off."""
    max_staleness: Count = 0
    """Engines sample up to this many steps ahead while earlier steps are learned, so tokens are at most this many
    updates old when they are learned; 0: strictly on-policy. Needs separate engines (docs/overlap.md)."""
    partial: bool = False
    """Samples that are not complete when new weights come go on with these, instead of being waited for; every token
    keeps the version and the log-probability that drew it. Needs rollout.max_staleness (docs/overlap.md)."""
    window: Positive | None = None
    """With rollout.partial: a step takes the first complete problems among so many from the oldest one on, so that one
    is overtaken by at most window - 1 others; 1: none. null: as many as the limit of age allows, rollout.num_problems x
    rollout.max_staleness."""
    replay: Text | None = None
    """A run whose stored rollouts are learned, step by step, instead of samples of the policy: no engine is started;
    `orz-rl train --replay` sets it (docs/branches.md). null: the policy samples."""

    @property
    def window_size(self) -> int:
        """The window in problems (null resolved)."""
        return self.window or self.num_problems * max(1, self.max_staleness)

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
    """How a grade becomes a reward: 1 for a correct answer that was not truncated, else 0, or by a function."""

    function: Text = "binary"
    """binary, the name of an entry of orz.rewards, or package.module:name: a function of (problem, completion, grade)
    in a process of its own, with reward.deadline_s per call (docs/plugins.md)."""

    control: Control = "none"
    """Replaces the binary reward to test whether a run learns from verdicts (2506.10947): random (1 for half of the
    rollouts), inverted (1 for wrong answers), format (1 for any extracted answer), flip:P (a share P of the rewards is
    inverted); none: off. The run is named with it in reports."""
    extractor: str = "orz"
    """Rule that extracts the answer: orz, boxed or final."""
    truncated: Literal["zero", "mask"] = "zero"
    """Responses cut by the token limit. zero: reward 0; mask: neither policy nor critic learns from them, and no
    baseline counts them (DAPO's overlong filtering)."""
    overlong_buffer: Count = 0
    """DAPO: number of tokens before the limit in which a penalty grows from 0 to 1; 0: off."""
    deadline_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """Time limit for grading one answer, and for one call of reward.function, in CPU seconds."""


class AdvantageConfig(Section):
    """How rewards become advantages."""

    estimator: Annotated[str, AfterValidator(partial(known, ADVANTAGES))] = "gae"
    """gae trains a critic; grpo, dr_grpo, rloo compare the samples of a group, reinforce_pp those of the batch;
    reverse_kl and imitation distil (docs/distillation.md); or an entry of orz.advantages (docs/plugins.md)."""
    gamma: Share = 1.0
    """Discount per token (gae, reinforce_pp)."""
    lam: Share = 1.0
    """Lambda of GAE; 1: return minus value."""
    lam_policy: Share | None = None
    """Lambda of the policy's advantages, where it is another than the critic's (VC-PPO); null: advantage.lam."""
    lam_value: Share | None = None
    """Lambda of the returns that the critic learns; null: advantage.lam."""
    lam_alpha: Bound | None = None
    """Instead of lam_policy: 1 - 1 / (lam_alpha l) for a response of l tokens, at least 0 (VAPO); null: off."""
    whiten: bool = True
    """Normalise advantages to mean 0 and deviation 1 over the tokens of the batch (gae)."""


class LossConfig(Section):
    """What the optimisers minimise."""

    objective: Annotated[str, AfterValidator(partial(known, OBJECTIVES))] = "ppo"
    """ppo: the clipped objective; log_likelihood: that of given answers (docs/distillation.md); or the name of an entry
    of orz.losses (docs/plugins.md)."""
    clip_low: Share = 0.2
    """PPO: the ratio is clipped below at 1 - clip_low."""
    clip_high: Bound = 0.2
    """PPO: and above at 1 + clip_high; a value above clip_low is DAPO's clip-higher."""
    value_clip: Bound | None = 0.2
    """Maximal change of a value in the clipped value loss; null: plain squared error."""
    positive_nll: Coefficient = 0.0
    """VAPO: coefficient of the mean negative log-likelihood of the tokens of rewarded responses (reward above 0)."""
    normalisation: Normalisation = "token"
    """token: equal weight per token; sequence: equal weight per rollout; constant: each token over the token limit."""
    kl_loss: Coefficient = 0.0
    """Coefficient of a KL term in the loss; 0: no reference model is loaded for it."""
    kl_penalty: Coefficient = 0.0
    """Coefficient of KL(policy || reference), subtracted from the reward of each token; 0: likewise."""
    kl_estimator: KlChoice = "auto"
    """auto: k2 in the loss, k1 in the rewards; both have the gradient of KL(policy || reference). k3 in the loss has
    that of KL(reference || policy), as in GRPO. Other combinations are not the gradient of a KL and are refused."""
    importance_cap: Bound | None = None
    """Truncated importance sampling against the sampler's log-probabilities: maximal weight; null: off."""
    clip_against: ClipReference = "auto"
    """Log-probabilities against which the ratio is clipped: policy: of the policy before the step; sampler: those with
    which each token was sampled. auto: policy, but sampler with rollout.max_staleness (docs/overlap.md)."""
    importance_band: Band | None = None
    """IcePop: tokens whose trainer / sampler probability is outside [low, high] are masked; null: off."""
    sequence_band: Band | None = None
    """The same for whole responses, by the geometric mean of their tokens' ratios; null: off."""

    @property
    def kl_loss_estimator(self) -> KlEstimator:
        """The estimator of the term in the loss."""
        return "k2" if self.kl_estimator == "auto" else self.kl_estimator

    @property
    def kl_penalty_estimator(self) -> KlEstimator:
        """The estimator of the term in the rewards."""
        return "k1" if self.kl_estimator == "auto" else self.kl_estimator


class OptimConfig(Section):
    """AdamW for both models."""

    policy_lr: Rate = 1e-6
    """Learning rate of the policy."""
    critic_lr: Rate = 5e-6
    """Learning rate of the critic."""
    betas: tuple[Decay, Decay] = (0.9, 0.95)
    """Betas of AdamW."""
    weight_decay: Coefficient = 0.0
    """Decoupled weight decay of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """Gradients are clipped to this norm."""
    policy_warmup_updates: Count = 50
    """Optimizer steps of the policy, over the whole run, during which its rate rises linearly from 0."""
    critic_warmup_updates: Count = 50
    """The same for the critic, in its own optimizer steps."""
    final_lr: Rate | None = None
    """The policy's rate at its last optimizer step, reached linearly after warm-up (annealing); null: constant."""
    policy_updates: Positive = 1
    """Optimizer steps of the policy per step, each on its share of the rollouts."""
    critic_updates: Positive = 12
    """The same for the critic."""

    @model_validator(mode="before")
    @classmethod
    def _read_older_names(cls, values: Any) -> Any:
        return optim_of_today(values) if isinstance(values, Mapping) else values


class ClusterConfig(Section):
    """Devices, processes and their placement."""

    device: Literal["cpu", "cuda"] = "cuda"
    """Device on which the models are trained."""
    in_process: bool = False
    """Run everything in one process, without Ray: one rank, one engine; for debugging and tests."""
    colocate: bool = True
    """Engines and models share devices and take turns; otherwise they have separate ones."""
    colocate_models: bool = False
    """With colocate=false: policy and critic share devices; otherwise each has its own."""
    spread: bool = False
    """Place bundles on as many nodes as possible; otherwise on as few as possible."""
    policy_ranks: Positive = 1
    """Processes that train the policy together."""
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
    """Tokens per pack, which a model processes at once."""
    share_prompts: bool = True
    """A pack holds a prompt once, for all of its responses in it; false: once for each. Outputs are the same."""

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


class TrainConfig(Section):
    """The settings of a run."""

    model: ModelConfig
    data: DataConfig
    rollout: RolloutConfig = RolloutConfig()
    reward: RewardConfig = RewardConfig()
    advantage: AdvantageConfig = AdvantageConfig()
    loss: LossConfig = LossConfig()
    critic: CriticConfig = CriticConfig()
    distill: DistillConfig = DistillConfig()
    optim: OptimConfig = OptimConfig()
    cluster: ClusterConfig = ClusterConfig()
    eval: EvalConfig = EvalConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    rollouts: RolloutsConfig = RolloutsConfig()
    health: HealthConfig = HealthConfig()
    logging: LoggingConfig = LoggingConfig()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of everything random."""
    num_steps: Positive = 1000
    """Number of steps: generations with their updates."""

    @property
    def has_critic(self) -> bool:
        """Whether a critic is trained."""
        return ADVANTAGES.load(self.advantage.estimator).has_critic

    @property
    def is_supervised(self) -> bool:
        """Whether stored answers are learned; nothing is sampled but for evaluations."""
        return self.distill.source is not None

    @property
    def has_teacher(self) -> bool:
        """Whether a teacher scores what the policy samples; it takes the place of the reference."""
        return self.distill.teacher is not None

    @property
    def has_reference(self) -> bool:
        """Whether a KL term needs the frozen initial policy, or a teacher."""
        return self.loss.kl_loss > 0 or self.kl_in_rewards > 0

    @property
    def kl_in_rewards(self) -> float:
        """Coefficient of KL(policy || reference) in the rewards of tokens; with a teacher they are nothing else."""
        return 1.0 if self.has_teacher else self.loss.kl_penalty

    @property
    def clips_against_sampler(self) -> bool:
        """Whether the ratio is that to the probabilities with which tokens were sampled ("auto" resolved)."""
        return self.loss.clip_against == "sampler" or (
            self.loss.clip_against == "auto" and self.rollout.max_staleness > 0 and self.loss.importance_cap is None
        )

    @property
    def num_rollouts(self) -> int:
        """Rollouts per step."""
        if self.is_supervised:
            return self.distill.batch
        return self.rollout.num_problems * self.rollout.num_samples

    @property
    def max_sequence(self) -> int:
        """Maximal number of tokens of prompt and response together."""
        longest = self.data.max_prompt_tokens + self.rollout.max_tokens
        return min(longest, self.rollout.max_model_len or longest)

    def is_warmup(self, step: int) -> bool:
        """Whether only the critic learns in this step, counted from 1."""
        return 1 <= step <= self.critic.warmup_steps

    def learning_rates(self, step: int) -> tuple[float, float]:
        """(policy, critic) at the last optimizer step of a step, counted from 1; 0 for a policy that has none."""
        return (self.policy_rates(step) or [0.0])[-1], self.critic_rates(step)[-1]

    def policy_rates(self, step: int) -> list[float]:
        """The learning rate of each optimizer step of the policy in a step, counted from 1; none in a warm-up step."""
        optim, alone = self.optim, self.critic.warmup_steps
        return schedule(
            range(max(0, step - 1 - alone) * optim.policy_updates + 1, max(0, step - alone) * optim.policy_updates + 1),
            peak=optim.policy_lr,
            warmup=optim.policy_warmup_updates,
            final=optim.final_lr,
            total=(self.num_steps - alone) * optim.policy_updates,
        )

    def critic_rates(self, step: int) -> list[float]:
        """The learning rate of each optimizer step of the critic in a step."""
        optim = self.optim
        return schedule(
            range((step - 1) * optim.critic_updates + 1, step * optim.critic_updates + 1),
            peak=optim.critic_lr,
            warmup=optim.critic_warmup_updates,
        )
