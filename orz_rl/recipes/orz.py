"""The settings that Open-Reasoner-Zero published (its code at 3fdd9a0, its papers of February and March 2025).

Written for GPUs and never run by us: `orz-rl plan` estimates what each needs.
"""

from __future__ import annotations

from orz_rl.config import (
    AdvantageConfig,
    ClusterConfig,
    DataConfig,
    ModelConfig,
    OptimConfig,
    RewardConfig,
    RolloutConfig,
    TrainConfig,
)
from orz_rl.settings.around import CheckpointConfig, EvalConfig

_HEADLINE = EvalConfig(benchmarks=("aime24", "math500", "gpqa_diamond"), every=10)
_ORZ_57K = DataConfig(source=("data/orz_math_57k_collected.json",))
_STEPS_OF_57K = 445 * 20
"""20 episodes of 57k problems, 128 per step."""


def _orz(model: str, *, gpus: int, memory_share: float, pack_tokens: int = 10_048) -> TrainConfig:
    """Policy, critic and one engine colocated on each of `gpus` GPUs."""
    return TrainConfig(
        model=ModelConfig(policy=model),
        data=_ORZ_57K,
        rollout=RolloutConfig(max_model_len=8192, num_engines=gpus, gpu_memory_share=memory_share, engine="vllm"),
        cluster=ClusterConfig(policy_ranks=gpus, critic_ranks=gpus, pack_tokens=pack_tokens),
        eval=_HEADLINE,
        num_steps=_STEPS_OF_57K,
    )


def orz_0p5b_1gpu() -> TrainConfig:
    """Qwen2.5-0.5B on one GPU."""
    return _orz("Qwen/Qwen2.5-0.5B", gpus=1, memory_share=0.75)


def one_gpu() -> TrainConfig:
    """Qwen2.5-0.5B on one GPU in about two days: 512 rollouts per step, 4,000 steps. Our sizes, not published ones."""
    base = _orz("Qwen/Qwen2.5-0.5B", gpus=1, memory_share=0.75)
    return base.model_copy(
        update={
            "rollout": base.rollout.model_copy(update={"num_problems": 32, "num_samples": 16}),
            "optim": OptimConfig(critic_updates=4),
            "eval": EvalConfig(benchmarks=_HEADLINE.benchmarks, every=200, n=4),
            "checkpoint": CheckpointConfig(every=200),
            "num_steps": 4000,
        }
    )


def orz_0p5b() -> TrainConfig:
    """Qwen2.5-0.5B on 8 GPUs."""
    return _orz("Qwen/Qwen2.5-0.5B", gpus=8, memory_share=0.75)


def orz_1p5b() -> TrainConfig:
    """Qwen2.5-1.5B on 16 GPUs."""
    return _orz("Qwen/Qwen2.5-1.5B", gpus=16, memory_share=0.70)


def orz_7b() -> TrainConfig:
    """Qwen2.5-7B on 32 GPUs, as in the code (the paper's run had 64)."""
    return _orz("Qwen/Qwen2.5-7B", gpus=32, memory_share=0.70, pack_tokens=16_384)


def orz_7b_grpo() -> TrainConfig:
    """Qwen2.5-7B without a critic: groups are centred, as in ORZ's code (which never applied the deviation)."""
    base = _orz("Qwen/Qwen2.5-7B", gpus=32, memory_share=0.75, pack_tokens=16_384)
    return base.model_copy(update={"advantage": AdvantageConfig(estimator="dr_grpo")})


def orz_32b() -> TrainConfig:
    """Qwen2.5-32B on 128 GPUs: 32 for the policy, 32 for the critic, 16 engines of 4 each for sampling."""
    base = _orz("Qwen/Qwen2.5-32B", gpus=32, memory_share=0.95)
    return base.model_copy(
        update={
            "rollout": RolloutConfig(
                max_model_len=8192, num_engines=16, tensor_parallel=4, gpu_memory_share=0.95, engine="vllm"
            ),
            "cluster": ClusterConfig(colocate=False, policy_ranks=32, critic_ranks=32, pack_tokens=10_048),
            "data": DataConfig(
                source=("data/orz_math_57k_collected.json", "data/orz_math_72k_collection_extended.json")
            ),
            "num_steps": 1100,
        }
    )


def orz_32b_anneal() -> TrainConfig:
    """100 more steps of orz_32b on 13k problems that were hard for it; the rate falls linearly to 3e-7 (paper only)."""
    base = orz_32b()
    return base.model_copy(
        update={
            "model": ModelConfig(
                policy="runs/orz_32b/checkpoints/step=001100/policy",
                critic="runs/orz_32b/checkpoints/step=001100/critic",
            ),
            "data": DataConfig(source=("data/orz_math_13k_collection_hard.json",)),
            "optim": OptimConfig(final_lr=3e-7, policy_warmup_updates=0, critic_warmup_updates=0),
            "num_steps": 100,
        }
    )


def orz_r1_distill_14b() -> TrainConfig:
    """DeepSeek-R1-Distill-Qwen-14B with the paper's PPO; chat template and 32,768 tokens are DeepSeek's, GPUs are ours.

    The paper (section 3) applies its recipe and publishes the scores, but neither lengths nor GPUs.
    """
    gpus, longest, prompt = 64, 32_768, 2048
    base = _orz("deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", gpus=gpus, memory_share=0.70, pack_tokens=longest + prompt)
    return base.model_copy(
        update={
            "data": base.data.model_copy(update={"template": "chat", "max_prompt_tokens": prompt}),
            "rollout": base.rollout.model_copy(update={"max_tokens": longest, "max_model_len": None, "stop": ()}),
            "reward": RewardConfig(extractor="boxed"),
            "eval": EvalConfig(benchmarks=("aime24", "aime25", "math500", "gpqa_diamond"), every=10),
        }
    )
