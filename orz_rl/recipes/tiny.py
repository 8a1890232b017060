"""tiny, smollm2 and smollm2_cpu: recipes for a machine without a GPU."""

from __future__ import annotations

from orz_rl.config import (
    AdvantageConfig,
    ClusterConfig,
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RewardConfig,
    RolloutConfig,
    TrainConfig,
)
from orz_rl.settings.around import CheckpointConfig, EvalConfig


def tiny() -> TrainConfig:
    """The embedded model of 0.6 million parameters learns sums by PPO, in minutes on two cores."""
    return TrainConfig(
        model=ModelConfig(policy="tiny", dtype="float32", gradient_checkpointing=False),
        data=DataConfig(source=("arithmetic",), max_prompt_tokens=48, limit=4096),
        rollout=RolloutConfig(num_problems=32, num_samples=8, max_tokens=112, batch_size=128),
        optim=OptimConfig(
            policy_lr=2e-4, critic_lr=5e-4, policy_warmup_updates=5, critic_warmup_updates=20, critic_updates=4
        ),
        cluster=ClusterConfig(device="cpu", zero_stage=0, pack_tokens=2048),
        eval=EvalConfig(benchmarks=("arithmetic",), every=20, n=16),
        checkpoint=CheckpointConfig(every=10),
        num_steps=40,
    )


def tiny_programs() -> TrainConfig:
    """The tiny model learns sums whose answer is a program, with the sandbox as grader.

    Build the model with `orz-rl build-tiny --task programs --out models/tiny-programs`.
    """
    return TrainConfig(
        model=ModelConfig(policy="models/tiny-programs", dtype="float32", gradient_checkpointing=False),
        data=DataConfig(source=("arithmetic_programs",), max_prompt_tokens=448, limit=1024),
        rollout=RolloutConfig(num_problems=16, num_samples=8, max_tokens=64, batch_size=128),
        optim=OptimConfig(
            policy_lr=2e-4, critic_lr=5e-4, policy_warmup_updates=5, critic_warmup_updates=20, critic_updates=4
        ),
        cluster=ClusterConfig(device="cpu", zero_stage=0, pack_tokens=4096),
        checkpoint=CheckpointConfig(every=10),
        num_steps=20,
    )


def smollm2() -> TrainConfig:
    """SmolLM2-135M learns sums from worked examples; on a CPU a step takes minutes.

    Get the model with `orz-bench model fetch smollm2-135m --out models/smollm2-135m`.
    """
    return TrainConfig(
        model=ModelConfig(policy="models/smollm2-135m", dtype="float32", gradient_checkpointing=False),
        data=DataConfig(source=("arithmetic",), template="few-shot", max_prompt_tokens=384),
        rollout=RolloutConfig(num_problems=8, num_samples=8, max_tokens=80, stop=("Problem:",)),
        reward=RewardConfig(extractor="boxed"),
        loss=LossConfig(value_clip=None),
        optim=OptimConfig(
            policy_lr=2e-6, critic_lr=1e-5, policy_warmup_updates=5, critic_warmup_updates=20, critic_updates=4
        ),
        cluster=ClusterConfig(device="cpu", zero_stage=0, pack_tokens=1024),
        eval=EvalConfig(benchmarks=("arithmetic",), every=20, n=4),
        checkpoint=CheckpointConfig(every=20),
        num_steps=100,
    )


def smollm2_cpu() -> TrainConfig:
    """SmolLM2-135M learns one-step word problems by GRPO, in half an hour of one core (docs/smollm2.md).

    At temperature 1 the model, whose weights were quantised to 4 bits, solves 8 % of them; at 0.7 17 %.
    """
    return TrainConfig(
        model=ModelConfig(policy="models/smollm2-135m", dtype="float32", gradient_checkpointing=False),
        data=DataConfig(source=("word_problems",), template="worked", max_prompt_tokens=256),
        rollout=RolloutConfig(num_problems=8, num_samples=8, temperature=0.7, max_tokens=64, stop=("Problem:",)),
        reward=RewardConfig(extractor="boxed"),
        advantage=AdvantageConfig(estimator="grpo"),
        loss=LossConfig(value_clip=None),
        optim=OptimConfig(
            policy_lr=1e-5, critic_lr=2e-5, policy_warmup_updates=3, critic_warmup_updates=10, critic_updates=4
        ),
        cluster=ClusterConfig(device="cpu", zero_stage=0, pack_tokens=2048),
        eval=EvalConfig(benchmarks=("word_problems",), every=40, n=4),
        checkpoint=CheckpointConfig(every=10),
        num_steps=40,
    )
