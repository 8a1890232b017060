"""Settings whose work is done by us for every trainer: prompts, grading, what is watched, what is done afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from orz_bench.errors import counted
from orz_rl.backends.external.mapping.table import Row, value_of
from orz_rl.config import TrainConfig

_PROMPTS = "our service, which renders the prompts"
_GRADES = "our service, which grades the responses"
_WATCHED = "this process, which follows the metrics"
_NOT_EVALUATED = "there is no evaluation during training"


def _unmasked(config: TrainConfig, *, name: str) -> str:
    return "" if getattr(config.loss, name) is None else "masks are for the backend native; set null"


def other_estimator(known: Collection[str]) -> Callable[[TrainConfig], str]:
    """Why an estimator that is none of these cannot be expressed: that of another package, or of distillation."""

    def reason(config: TrainConfig) -> str:
        estimator = config.advantage.estimator
        return "" if estimator in known else f"{estimator} is for the backend native; use one of {', '.join(known)}"

    return reason


def whitens_anyway(trainer: str, what: str = "whitens") -> Callable[[TrainConfig], str]:
    """Why gae without advantage.whiten cannot be expressed."""

    def reason(config: TrainConfig) -> str:
        if not config.has_critic or config.advantage.whiten:
            return ""
        return f"{trainer} always {what} the advantages of gae; leave it on, or use another estimator"

    return reason


def has_head_of_code(trainer: str) -> Callable[[TrainConfig], str]:
    """Why another initialisation of the value head cannot be expressed."""

    def reason(config: TrainConfig) -> str:
        if not config.has_critic or config.model.value_head_init == "code":
            return ""
        return f"{trainer} initialises the value head as ORZ's code; set model.value_head_init=code"

    return reason


def colocates_on_equal_gpus(trainer: str) -> Callable[[TrainConfig], str]:
    """Why colocated models and engines on unequal numbers of GPUs cannot be expressed."""

    def reason(config: TrainConfig) -> str:
        cluster, rollout = config.cluster, config.rollout
        engines = rollout.num_engines * rollout.tensor_parallel
        ranks = {engines, cluster.policy_ranks} | ({cluster.critic_ranks} if config.has_critic else set())
        if not cluster.colocate or len(ranks) == 1:
            return ""
        return (
            f"{trainer} colocates models on the same number of GPUs, but there are {counted(engines, 'GPU')} for "
            f"engines, {cluster.policy_ranks} for the policy and {cluster.critic_ranks} for the critic; make them equal"
        )

    return reason


def has_one_kl_term(trainer: str) -> Callable[[TrainConfig], str]:
    """Why a KL term in the loss beside one in the rewards cannot be expressed."""

    def reason(config: TrainConfig) -> str:
        both = config.loss.kl_loss > 0 and config.loss.kl_penalty > 0
        return f"{trainer} has one KL term; use loss.kl_loss or loss.kl_penalty" if both else ""

    return reason


def _not_distilled(config: TrainConfig, *, name: str) -> str:
    return "" if getattr(config.distill, name) is None else "distillation is for the backend native; set null"


_OF_NATIVE: Mapping[str, object] = MappingProxyType(
    {
        "critic.warmup_steps": 0,
        "critic.from": None,
        "advantage.lam_policy": None,
        "advantage.lam_value": None,
        "advantage.lam_alpha": None,
        "loss.positive_nll": 0.0,
    }
)
"""The settings of the critic family, and the values at which they change nothing."""


def _of_native(config: TrainConfig, *, setting: str) -> str:
    return "" if value_of(config, setting) == _OF_NATIVE[setting] else "it is for the backend native; leave it out"


OURS: Sequence[Row] = (
    *(Row(setting=name, instead="nothing", unsupported=partial(_of_native, setting=name)) for name in _OF_NATIVE),
    *(
        Row(setting=f"distill.{name}", instead="no distillation", unsupported=partial(_not_distilled, name=name))
        for name in ("source", "teacher")
    ),
    Row(setting="distill.batch", instead="no distillation"),
    Row(setting="distill.teacher_tokens", instead="no distillation"),
    Row(setting="data.source", instead=_PROMPTS),
    Row(setting="data.template", instead=_PROMPTS),
    Row(setting="data.limit", instead=_PROMPTS),
    Row(setting="data.language", instead=_PROMPTS),
    Row(setting="rollout.stop", instead="our hook, which passes them to the engine"),
    Row(
        setting="rollout.engine",
        instead="vllm",
        unsupported=lambda config: (
            "it samples with vllm; set rollout.engine=vllm" if config.rollout.engine == "transformers" else ""
        ),
    ),
    Row(setting="rollout.batch_size", instead="vllm, which batches by itself"),
    Row(
        setting="rollout.max_staleness",
        instead="its synchronous trainer",
        unsupported=lambda config: (
            "its synchronous trainer is used, which samples and learns in turn; set rollout.max_staleness=0"
            if config.rollout.max_staleness
            else ""
        ),
    ),
    Row(
        setting="rollout.partial",
        instead="its synchronous trainer",
        unsupported=lambda config: (
            "its synchronous trainer waits for every sample; set rollout.partial=false"
            if config.rollout.partial
            else ""
        ),
    ),
    Row(setting="rollout.window", instead="its synchronous trainer"),
    Row(
        setting="rollout.replay",
        instead="samples of its policy",
        unsupported=lambda config: (
            "stored rollouts are learned by the backend native; set null" if config.rollout.replay is not None else ""
        ),
    ),
    Row(
        setting="loss.clip_against",
        instead="log-probabilities of its policy before the step",
        unsupported=lambda config: (
            "it clips against its policy before the step; set auto" if config.loss.clip_against == "sampler" else ""
        ),
    ),
    *(
        Row(setting=f"loss.{name}", instead="no mask", unsupported=partial(_unmasked, name=name))
        for name in ("importance_band", "sequence_band")
    ),
    Row(
        setting="cluster.colocate_models",
        instead="its own placement",
        lost=lambda config: "it places policy and critic itself" if config.cluster.colocate_models else "",
    ),
    Row(setting="reward.function", instead=_GRADES),
    Row(setting="reward.control", instead=_GRADES),
    Row(setting="reward.extractor", instead=_GRADES),
    Row(setting="reward.overlong_buffer", instead=_GRADES),
    Row(
        setting="reward.truncated",
        instead="every response, with its reward",
        unsupported=lambda config: (
            "mask is for the backend native; set zero" if config.reward.truncated == "mask" else ""
        ),
    ),
    Row(setting="reward.deadline_s", instead=_GRADES),
    Row(
        setting="loss.objective",
        instead="its own clipped objective",
        unsupported=lambda config: (
            "objectives of other packages are for the backend native; set ppo" if config.loss.objective != "ppo" else ""
        ),
    ),
    Row(
        setting="cluster.device",
        instead="GPUs",
        unsupported=lambda config: (
            "it trains on GPUs only; set cluster.device=cuda" if config.cluster.device == "cpu" else ""
        ),
    ),
    Row(
        setting="cluster.in_process",
        instead="Ray",
        unsupported=lambda config: "it needs Ray; set it to false" if config.cluster.in_process else "",
    ),
    Row(setting="cluster.share_prompts", without_effect="it packs sequences, each with its prompt"),
    Row(setting="cluster.spread", without_effect="it places its processes itself"),
    Row(setting="cluster.weight_sync", without_effect="it updates the engines' weights itself"),
    Row(
        setting="eval.benchmarks",
        instead="orz-bench eval, on exported checkpoints",
        lost=lambda config: (
            "not evaluated during training; run orz-bench eval --ckpt RUN afterwards" if config.eval.benchmarks else ""
        ),
    ),
    Row(setting="eval.by_own_protocol", instead=_NOT_EVALUATED),
    Row(setting="eval.every", instead=_NOT_EVALUATED),
    Row(setting="eval.n", instead=_NOT_EVALUATED),
    Row(setting="eval.limit", instead=_NOT_EVALUATED),
    Row(
        setting="model.head_float32",
        instead="the trainer's own output layer",
        unsupported=lambda config: "it multiplies in the model's type; set false" if config.model.head_float32 else "",
    ),
    Row(
        setting="checkpoint.keep_best",
        instead="nothing",
        lost=lambda config: "only the last checkpoints are kept" if config.checkpoint.keep_best else "",
    ),
    Row(
        setting="rollouts.keep",
        instead="everything",
        lost=lambda config: "" if config.rollouts.retention.keeps_all else "the rollouts of all steps are kept whole",
    ),
    *(Row(setting=f"rollouts.keep_{name}", instead="everything") for name in ("texts", "tokens", "logprobs")),
    Row(setting="rollouts.entropies", instead="nothing: these trainers do not report a token's entropy"),
    Row(setting="health.hook", instead=_WATCHED),
    Row(setting="health.stop", instead=_WATCHED),
)


def with_ours(own: Iterable[Row]) -> tuple[Row, ...]:
    """The table of a trainer: its own rows, which come first, and ours for every setting that it leaves to us."""
    rows = tuple(own)
    settings = {row.setting for row in rows}
    return rows + tuple(row for row in OURS if row.setting not in settings)


def needs_bfloat16(config: TrainConfig) -> str:
    """Why float32 cannot be expressed: every one of them needs flash attention."""
    if config.model.dtype == "bfloat16":
        return ""
    return "flash attention computes in bfloat16 only; set model.dtype=bfloat16 (its optimiser keeps float32 weights)"


def uses_flash(config: TrainConfig) -> str:
    """What is lost by another attention than ours."""
    if config.model.attention == "flash_attention_2":
        return ""
    return "it trains with flash_attention_2, which its environment needs; results differ by rounding"
