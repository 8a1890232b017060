"""Estimates of memory and time per device of a configuration, before anything starts. Pure arithmetic.

Memory is that of tensors of known size (weights, gradients, optimiser state, gathered layers, activations, logits,
engine share), without the allocator's overhead. Times are lower bounds from public figures, not measurements:
decoding reads all weights and the cache once per token, training runs at MFU of the peak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orz_bench.errors import counted
from orz_bench.records.keep_rules import Content
from orz_rl.config import REDUCE_BUCKET, TrainConfig
from orz_rl.planning.architectures import Architecture, architecture_of
from orz_rl.planning.pack_memory import PackShape, pack_bytes

GIB = 2**30
MFU = 0.4
"""Share of the peak that training reaches; well-tuned stacks report 40 %."""
TOKEN_BYTES: Mapping[Content, float] = MappingProxyType({"texts": 1.3, "tokens": 1.7, "logprobs": 3.6})
"""On disk, per token of a response: measured on 2,000 responses to MATH500 and on benchmarks/paper_sized_step.py."""
ENTROPY_BYTES = 0.9
"""The same of the entropies, which are kept as long as log-probabilities: benchmarks/token_layer.py."""
ROW_BYTES = 100
"""On disk, of everything else of a rollout."""
LONG_DAYS = 7
"""Longer runs get a warning."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """One device."""

    memory_gib: float = 80.0
    peak_tflops: float = 989.0
    """Dense bf16."""
    bandwidth_gib_s: float = 3120.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one device."""

    weights: float
    gradients: float
    optimizer: float
    working: float
    """Gathered layers, the gradient bucket, activations and logits at the peak."""

    @property
    def states(self) -> float:
        """Memory that stays allocated between packs."""
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> float:
        """Peak memory."""
        return self.states + self.working


@dataclass(frozen=True, slots=True)
class Plan:
    """The estimates for one configuration and hardware."""

    config: TrainConfig
    hardware: Hardware
    num_devices: int
    policy: Memory
    critic: Memory | None
    reference: Memory | None
    engine_bytes: float
    engine_sequences: int
    """Number of sequences of full length that fit an engine's cache."""
    seconds: dict[str, float]
    mean_tokens: float
    """Of a response, as it was assumed."""

    @property
    def training_bytes(self) -> float:
        """Peak of training on one device; colocated models are updated at the same time."""
        models = [m for m in (self.policy, self.critic, self.reference) if m is not None]
        cluster = self.config.cluster
        if cluster.colocate or cluster.colocate_models:
            return sum(m.states for m in models) + sum(m.working for m in models)
        return max(m.total for m in models)

    @property
    def fits(self) -> bool:
        """Whether both phases fit. Colocated engines sleep while models train, and models are offloaded meanwhile."""
        limit = self.hardware.memory_gib * GIB
        return self.training_bytes <= limit and self.engine_bytes <= limit and self.engine_sequences >= 1

    @property
    def days(self) -> float:
        """Lower bound for all steps, without evaluations, checkpoints and starts."""
        return sum(self.seconds.values()) * self.config.num_steps / 86_400

    @property
    def response_tokens(self) -> float:
        """Sampled in all steps."""
        return self.config.num_steps * self.config.num_rollouts * self.mean_tokens

    @property
    def tokens(self) -> float:
        """With those of prompts: what every model reads in all steps, each time that it does."""
        return self.config.num_steps * self.config.num_rollouts * (self.mean_tokens + prompt_tokens(self.config))

    def gpu_hours(self, gpus: int | None = None) -> float:
        """Of all steps at least, with GPUs that are held and idle."""
        return self.days * 24 * (gpus or self.num_devices)

    @property
    def disk_bytes_a_step(self) -> float:
        """Of a step's rollouts, before anything is dropped."""
        return sum(self._content_bytes().values()) + ROW_BYTES * self.config.num_rollouts

    @property
    def disk_bytes(self) -> float:
        """Of the rollouts of the whole run under `rollouts.keep`, at its largest; without evaluations."""
        steps, retention = self.config.num_steps, self.config.rollouts.retention
        if retention.keeps_all:
            return steps * self.disk_bytes_a_step
        whole = min(steps, retention.num_last + self.config.checkpoint.every)
        reduced = ROW_BYTES * self.config.num_rollouts + sum(
            size * retention.share(name) for name, size in self._content_bytes().items()
        )
        return whole * self.disk_bytes_a_step + (steps - whole) * reduced

    def _content_bytes(self) -> dict[Content, float]:
        num_tokens = self.config.num_rollouts * self.mean_tokens
        more = {"logprobs": ENTROPY_BYTES if self.config.rollouts.entropies else 0.0}
        return {name: (size + more.get(name, 0.0)) * num_tokens for name, size in TOKEN_BYTES.items()}

    def delays(self) -> Iterator[str]:
        """A warning, with remedies, if the whole run takes longer than LONG_DAYS."""
        if self.days <= LONG_DAYS:
            return
        config = self.config
        slowest = max(self.seconds, key=lambda phase: self.seconds[phase])
        yield (
            f"{counted(config.num_steps, 'step')} would take at least {self.days:.0f} days (devices: "
            f"{self.num_devices}). "
            f"The longest phase of a step is {slowest} ({self.seconds[slowest]:.0f} s). "
            f"num_steps={self._steps_in(LONG_DAYS)} would take {LONG_DAYS} days. Fewer rollouts per step "
            "(rollout.num_problems, rollout.num_samples) and a lower "
            f"rollout.max_tokens make steps shorter"
            + ("" if self.num_devices > 1 else "; the recipe one_gpu is sized for one GPU")
            + ". More devices (cluster.policy_ranks, cluster.critic_ranks, rollout.num_engines) share the work."
        )

    def _steps_in(self, days: int) -> int:
        return int(days / self.days * self.config.num_steps)

    def advice(self) -> Iterator[str]:
        """Changes that help if it does not fit."""
        limit, cluster = self.hardware.memory_gib * GIB, self.config.cluster
        if self.training_bytes > limit:
            if cluster.zero_stage < 3:
                yield "cluster.zero_stage=3 shards weights, gradients and optimiser over all ranks"
            if not self.config.model.gradient_checkpointing:
                yield "model.gradient_checkpointing=true keeps one activation per layer"
            if not cluster.offload_optimizer:
                size = self.policy.optimizer / GIB
                yield f"cluster.offload_optimizer=true moves {size:.1f} GiB per model to the host"
            yield "more ranks (cluster.policy_ranks, cluster.critic_ranks) make each share smaller"
            if cluster.pack_tokens > self.config.max_sequence:
                yield f"cluster.pack_tokens={self.config.max_sequence} is the smallest value that fits every sequence"
        if self.engine_bytes > limit or self.engine_sequences < 1:
            yield "a larger rollout.tensor_parallel or rollout.gpu_memory_share leaves more room for the engine's cache"


def make_plan(config: TrainConfig, hardware: Hardware, *, mean_tokens: float) -> Plan:
    """Memory and time of a step in which responses have `mean_tokens` tokens on average. Raises ConfigError."""
    model = architecture_of(config.model.policy)
    start = config.critic.source or config.model.critic or config.model.policy
    critic = architecture_of(start) if config.has_critic else None
    reference = architecture_of(config.distill.teacher) if config.distill.teacher else model
    size = 2 if config.model.dtype == "bfloat16" else 4
    cluster = config.cluster
    policy = model_memory(model.policy_parameters, model, config=config, ranks=cluster.policy_ranks)
    engine_weights = model.policy_parameters * size / config.rollout.tensor_parallel
    engine_bytes = hardware.memory_gib * GIB * config.rollout.gpu_memory_share
    cache = (engine_bytes - engine_weights) * config.rollout.tensor_parallel
    return Plan(
        config=config,
        hardware=hardware,
        num_devices=num_devices(config),
        policy=policy,
        critic=None
        if critic is None
        else model_memory(
            critic.critic_parameters, critic, config=config, ranks=cluster.critic_ranks, has_logits=False
        ),
        reference=None
        if not config.has_reference
        else Memory(
            reference.policy_parameters * size / (cluster.policy_ranks if cluster.zero_stage == 3 else 1), 0, 0, 0
        ),
        engine_bytes=max(engine_bytes, engine_weights),
        engine_sequences=int(cache // (model.kv_bytes_per_token(size) * config.max_sequence)) if cache > 0 else 0,
        mean_tokens=mean_tokens,
        seconds=step_seconds(config, model, critic=critic, hardware=hardware, mean_tokens=mean_tokens),
    )


def num_devices(config: TrainConfig) -> int:
    """GPUs (on CPUs: bundles) that the placement needs."""
    cluster, rollout = config.cluster, config.rollout
    critic_ranks = cluster.critic_ranks if config.has_critic else 0
    engines = rollout.num_engines * rollout.tensor_parallel
    if cluster.colocate:
        return max(cluster.policy_ranks, critic_ranks, engines)
    if cluster.colocate_models:
        return max(cluster.policy_ranks, critic_ranks) + engines
    return cluster.policy_ranks + critic_ranks + engines


def model_memory(
    num_parameters: int, model: Architecture, *, config: TrainConfig, ranks: int, has_logits: bool = True
) -> Memory:
    """Memory of one rank of a trained model, by DeepSpeed's partitioning (Rajbhandari et al. 2020, 1910.02054, fig. 1).

    Bytes per parameter in bf16: 2 for the weight, 4 for the gradient (accumulated in float32), 12 for the optimiser (a
    float32 copy and two moments); in float32: 4, 4 and 8, or 12 with the copy that sharding makes.
    """
    stage, is_half = config.cluster.zero_stage, config.model.dtype == "bfloat16"
    size = 2 if is_half else 4
    optimizer = 12 if is_half or stage >= 1 else 8
    gathered = 2 * model.layer_parameters * size if stage == 3 else 0
    # At stage 3 gradients are copied out of the bucket, padded, before they are scattered to the ranks.
    bucket = min(REDUCE_BUCKET, num_parameters) * size * {0: 0, 3: 2}.get(stage, 1)
    shape = PackShape(
        tokens=config.cluster.pack_tokens,
        size=size,
        recomputes=config.model.gradient_checkpointing,
        has_head=has_logits,
        head_float32=config.model.head_float32,
        share_prompts=config.cluster.share_prompts and config.rollout.num_samples > 1,
    )
    return Memory(
        weights=num_parameters * size / (ranks if stage == 3 else 1),
        gradients=num_parameters * 4 / (ranks if stage >= 2 else 1),
        optimizer=0.0
        if config.cluster.offload_optimizer
        else num_parameters * optimizer / (ranks if stage >= 1 else 1),
        working=gathered + bucket + pack_bytes(model, shape),
    )


def prompt_tokens(config: TrainConfig) -> int:
    """Of a prompt, as assumed: the published problems in the published template have about as many."""
    return min(256, config.data.max_prompt_tokens)


def step_seconds(
    config: TrainConfig, model: Architecture, *, critic: Architecture | None, hardware: Hardware, mean_tokens: float
) -> dict[str, float]:
    """Lower bounds for the phases of one step."""
    size = 2 if config.model.dtype == "bfloat16" else 4
    flops = hardware.peak_tflops * 1e12 * MFU
    recompute = 4 / 3 if config.model.gradient_checkpointing else 1.0
    devices_policy, devices_critic = config.cluster.policy_ranks, config.cluster.critic_ranks
    engines, parallel = config.rollout.num_engines, config.rollout.tensor_parallel
    sequences = max(1, config.num_rollouts // engines)
    bytes_a_step = model.policy_parameters * size + sequences * mean_tokens / 2 * model.kv_bytes_per_token(size)
    sampling = mean_tokens * bytes_a_step / (hardware.bandwidth_gib_s * GIB * parallel)
    seconds = {"sample": 0.0 if config.is_supervised else sampling}
    needs_old = not config.is_supervised and (config.optim.policy_updates > 1 or config.kl_in_rewards > 0)
    reference = architecture_of(config.distill.teacher) if config.distill.teacher else model
    once = _packed_tokens(config, mean_tokens, updates=1)
    read = needs_old * model.policy_parameters + config.has_reference * reference.policy_parameters
    forwards = 2 * read * once / devices_policy
    tokens = _packed_tokens(config, mean_tokens, updates=config.optim.policy_updates)
    update = 6 * recompute * model.policy_parameters * tokens / devices_policy
    if critic is not None:
        forwards += 2 * critic.critic_parameters * once / devices_critic
        tokens = _packed_tokens(config, mean_tokens, updates=config.optim.critic_updates)
        critic_update = 6 * recompute * critic.critic_parameters * tokens / devices_critic
        is_shared = config.cluster.colocate or config.cluster.colocate_models
        update = update + critic_update if is_shared else max(update, critic_update)
    return seconds | {"score": forwards / flops, "update": update / flops}


def _packed_tokens(config: TrainConfig, mean_tokens: float, *, updates: int) -> float:
    """Tokens in the packs of a step whose rollouts are shared out to some updates; prompts of the assumed length."""
    samples, cluster = config.rollout.num_samples, config.cluster
    prompt = prompt_tokens(config)
    if config.is_supervised:  # answers to different problems
        return config.distill.batch * (mean_tokens + prompt)
    times: float = samples
    if cluster.share_prompts:
        times = min(samples, max(updates, samples * mean_tokens / cluster.pack_tokens))
    return config.rollout.num_problems * (samples * mean_tokens + times * prompt)
