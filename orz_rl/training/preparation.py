"""Checks a run before any process is started: models, data, prompts, benchmarks, trackers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from orz_bench.engines.describe import max_model_len
from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.open import choose_engine
from orz_bench.engines.registry import get_engine
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.grading.grader import Grader
from orz_bench.grading.judges.judge import require_reads
from orz_bench.installed.extras import require
from orz_bench.records.origin import Origin
from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import resolve_model
from orz_rl.config import TrainConfig
from orz_rl.curation.answers.choice import Limits
from orz_rl.curation.answers.stored import (
    Demonstrations,
    Wanted,
    choose_demonstrations,
    stored_demonstrations,
    told,
)
from orz_rl.curation.answers.tokens import require_same_vocabulary
from orz_rl.planning.room import require_room, room_gib
from orz_rl.rollout.demonstrations import prompts_of
from orz_rl.rollout.problems import Prompts, make_prompts, read_training_data, select_problems, source_digests
from orz_rl.rollout.replay import Replayed
from orz_rl.rollout.window import spacing_of
from orz_rl.settings.distill import AnswerSource
from orz_rl.settings.names import names_settings
from orz_rl.training.evaluation import Evaluator, base_digest
from orz_rl.training.health_hook import check_hook
from orz_rl.training.parts import parts_of
from orz_rl.training.replayed import replayed_run
from orz_rl.training.starting_critic import critic_checkpoint
from orz_rl.training.trackers import check_trackers


@dataclass(frozen=True, slots=True)
class Setup:
    """A checked run that has not been started."""

    config: TrainConfig
    run: RunDir
    prompts: Prompts
    spec: EngineSpec
    policy: str
    critic: str
    evaluator: Evaluator
    parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Setting -> identity of what it names: code of other people, the teacher, the critic."""
    teacher: str | None = None
    """The model that scores what the policy samples; None without one."""
    demonstrations: Demonstrations | None = None
    """Stored answers that are learned; None where the policy samples."""
    replayed: Replayed | None = None
    """The run whose rollouts are learned; None where the policy samples."""


@names_settings
def prepare(
    config: TrainConfig,
    *,
    out: Path,
    data: Sequence[Path],
    notice: Callable[[str], None],
    extra: str = "train",
    answers_in: Sequence[Path] = (),
) -> Setup:
    """Resolve and check everything that a run needs, with the libraries of this extra.

    `answers_in`: runs whose stored answers are learned, where one has some; else they are chosen from distill.source.
    Raises OrzError; starts nothing and writes nothing.
    """
    require(extra, what="training", but=("tensorboardX",))
    if config.reward.control != "none":
        notice(f"this run is a control: {Origin(control=config.reward.control).told}")
    engine, reason = choose_engine(config.rollout.engine)
    if config.rollout.replay is None:
        notice(reason)
    policy = resolve_model(config.model.policy)
    critic = critic_checkpoint(config, policy=policy)
    spec = _engine_spec(config, engine, policy=policy)
    require_context(spec)
    if extra == "train":  # other trainers have a memory of their own
        require_room(config, policy=policy, critic=critic, memory_gib=room_gib(config))
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    run = RunDir(out)
    teacher = _teacher(config, student=policy)
    demonstrations, replayed = None, replayed_run(config, policy=policy, notice=notice)
    if replayed is not None:
        prompts = replayed.prompts()
    elif config.is_supervised:
        demonstrations = _demonstrations(config, answers_in, student=policy, data=data, notice=notice)
        prompts = prompts_of(demonstrations.rows, config=config, digest=demonstrations.digest)
    else:
        prompts = prompts_for(config, tokenizer, notice=notice)
    evaluator = Evaluator(config, run=run, spec=spec, tokenizer=tokenizer, data=data)
    check_hook(config.health.hook)
    check_trackers(config.logging)
    parts = parts_of(config, problem=prompts.prompts[0].problem)
    if teacher is not None:
        parts["distill.teacher"] = {"sha256": base_digest(teacher)}
    if config.critic.source is not None:
        parts["critic.from"] = {"sha256": base_digest(critic)}
    if replayed is not None:
        parts["rollout.replay"] = {"run_id": str(replayed.run.info().get("run_id") or "")}
    return Setup(config, run, prompts, spec, policy, critic, evaluator, parts, teacher, demonstrations, replayed)


def _engine_spec(config: TrainConfig, engine: str, *, policy: str) -> EngineSpec:
    return EngineSpec(
        name=engine,
        checkpoint=policy,
        dtype=config.model.dtype,
        max_model_len=config.max_sequence,
        num_engines=config.rollout.num_engines,
        keep_tokens=True,
        settings=get_engine(engine).pick_settings(
            tensor_parallel=config.rollout.tensor_parallel,
            gpu_memory_share=config.rollout.gpu_memory_share,
            batch_size=config.rollout.batch_size,
            sleeps=config.cluster.takes_turns,
        ),
    )


def _teacher(config: TrainConfig, *, student: str) -> str | None:
    """The teacher's checkpoint. ConfigError if it has another vocabulary than the student."""
    if config.distill.teacher is None:
        return None
    teacher = resolve_model(config.distill.teacher, setting="distill.teacher")
    require_same_vocabulary(student=student, teacher=teacher)
    return teacher


def _demonstrations(
    config: TrainConfig,
    answers_in: Sequence[Path],
    *,
    student: str,
    data: Sequence[Path],
    notice: Callable[[str], None],
) -> Demonstrations:
    """The answers to learn: those that a run has chosen before, or chosen now."""
    assert config.distill.source is not None
    found = next((kept for run in answers_in if (kept := stored_demonstrations(run)) is not None), None)
    if found is None:
        source = AnswerSource.parse(config.distill.source)
        wanted = Wanted(
            student=student,
            template=config.data.template,
            seed=config.seed,
            limits=Limits(config.data.max_prompt_tokens, config.rollout.max_tokens, config.max_sequence),
            stop=config.rollout.stop,
            benchmarks=tuple(dict.fromkeys([*config.eval.benchmarks, *source.choice.against])),
            folders=tuple(data),
        )
        found = choose_demonstrations(source, wanted, notice=notice)
    notice(told(found.card))
    return found


def prompts_for(config: TrainConfig, tokenizer: Tokenizer, *, notice: Callable[[str], None]) -> Prompts:
    """Read, select and render the training problems; those that are too long are reported. Raises OrzError."""
    data_read = read_training_data(config.data.source)
    problems = select_problems(data_read.problems, limit=config.data.limit, language=config.data.language)
    prompts = make_prompts(problems, tokenizer, template=config.data.template, max_tokens=config.data.max_prompt_tokens)
    notice(f"{counted(len(prompts.prompts), 'training problem')} from {', '.join(config.data.source)}")
    if prompts.too_long:
        notice(
            f"{counted(len(prompts.too_long), 'problem')} refused: prompts longer than data.max_prompt_tokens="
            f"{config.data.max_prompt_tokens:,} (first: {prompts.too_long[0]})"
        )
    for kind in sorted({prompt.problem.kind for prompt in prompts.prompts}):
        require_reads(config.reward.extractor, kind, named="reward.extractor")
    _require_a_step(len(prompts.prompts), config)
    golds = {prompt.problem.gold for prompt in prompts.prompts}
    tests = {gold: packed for gold, packed in data_read.tests.items() if gold in golds}
    prompts = replace(prompts, sources=source_digests(config.data.source), tests=tests)
    if tests:
        _check_programs(prompts, config, notice=notice)
    return prompts


def _check_programs(prompts: Prompts, config: TrainConfig, *, notice: Callable[[str], None]) -> None:
    """Raise ConfigError if programs cannot be isolated here, DataError if the tests of a problem cannot be used."""
    with closing(Grader(extractor=config.reward.extractor, tests=prompts.tests)) as grader:
        notice(f"programs are run with {grader.check_isolation()}")
        problems = [prompt.problem for prompt in prompts.prompts if prompt.problem.kind == "code"]
        fault = next(iter(grader.check_golds(problems)), None)
    if fault is not None:
        raise DataError(f"data.source: the tests of {fault.problem_id} cannot be used: {fault.why}; correct that row.")


def _require_a_step(num_prompts: int, config: TrainConfig) -> None:
    """Raise ConfigError if a step would have to use a problem twice."""
    wanted = config.rollout.num_problems
    if config.rollout.partial and num_prompts < spacing_of(config):
        raise ConfigError(
            f"found {counted(num_prompts, 'training problem')}, but rollout.partial has up to {spacing_of(config)} "
            f"different ones in progress (rollout.num_problems x (rollout.max_staleness + 1) + rollout.window); lower "
            f"these, provide more problems (data.source, data.limit, data.language, data.max_prompt_tokens), or set "
            f"rollout.partial=false."
        )
    if num_prompts < wanted:
        raise ConfigError(
            f"found {counted(num_prompts, 'training problem')}, but a step needs rollout.num_problems={wanted:,} "
            f"different ones; lower it, or provide more problems (data.source, data.limit, data.language, "
            f"data.max_prompt_tokens)."
        )


def require_context(spec: EngineSpec) -> None:
    """Raise ConfigError if the longest sequence exceeds the model's context."""
    limit = max_model_len(replace(spec, max_model_len=None))
    if limit is not None and spec.max_model_len is not None and spec.max_model_len > limit:
        raise ConfigError(
            f"the longest prompt and response have {spec.max_model_len:,} tokens, but {spec.checkpoint} allows "
            f"{limit:,}; lower rollout.max_tokens, data.max_prompt_tokens or rollout.max_model_len."
        )
