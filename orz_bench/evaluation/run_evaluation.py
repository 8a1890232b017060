"""From the options of `orz-bench eval` to results: resolve everything, check everything, then evaluate.

Data, golds, prompts and the checkpoint are checked for all benchmarks before the first token is generated. Evaluations
whose samples are all on disk are answered from there: no tokenizer, grader or engine is loaded for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from orz_bench.asking.templates import OF_CHECKPOINT, TEMPLATES
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.open import choose_dtype, choose_engine
from orz_bench.engines.registry import ENGINES, make_spec
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, DataError
from orz_bench.evaluation.context import EvalContext
from orz_bench.evaluation.evaluate import Evaluation, Observer, evaluate, stored_result
from orz_bench.evaluation.harness.options import PREFIX, harness_options
from orz_bench.evaluation.marks import Marks
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.plans import Chosen, choose, plan, tests_of
from orz_bench.evaluation.previews import generation_config_note, preview
from orz_bench.evaluation.questions import Selection
from orz_bench.evaluation.served import card_facts, meet_server, opened_once, report_context, snapshot
from orz_bench.extraction.answers import LIKELIHOOD
from orz_bench.grading.grader import Grader
from orz_bench.models.checkpoint import Checkpoint, find_checkpoints
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
class _Plans:
    """The evaluations of one checkpoint, before anything heavy is loaded."""

    spec: EngineSpec
    evaluations: list[Evaluation]
    tokenizer: Callable[[], Tokenizer | None]
    """Loads it at its first call."""


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
    with marks:
        return [
            result
            for checkpoint in target.checkpoints
            for result in _evaluate_checkpoint(checkpoint, target, options=options, marks=marks, observer=observer)
        ]


def preview_evaluations(options: EvalOptions, *, observer: Observer) -> str:
    """Describe what run_evaluations would generate, with its first prompts; nothing is generated or written."""
    target = _resolve(options, observer)
    texts = []
    for checkpoint in target.checkpoints:
        plans = _plan_all(checkpoint, target, options=options, observer=observer)
        asked = _ask(plans.evaluations, plans, observer=observer)
        texts += [preview(one.evaluation, one.requests, run=target.run) for one in asked]
    return "\n\n".join(texts)


def _resolve(options: EvalOptions, observer: Observer) -> _Target:
    engine, reason = choose_engine(options.engine)
    observer.notice(reason)
    make_spec(name=engine, checkpoint="", **options.engine_settings.by_name())  # refuses settings before any file
    name = options.checkpoint if options.revision is None else snapshot(options.checkpoint, options.revision)
    checkpoints = find_checkpoints(name, engine=engine, reads_files=ENGINES[engine].reads_files, step=options.step)
    if options.revision is not None:
        checkpoints = [replace(one, label=f"{options.checkpoint}@{options.revision}") for one in checkpoints]
    run = RunDir(options.out or _default_run(options, checkpoints))
    return _Target(engine=engine, checkpoints=checkpoints, run=run)


def _default_run(options: EvalOptions, checkpoints: Sequence[Checkpoint]) -> Path:
    if RunDir(Path(options.checkpoint)).exists():
        return Path(options.checkpoint)
    return Path("runs") / checkpoints[0].label.replace("/", "--")


def _plan_all(checkpoint: Checkpoint, target: _Target, *, options: EvalOptions, observer: Observer) -> _Plans:
    dtype = choose_dtype(options.dtype, target.engine)
    settings = options.engine_settings.by_name()
    spec = make_spec(name=target.engine, checkpoint=checkpoint.path, dtype=dtype, **settings)
    tokenizer = _tokenizer_of(spec, options)
    own = [name for name in options.benchmarks if not name.startswith(PREFIX)]
    chosen = [_choose(name, spec=spec, options=options, observer=observer) for name in own]
    if ENGINES[target.engine].is_server:
        spec = _meet_server(spec, chosen, tokenizer=tokenizer(), observer=observer)
    if (note := generation_config_note(checkpoint.path)) is not None:
        observer.notice(note)
    facts = {
        "prompts_as": spec.server.prompts if spec.server is not None else None,
        "questions": _selection(options).describe(),
        "system_prompt": options.system_prompt,
        "template_args": dict(options.template_args) or None,
        **card_facts(spec, tokenizer),
    }
    evaluations = [
        plan(one, checkpoint, spec=spec, seed=options.seed, limit=options.limit, facts=facts) for one in chosen
    ]
    return _Plans(spec=spec, evaluations=evaluations, tokenizer=tokenizer)


def _tokenizer_of(spec: EngineSpec, options: EvalOptions) -> Callable[[], Tokenizer | None]:
    @cache
    def load() -> Tokenizer | None:
        from orz_bench.engines.tokenizer import load_tokenizer

        return load_tokenizer(spec, system=options.system_prompt, template_args=options.template_args)

    return load


def _choose(name: str, *, spec: EngineSpec, options: EvalOptions, observer: Observer) -> Chosen:
    benchmark = get_benchmark(name)
    protocol = options.resolved_protocol(benchmark.default_protocol)
    chosen = choose(benchmark, protocol, spec=spec, folders=options.data_folders)
    protocol, loaded = chosen.protocol, chosen.loaded
    observer.notice(f"{benchmark.name}: {len(loaded.problems):,} problems from {loaded.source}")
    for note in loaded.notes:
        observer.notice(f"{benchmark.name}: {note}")
    if (options.system_prompt is not None or options.template_args) and protocol.template not in OF_CHECKPOINT:
        raise ConfigError(
            f"{benchmark.name}: --system-prompt and --template-args are for the checkpoint's chat template, and this "
            f"protocol asks with {protocol.template}; add --template chat."
        )
    return replace(chosen, loaded=_selection(options).select(loaded))


def _selection(options: EvalOptions) -> Selection:
    return Selection(ids=options.ids, sample=options.sample, seed=options.seed)


def _meet_server(
    spec: EngineSpec, chosen: Sequence[Chosen], *, tokenizer: Tokenizer | None, observer: Observer
) -> EngineSpec:
    """The spec with the server's facts, probed with the first question."""
    prompts = (TEMPLATES[one.protocol.template](one.loaded.problems[0], tokenizer) for one in chosen)
    samplings = [one.protocol.sampling for one in chosen]
    return meet_server(
        spec, prompt=next(prompts, None), tokenizer=tokenizer, samplings=samplings, notice=observer.notice
    )


def _evaluate_checkpoint(
    checkpoint: Checkpoint, target: _Target, *, options: EvalOptions, marks: Marks, observer: Observer
) -> list[EvalResult]:
    """Results in the order of options.benchmarks, those of lm-eval's tasks last."""
    if checkpoint.origin:
        observer.notice(f"{checkpoint.origin}; kept in {checkpoint.path}")
    tasks = _harness_tasks(options)
    plans = _plan_all(checkpoint, target, options=options, observer=observer)
    stored = [stored_result(one, run=target.run, observer=observer) for one in plans.evaluations]
    missing = [one for one, result in zip(plans.evaluations, stored, strict=True) if result is None]
    if not missing and not tasks:
        return [result for result in stored if result is not None]
    asked = _ask(missing, plans, observer=observer)
    spec = plans.spec if tasks else _fitting(plans.spec, asked)
    with ExitStack() as stack:
        graders = {
            extractor: stack.enter_context(_grader(extractor, missing, options=options))
            for extractor in dict.fromkeys(one.card.extractor for one in missing)
        }
        _check_graders(graders, missing, options=options, observer=observer)
        context = EvalContext(
            run=target.run,
            checkpoint=checkpoint,
            spec=spec,
            tokenizer=plans.tokenizer(),
            open_engine=stack.enter_context(opened_once(spec, first=marks.begin, notice=observer.notice)),
            observer=observer,
        )
        fresh = iter([_evaluate(one, context, graders=graders) for one in asked])
        results = [result if result is not None else next(fresh) for result in stored]
        return results + [_run_task(task, context) for task in tasks]


def _harness_tasks(options: EvalOptions) -> list[HarnessTask]:
    names = [name.removeprefix(PREFIX) for name in options.benchmarks if name.startswith(PREFIX)]
    if not names:
        return []
    from orz_bench.evaluation.harness.tasks import find_task

    chosen = harness_options(options)
    return [find_task(name, chosen) for name in names]


def _run_task(task: HarnessTask, context: EvalContext) -> EvalResult:
    from orz_bench.evaluation.harness.tasks import run_task

    num_tasks = len(task.configs)
    context.observer.notice(f"{PREFIX}{task.name}: {num_tasks} task{'s' * (num_tasks > 1)} of lm-eval")
    return run_task(task, context)


def _ask(evaluations: Sequence[Evaluation], plans: _Plans, *, observer: Observer) -> list[_Asked]:
    """The prompts of every evaluation; what the context cuts is reported."""
    asked = [_Asked(one, one.requests(plans.tokenizer())) for one in evaluations]
    for one in asked:
        card = one.evaluation.card
        lengths = {len(request.prompt_token_ids) for request in one.requests if request.prompt_token_ids is not None}
        if card.extractor != LIKELIHOOD:
            report_context(
                replace(plans.spec, max_model_len=card.max_model_len),
                sorted(lengths),
                max_tokens=card.sampling.max_tokens,
                name=card.benchmark,
                notice=observer.notice,
            )
    return asked


def _evaluate(asked: _Asked, context: EvalContext, *, graders: Mapping[str, Grader]) -> EvalResult:
    return evaluate(
        asked.evaluation,
        asked.requests,
        run=context.run,
        grader=graders[asked.evaluation.card.extractor],
        open_engine=context.open_engine,
        observer=context.observer,
    )


def _grader(extractor: str, evaluations: Sequence[Evaluation], *, options: EvalOptions) -> Grader:
    """A grader for the answers of these evaluations."""
    return Grader(
        extractor=extractor,
        num_workers=options.num_grading_workers,
        tests=tests_of(one.loaded for one in evaluations),
        allow_weak_isolation=options.allow_weak_isolation,
    )


def _check_graders(
    graders: Mapping[str, Grader], evaluations: Sequence[Evaluation], *, options: EvalOptions, observer: Observer
) -> None:
    """ConfigError if programs cannot be isolated, DataError if a gold answer fails its self-check."""
    for extractor in dict.fromkeys(one.card.extractor for one in evaluations if one.loaded.tests):
        observer.notice(f"programs are run with {graders[extractor].check_isolation()}")
    for one in evaluations:
        faults = graders[one.card.extractor].check_golds(one.problems)
        if not faults:
            continue
        lines = "\n".join(f"  {fault.problem_id}: gold {fault.gold!r}: {fault.why}" for fault in faults[:20])
        text = f"{one.card.benchmark}: {len(faults)} gold answers fail the grader's self-check:\n{lines}"
        if not options.keep_broken_golds:
            raise DataError(
                f"{text}\nNo answer could be graded right against them. Fix the data, or pass --keep-broken-golds."
            )
        observer.notice(text)


def _fitting(spec: EngineSpec, asked: Sequence[_Asked]) -> EngineSpec:
    """The spec with room for the longest prompt and completion, not for everything the checkpoint could hold."""
    needs = [
        len(request.prompt_token_ids)
        + max([one.evaluation.card.sampling.max_tokens, *(len(ids) + 1 for ids in request.options)])
        for one in asked
        for request in one.requests
        if request.prompt_token_ids is not None
    ]
    limits = [one.evaluation.card.max_model_len for one in asked]
    limit = min((limit for limit in limits if limit is not None), default=None)
    if not needs or limit is None:
        return spec
    return replace(spec, max_model_len=min(limit, max(needs)))
