"""Contradictions between settings, each with a remedy. Single values are bounded by orz_rl.config."""

from __future__ import annotations

from collections.abc import Iterator

from orz_bench.asking.templates import TEMPLATES
from orz_bench.errors import ConfigError, counted
from orz_bench.extraction.rules import EXTRACTORS
from orz_bench.records.keep_rules import KeepRule
from orz_rl.config import AdvantageConfig, TrainConfig
from orz_rl.ppo.parts import ADVANTAGES, DEFAULT_REWARD, readers, reward_reference
from orz_rl.recipes.critic_faults import critic_faults
from orz_rl.settings.distill import AnswerSource, DistillConfig


def faults(config: TrainConfig) -> Iterator[str]:
    """A sentence for every combination that cannot work or has no effect."""
    yield from _choices(config)
    yield from _sizes(config)
    yield from _sampling(config)
    yield from _kl(config)
    yield from _distillation(config)
    yield from _schedule(config)
    yield from critic_faults(config)
    yield from _cluster(config)
    yield from _overlap(config)
    yield from _replay(config)
    yield from _correction(config)
    yield from _evaluation(config)
    yield from _retention(config)
    yield from _without_effect(config)


def _choices(config: TrainConfig) -> Iterator[str]:
    if not config.data.source:
        yield "data.source is empty; give files, hub:OWNER/NAME/FILE or arithmetic"
    if config.data.template not in TEMPLATES:
        yield f"data.template is {config.data.template!r}, wanted one of {', '.join(TEMPLATES)}"
    try:
        reward_reference(config.reward.function)
    except ConfigError as error:
        yield f"reward.function: {str(error).removeprefix('reward.function=')}"
    yield from _control(config)
    if config.reward.extractor not in EXTRACTORS:
        yield f"reward.extractor is {config.reward.extractor!r}, wanted one of {', '.join(EXTRACTORS)}"


def _control(config: TrainConfig) -> Iterator[str]:
    reward = config.reward
    if reward.control != "none" and reward.function != DEFAULT_REWARD:
        yield (
            f"reward.control is {reward.control}, which replaces the binary reward, but reward.function is "
            f"{reward.function}; set reward.function=binary, or reward.control=none"
        )


def _sizes(config: TrainConfig) -> Iterator[str]:
    rollout, data = config.rollout, config.data
    if ADVANTAGES.load(config.advantage.estimator).compares_group and rollout.num_samples < 2:
        yield (
            f"rollout.num_samples is {rollout.num_samples}, but advantage.estimator={config.advantage.estimator} "
            f"compares the samples of a problem and needs at least 2; raise it, or use advantage.estimator=gae"
        )
    if data.limit is not None and data.limit < rollout.num_problems:
        yield (
            f"data.limit is {data.limit}, but a step needs "
            f"{counted(rollout.num_problems, 'different problem')}; raise it, or lower rollout.num_problems"
        )
    if rollout.max_model_len is not None and rollout.max_model_len <= data.max_prompt_tokens:
        yield (
            f"rollout.max_model_len is {rollout.max_model_len:,}, so a prompt of data.max_prompt_tokens="
            f"{data.max_prompt_tokens:,} leaves no room for a response; raise the former, or lower the latter"
        )
    if config.max_sequence > config.cluster.pack_tokens:
        yield (
            f"the longest prompt and response have {config.max_sequence:,} tokens, but cluster.pack_tokens is "
            f"{config.cluster.pack_tokens:,} and no sequence is ever dropped; raise it, or lower "
            f"data.max_prompt_tokens or rollout.max_tokens"
        )
    for name in ("policy_updates", "critic_updates"):
        updates = getattr(config.optim, name)
        if updates > config.num_rollouts:
            yield f"optim.{name} is {updates}, but a step has {counted(config.num_rollouts, 'rollout')}; lower it"
    if config.reward.overlong_buffer >= rollout.max_tokens:
        yield f"reward.overlong_buffer is {config.reward.overlong_buffer}, wanted less than rollout.max_tokens"


def _sampling(config: TrainConfig) -> Iterator[str]:
    rollout = config.rollout
    if rollout.top_k == 0:
        yield "rollout.top_k is 0, wanted -1 (off) or at least 1"
    cut = [name for name, holds in (("top_p", rollout.top_p < 1), ("top_k", rollout.top_k > 0)) if holds]
    comparing = next(_compares(config), None)
    if comparing is not None and cut:
        yield (
            f"{comparing} compares the trainer's probability of a token with the sampler's, but rollout.{cut[0]} cuts "
            "off tokens that the trainer's softmax keeps, so the two distributions cannot be compared; use only one of "
            "the settings"
        )
    if rollout.dynamic_sampling and rollout.num_samples < 2:
        yield (
            "rollout.dynamic_sampling replaces groups whose samples all get the same reward, so every group of one; "
            "set rollout.num_samples to 2 or more, or rollout.dynamic_sampling=0"
        )


def _compares(config: TrainConfig) -> Iterator[str]:
    """The settings by which the loss uses the sampler's log-probabilities."""
    for name in ("importance_cap", "importance_band", "sequence_band"):
        if getattr(config.loss, name) is not None:
            yield f"loss.{name}"
    if config.clips_against_sampler:
        yield "loss.clip_against=sampler" if config.loss.clip_against == "sampler" else "rollout.max_staleness"


def _kl(config: TrainConfig) -> Iterator[str]:
    loss = config.loss
    if loss.kl_loss > 0 and loss.kl_estimator == "k1":
        yield (
            "loss.kl_estimator=k1 in the loss (loss.kl_loss) has an expected gradient of 0, so it only adds noise; use "
            "k2, whose gradient is that of KL(policy || reference), k3 (KL(reference || policy)), or loss.kl_penalty"
        )
    if loss.kl_penalty > 0 and loss.kl_estimator in ("k2", "k3"):
        gives = {"k2": "is not that of a KL", "k3": "is that of KL(policy || reference) - KL(reference || policy)"}
        yield (
            f"loss.kl_estimator={loss.kl_estimator} in the rewards (loss.kl_penalty): its policy gradient "
            f"{gives[loss.kl_estimator]}; use k1, whose gradient is that of KL(policy || reference), or loss.kl_loss. "
            f"loss.kl_estimator=auto chooses the right one for each"
        )


_NEEDS = {
    "imitation": ("distill.source", "learns stored answers"),
    "reverse_kl": ("distill.teacher", "learns a teacher's probabilities"),
}


def _distillation(config: TrainConfig) -> Iterator[str]:
    estimator, objective = config.advantage.estimator, config.loss.objective
    if config.is_supervised and config.has_teacher:
        yield "distill.source and distill.teacher are both set, but a run learns answers or probabilities; keep one"
        return
    given = {"distill.source": config.is_supervised, "distill.teacher": config.has_teacher}
    for name, (setting, what) in _NEEDS.items():
        if (estimator == name) != given[setting]:
            yield (
                f"{setting} is set, but advantage.estimator={estimator} does not learn from it; use {name}"
                if given[setting]
                else f"advantage.estimator={estimator} {what}, but {setting} is not set; orz-rl distill sets both"
            )
    if (objective == "log_likelihood") != config.is_supervised:
        yield (
            f"loss.objective is {objective}, but stored answers (distill.source) have the objective log_likelihood, "
            f"and only they; orz-rl distill --from sets it"
        )
    yield from _without_samples(config)
    yield from _with_teacher(config)
    yield from _answers(config)


def _without_samples(config: TrainConfig) -> Iterator[str]:
    """Settings of sampling, in a run that learns stored answers."""
    if not config.is_supervised:
        return
    loss, rollout = config.loss, config.rollout
    used = {
        "loss.importance_cap": loss.importance_cap is not None,
        "loss.importance_band": loss.importance_band is not None,
        "loss.sequence_band": loss.sequence_band is not None,
        "loss.clip_against": loss.clip_against == "sampler",
        "loss.kl_loss": loss.kl_loss > 0,
        "loss.kl_penalty": loss.kl_penalty > 0,
        "rollout.max_staleness": rollout.max_staleness > 0,
        "rollout.dynamic_sampling": rollout.dynamic_sampling > 0,
    }
    for name in (name for name, is_used in used.items() if is_used):
        yield f"{name} is about samples of the policy, but stored answers are learned (distill.source); leave it out"


def _with_teacher(config: TrainConfig) -> Iterator[str]:
    if not config.has_teacher:
        if config.distill.teacher_tokens:
            yield "distill.teacher_tokens is about a teacher, but distill.teacher is not set; set it, or leave it out"
        return
    if config.distill.teacher_tokens and config.loss.objective != "ppo":
        yield (
            f"loss.objective={config.loss.objective} is about sampled tokens, but distill.teacher_tokens learns the "
            f"teacher's probabilities themselves; leave one out"
        )
    for name in ("kl_loss", "kl_penalty"):
        if getattr(config.loss, name) > 0:
            yield f"loss.{name} is a KL to the initial policy, but the reference is distill.teacher; leave one out"
    if config.loss.kl_estimator != "auto":
        yield "loss.kl_estimator is about KL terms of the loss; the reverse KL of distill.teacher has k1: leave it out"
    if config.rollout.dynamic_sampling:
        yield (
            "rollout.dynamic_sampling replaces samples by their rewards, but the teacher's probabilities are learned "
            "(distill.teacher); set 0"
        )


def _answers(config: TrainConfig) -> Iterator[str]:
    distill = config.distill
    if distill.source is None:
        if distill.batch != DistillConfig().batch:
            yield "distill.batch is about stored answers, but distill.source is not set; set it, or leave it out"
        return
    try:
        limit = AnswerSource.parse(distill.source).choice.limit
    except ConfigError as error:
        yield str(error)
        return
    if limit is not None and limit < distill.batch:
        yield (
            f"distill.source takes limit={limit}, but a step needs {counted(distill.batch, 'different answer')} "
            f"(distill.batch); raise it, or lower distill.batch"
        )


def _schedule(config: TrainConfig) -> Iterator[str]:
    optim = config.optim
    total = max(0, config.num_steps - config.critic.warmup_steps) * optim.policy_updates
    if optim.final_lr is not None and optim.policy_warmup_updates >= total:
        yield (
            f"optim.final_lr is reached after the warm-up, but optim.policy_warmup_updates is "
            f"{optim.policy_warmup_updates} and the policy has only {counted(total, 'optimizer step')} (num_steps="
            f"{config.num_steps}); lower the warm-up, or raise num_steps"
        )


def _cluster(config: TrainConfig) -> Iterator[str]:
    rollout, cluster = config.rollout, config.cluster
    engines, devices = rollout.num_engines, rollout.num_engines * rollout.tensor_parallel
    if cluster.transport == "ipc" and not (cluster.colocate and devices <= cluster.policy_ranks):
        each = "" if rollout.tensor_parallel == 1 else f" of {rollout.tensor_parallel} devices each"
        yield (
            f"cluster.weight_sync=ipc maps weights on the engine's own device, but "
            f"{counted(engines, 'engine')}{each} and {counted(cluster.policy_ranks, 'policy rank')} do not share "
            f"devices; set cluster.colocate=true and as many ranks as the engines have devices ({devices}), or "
            f"cluster.weight_sync=host"
        )
    if cluster.in_process and max(cluster.policy_ranks, cluster.critic_ranks, devices) > 1:
        yield (
            "cluster.in_process allows one rank and one engine on one device; set ranks, engines and "
            "rollout.tensor_parallel to 1, or cluster.in_process=false"
        )
    if cluster.device == "cuda" and rollout.tensor_parallel > 1 and rollout.engine == "transformers":
        yield (
            f"rollout.tensor_parallel is {rollout.tensor_parallel}, but transformers generates on one device; use "
            f"rollout.engine=vllm, or set it to 1"
        )
    if config.model.dtype == "bfloat16" and cluster.zero_stage == 0:
        yield (
            "model.dtype=bfloat16 needs cluster.zero_stage=1 or higher, which keeps float32 copies of weights and "
            "gradients for the optimiser; set it, or model.dtype=float32"
        )
    if cluster.offload_optimizer and cluster.zero_stage == 0:
        yield "cluster.offload_optimizer needs cluster.zero_stage=1 or higher; set it, or keep the optimiser's state"
    if cluster.device == "cpu" and config.model.attention == "flash_attention_2":
        yield "model.attention=flash_attention_2 needs a GPU; use packed_sdpa, or cluster.device=cuda"


def _replay(config: TrainConfig) -> Iterator[str]:
    if config.rollout.replay is None:
        return
    if config.is_supervised:
        yield "rollout.replay and distill.source are both set, but a run learns rollouts or answers; keep one"
    if config.eval.benchmarks:
        yield (
            "eval.benchmarks are evaluated by the engines, and a replay (rollout.replay) has none; set "
            "eval.benchmarks= and use orz-bench eval --ckpt RUN afterwards"
        )


def _overlap(config: TrainConfig) -> Iterator[str]:
    staleness, cluster = config.rollout.max_staleness, config.cluster
    if cluster.colocate_models and cluster.colocate:
        yield (
            "cluster.colocate_models says that only policy and critic share devices, but with cluster.colocate=true "
            "engines share them too; set cluster.colocate=false, or leave it out"
        )
    yield from _partial(config)
    if staleness == 0 or config.rollout.replay is not None:
        return
    if cluster.in_process:
        yield (
            f"rollout.max_staleness is {staleness}, but with cluster.in_process one process samples and learns in "
            f"turn; set cluster.in_process=false and cluster.colocate=false, or rollout.max_staleness=0"
        )
    elif cluster.colocate:
        yield (
            f"rollout.max_staleness is {staleness}, but engines and models take turns on the same devices "
            f"(cluster.colocate); set cluster.colocate=false (with cluster.colocate_models=true policy and critic "
            f"still share devices), or rollout.max_staleness=0"
        )
    if staleness >= config.num_steps:
        yield (
            f"rollout.max_staleness is {staleness}, but num_steps is {config.num_steps}: the base model would sample "
            f"everything; lower it, or raise num_steps"
        )


def _partial(config: TrainConfig) -> Iterator[str]:
    rollout = config.rollout
    if rollout.window is not None and not rollout.partial:
        yield "rollout.window has no effect without rollout.partial; set rollout.partial=true, or leave it out"
    if not rollout.partial:
        return
    if rollout.max_staleness == 0:
        yield (
            "rollout.partial carries samples over a weight update, so their first tokens are older than the weights "
            "that learn them, but rollout.max_staleness is 0; set it to 1 or more, or rollout.partial=false"
        )
    elif rollout.window_size > rollout.num_problems * rollout.max_staleness:
        yield (
            f"rollout.window is {rollout.window}, but only rollout.num_problems x rollout.max_staleness="
            f"{rollout.num_problems * rollout.max_staleness} problems may be in progress beside those that are "
            f"learned; lower it"
        )
    if rollout.dynamic_sampling:
        yield (
            "rollout.dynamic_sampling replaces problems after their step was sampled, but with rollout.partial steps "
            "have no end; use only one of the settings"
        )


def _correction(config: TrainConfig) -> Iterator[str]:
    """Of what is learned from tokens that other weights have sampled."""
    loss = config.loss
    if loss.clip_against == "sampler" and loss.importance_cap is not None:
        yield (
            "loss.importance_cap weights by policy over sampler, but with loss.clip_against=sampler the ratio of the "
            "objective has that factor already; use loss.clip_against=policy (decoupled), or leave the cap out"
        )
    weighs = loss.importance_cap is not None or loss.importance_band is not None
    if config.rollout.max_staleness and not config.clips_against_sampler and not weighs:
        yield (
            f"rollout.max_staleness is {config.rollout.max_staleness}, but loss.clip_against=policy alone corrects for "
            f"no older weights; add loss.importance_cap or loss.importance_band, or use loss.clip_against=sampler"
        )


def _evaluation(config: TrainConfig) -> Iterator[str]:
    for name in config.eval.by_own_protocol:
        if name not in config.eval.benchmarks:
            yield f"eval.by_own_protocol contains {name}, but eval.benchmarks does not; add it there, or remove it here"


def _retention(config: TrainConfig) -> Iterator[str]:
    """Between checkpoints every rollout is needed to resume, so that `last` cannot be shorter than that."""
    rules, needed = config.rollouts, min(config.checkpoint.every, config.num_steps)
    named = {"keep": rules.keep, "keep_texts": rules.keep_texts, "keep_tokens": rules.keep_tokens}
    for name, rule in (named | {"keep_logprobs": rules.keep_logprobs}).items():
        if rule is not None and 0 < KeepRule.parse(rule).num_last < needed:
            yield (
                f"rollouts.{name} is {rule}, but resuming needs the rollouts since the last checkpoint, up to "
                f"{counted(needed, 'step')}; use last:{needed} or more, or lower checkpoint.every"
            )


def _without_effect(config: TrainConfig) -> Iterator[str]:
    """Changed settings that have no effect."""
    advantage, default = config.advantage, AdvantageConfig()
    estimator = advantage.estimator
    reads = ADVANTAGES.load(estimator).reads
    for name, estimators in readers().items():
        if name not in reads and getattr(advantage, name) != getattr(default, name):
            yield (
                f"advantage.{name} is {getattr(advantage, name)}, but advantage.estimator={estimator} does not use "
                f"it; leave it out, or use advantage.estimator={estimators[0]}"
            )
    if config.model.critic is not None and not config.has_critic:
        yield f"model.critic is set, but advantage.estimator={estimator} has no critic; leave it out"
    if config.loss.kl_estimator != "auto" and not config.has_reference:
        yield (
            f"loss.kl_estimator is {config.loss.kl_estimator}, but there is no KL term; set loss.kl_loss or "
            f"loss.kl_penalty, or leave it out"
        )
