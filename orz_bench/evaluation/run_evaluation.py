"""From the options of `orz-bench eval` to results: resolve everything, check everything, then evaluate.

Data, golds, prompts and the checkpoint are checked for all benchmarks before the first token is generated. Evaluations
whose samples are all on disk are answered from there: no tokenizer, grader or engine is loaded for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from orz_bench.asking.messages import messages_for, require_messages
from orz_bench.asking.protocol import customise, get_protocol
from orz_bench.asking.templates import OF_CHECKPOINT, TEMPLATES
from orz_bench.engines.describe import card_facts
from orz_bench.engines.engine import EngineSpec, ProbePrompt, ServerFacts, Tokenizer
from orz_bench.engines.meeting import meet_server, probe_prompt
from orz_bench.engines.open import choose_dtype, choose_engine, opened_once
from orz_bench.engines.registry import get_engine, make_spec
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, counted
from orz_bench.evaluation.context import EvalContext
from orz_bench.evaluation.evaluate import Evaluation, Observer, evaluate, stored_result
from orz_bench.evaluation.graders import checked_graders
from orz_bench.evaluation.harness.options import PREFIX, harness_options
from orz_bench.evaluation.marks import Marks
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.plans import Chosen, choose, plan
from orz_bench.evaluation.previews import generation_config_note, preview
from orz_bench.evaluation.served import context_note, require_chat
from orz_bench.evaluation.since import only_recent
from orz_bench.evaluation.steered import (
    engine_for,
    is_steered,
    opened_critic,
    require_steerable,
    selection_card,
)
from orz_bench.evaluation.suites import each_once, find_benchmark, one_by_one
from orz_bench.extraction.rules import LIKELIHOOD
from orz_bench.models.checkpoint import Checkpoint, ModelIdentity, find_checkpoints
from orz_bench.records.rollout import Request
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult

if TYPE_CHECKING:
    from orz_bench.evaluation.harness.tasks import HarnessTask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The checkpoints to evaluate, the engine, and the run directory."""

    engine: str
    checkpoints: list[Checkpoint]
    run: RunDir


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The evaluations of one checkpoint, before anything heavy is loaded."""

    spec: EngineSpec
    model: ModelIdentity
    evaluations: list[Evaluation]
    tokenizer: Callable[[], Tokenizer | None]
    """Loads it at its first call."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A benchmark as every checkpoint is asked it, with the options that apply to it alone."""

    chosen: Chosen
    options: EvalOptions


@dataclass(frozen=True, slots=True)
class _Asked:
    """An evaluation with its prompts."""

    evaluation: Evaluation
    requests: list[Request]


def run_evaluations(options: EvalOptions, *, observer: Observer) -> list[EvalResult]:
    """Evaluate every checkpoint on every benchmark.

    Raises OrzError for anything that a user or a file can cause; samples committed before stay.
    """
    target = _resolve(options, observer)
    marks = Marks(
        target.run,
        command=options.command,
        seed=options.seed,
        config=options.as_yaml(),
        environment=describe_environment,
    )
    results: list[EvalResult] = []
    with marks:
        single = only_recent(one_by_one(options), notice=observer.notice)
        chosen = _choose_all(single, engine=target.engine, observer=observer)
        for checkpoint in target.checkpoints:
            if checkpoint.model.origin:
                observer.notice(f"{checkpoint.model.origin}; kept in {checkpoint.path}")
            tasks = _harness_tasks(single)
            plan = _plan(checkpoint, chosen, engine=target.engine, options=options, observer=observer)
            results += _evaluate_all(plan, tasks, run=target.run, options=options, marks=marks, observer=observer)
    return results


def preview_evaluations(options: EvalOptions, *, observer: Observer) -> str:
    """Describe what run_evaluations would generate, with its first prompts; nothing is generated or written."""
    target = _resolve(options, observer)
    single = only_recent(one_by_one(options), notice=observer.notice)
    chosen = _choose_all(single, engine=target.engine, observer=observer)
    texts, price_out = [], options.engine_settings.server.price_out
    for checkpoint in target.checkpoints:
        plan = _plan(checkpoint, chosen, engine=target.engine, options=options, observer=observer)
        asked = _ask(plan.evaluations, plan.tokenizer, of_server=plan.spec.server, observer=observer)
        texts += [preview(one.evaluation, one.requests, run=target.run, price_out=price_out) for one in asked]
    return "\n\n".join(texts)


def _resolve(options: EvalOptions, observer: Observer) -> _Target:
    engine, reason = choose_engine(options.engine)
    observer.notice(reason)
    make_spec(name=engine, checkpoint="", **options.engine_settings.by_name())  # refuses settings before any file
    if options.is_chat:
        require_chat(options, benchmarks=(one.benchmarks[0] for one in one_by_one(options)))
    checkpoints = find_checkpoints(
        options.checkpoint,
        engine=engine,
        reads_files=get_engine(engine).reads_files,
        step=options.step,
        revision=options.revision,
    )
    run = options.out or (
        Path(options.checkpoint)
        if RunDir(Path(options.checkpoint)).exists()
        else Path("runs") / checkpoints[0].model.label.replace("/", "--")
    )
    return _Target(engine=engine, checkpoints=checkpoints, run=RunDir(run))


def _choose_all(single: Sequence[EvalOptions], *, engine: str, observer: Observer) -> list[_Chosen]:
    """The benchmarks that are not lm-eval's, as every checkpoint is asked them; `single` has the options of each."""
    return [
        _Chosen(_choose(options, engine=engine, observer=observer), options)
        for options in single
        if not options.benchmarks[0].startswith(PREFIX)
    ]


def _choose(options: EvalOptions, *, engine: str, observer: Observer) -> Chosen:
    benchmark = find_benchmark(options.benchmarks[0])
    chosen = choose(
        benchmark,
        customise(get_protocol(options.protocol or benchmark.default_protocol), options.protocol_changes),
        engine=engine,
        num_engines=options.engine_settings.num_engines,
        folders=options.data_folders,
    )
    protocol, loaded = chosen.protocol, chosen.loaded
    require_steerable(protocol, options.search, engine=engine, benchmark=benchmark.name)
    observer.notice(f"{benchmark.name}: {counted(len(loaded.problems), 'problem')} from {loaded.source}")
    for note in loaded.notes:
        observer.notice(f"{benchmark.name}: {note}")
    if options.is_chat:
        require_messages(protocol.template, benchmark=benchmark.name)
    is_rendered = options.is_chat or protocol.template in OF_CHECKPOINT
    if (options.system_prompt is not None or options.template_args) and not is_rendered:
        raise ConfigError(
            f"{benchmark.name}: --system-prompt and --template-args are for the checkpoint's chat template, and this "
            f"protocol asks with {protocol.template}; add --template chat."
        )
    return replace(chosen, loaded=options.selection.of(benchmark.dates).select(loaded))


def _harness_tasks(single: Sequence[EvalOptions]) -> list[HarnessTask]:
    wanted = [options for options in single if options.benchmarks[0].startswith(PREFIX)]
    if not wanted:
        return []
    from orz_bench.evaluation.harness.tasks import find_task

    return [find_task(one.benchmarks[0].removeprefix(PREFIX), harness_options(one)) for one in wanted]


def _plan(
    checkpoint: Checkpoint, chosen: Sequence[_Chosen], *, engine: str, options: EvalOptions, observer: Observer
) -> _Plan:
    spec = make_spec(
        name=engine,
        checkpoint=checkpoint.path,
        dtype=choose_dtype(options.dtype, engine),
        **options.engine_settings.by_name(),
    )
    spec = replace(spec, template_args=options.template_args) if options.is_chat else spec

    @cache
    def tokenizer() -> Tokenizer | None:
        from orz_bench.engines.tokenizer import load_tokenizer

        return load_tokenizer(spec, system=options.system_prompt, template_args=options.template_args)

    if get_engine(engine).is_server:
        spec = _meet_server(spec, chosen, tokenizer=tokenizer(), options=options, observer=observer)
    if (note := generation_config_note(checkpoint.path)) is not None:
        observer.notice(note)
    facts = card_facts(spec, tokenizer) | {
        "system_prompt": options.system_prompt,
        "template_args": dict(options.template_args) or None,
        "selection": selection_card(options.search),
    }
    evaluations = [
        plan(
            one.chosen,
            checkpoint.model,
            facts=facts | {"questions": one.options.selection.of(one.chosen.benchmark.dates).describe()},
            seed=options.seed,
            limit=one.options.limit,
            keep_tokens=spec.keep_tokens,
        )
        for one in chosen
    ]
    return _Plan(spec=spec, model=checkpoint.model, evaluations=each_once(evaluations), tokenizer=tokenizer)


def _meet_server(
    spec: EngineSpec,
    chosen: Sequence[_Chosen],
    *,
    tokenizer: Tokenizer | None,
    options: EvalOptions,
    observer: Observer,
) -> EngineSpec:
    """The spec with the server's facts, probed with the first question."""
    first = [(one.chosen.loaded.problems[0], one.chosen.protocol.template) for one in chosen][:1]
    if options.is_chat:
        prompts = [ProbePrompt(messages=messages_for(*one, system=options.system_prompt)) for one in first]
    else:
        prompts = [probe_prompt(TEMPLATES[template](problem, tokenizer), tokenizer) for problem, template in first]
    samplings = [one.chosen.protocol.sampling for one in chosen]
    return meet_server(spec, prompt=next(iter(prompts), None), samplings=samplings, notice=observer.notice)


def _evaluate_all(
    plan: _Plan,
    tasks: Sequence[HarnessTask],
    *,
    run: RunDir,
    options: EvalOptions,
    marks: Marks,
    observer: Observer,
) -> list[EvalResult]:
    """Results in the order of the evaluations, then of lm-eval's tasks."""
    stored = [stored_result(one, run=run, observer=observer) for one in plan.evaluations]
    missing = [one for one, result in zip(plan.evaluations, stored, strict=True) if result is None]
    if not missing and not tasks:
        return [result for result in stored if result is not None]
    asked = _ask(missing, plan.tokenizer, of_server=plan.spec.server, observer=observer)
    needed = None if tasks else _needed_context(asked)
    spec = plan.spec if needed is None else replace(plan.spec, max_model_len=needed)
    spec = replace(spec, keep_tokens=spec.keep_tokens or any(map(is_steered, missing)))
    is_searched = any(one.card.selection is not None for one in missing)
    critic = (
        opened_critic(options.search, tokenizer=plan.tokenizer(), limit=spec.max_model_len) if is_searched else None
    )
    with (
        checked_graders(missing, options.grading, notice=observer.notice) as graders,
        opened_once(spec, first=marks.begin, notice=observer.notice) as open_engine,
    ):
        fresh = iter(
            [
                evaluate(
                    one.evaluation,
                    one.requests,
                    run=run,
                    grader=graders[one.evaluation.card.extractor],
                    open_engine=engine_for(
                        one.evaluation, open_engine, tokenizer=plan.tokenizer, search=options.search, critic=critic
                    ),
                    observer=observer,
                )
                for one in asked
            ]
        )
        results = [result if result is not None else next(fresh) for result in stored]
        context = EvalContext(
            run=run,
            model=plan.model,
            spec=spec,
            tokenizer=plan.tokenizer,
            open_engine=open_engine,
            observer=observer,
        )
        return results + [_run_task(task, context) for task in tasks]


def _run_task(task: HarnessTask, context: EvalContext) -> EvalResult:
    from orz_bench.evaluation.harness.tasks import run_task

    context.observer.notice(f"{PREFIX}{task.name}: {counted(len(task.configs), 'task')} of lm-eval")
    return run_task(task, context)


def _ask(
    evaluations: Sequence[Evaluation],
    tokenizer: Callable[[], Tokenizer | None],
    *,
    of_server: ServerFacts | None,
    observer: Observer,
) -> list[_Asked]:
    """The prompts of every evaluation; what the context cuts is reported."""
    asked = [_Asked(one, one.requests(tokenizer())) for one in evaluations]
    for one in asked:
        card = one.evaluation.card
        if card.extractor == LIKELIHOOD:
            continue
        note = context_note(
            [len(request.prompt_token_ids) for request in one.requests if request.prompt_token_ids is not None],
            limit=card.max_model_len,
            max_tokens=card.sampling.max_tokens,
            of_server=of_server.max_model_len if of_server is not None else None,
        )
        if note is not None:
            observer.notice(f"{card.benchmark}: {note}")
    return asked


def _needed_context(asked: Sequence[_Asked]) -> int | None:
    """Room for the longest prompt and completion, not for everything the checkpoint could hold; None if unknown."""
    needs = [
        len(request.prompt_token_ids)
        + max([one.evaluation.card.sampling.max_tokens, *(len(ids) + 1 for ids in request.options)])
        for one in asked
        for request in one.requests
        if request.prompt_token_ids is not None
    ]
    limits = [one.evaluation.card.max_model_len for one in asked]
    limit = min((limit for limit in limits if limit is not None), default=None)
    return min(limit, max(needs)) if needs and limit is not None else None
