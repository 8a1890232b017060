"""From the options of `orz-bench eval` to results: resolve everything, check everything, then evaluate.

Data, golds, prompts and the checkpoint are checked for all benchmarks before the first token is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from orz_bench.asking.protocol import Protocol, customise, get_protocol
from orz_bench.asking.templates import OF_CHECKPOINT, TEMPLATES
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import Engine, EngineSpec, Tokenizer
from orz_bench.engines.open import (
    choose_dtype,
    choose_engine,
)
from orz_bench.engines.registry import ENGINES, make_spec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, DataError
from orz_bench.evaluation.evaluate import Evaluation, Observer, evaluate, finished
from orz_bench.evaluation.harness.tasks import PREFIX, HarnessOptions, HarnessTask, find_task, run_task
from orz_bench.evaluation.marks import Marks
from orz_bench.evaluation.plans import Chosen, choose, tests_of
from orz_bench.evaluation.plans import plan as plan_evaluation
from orz_bench.evaluation.previews import generation_config_note, preview
from orz_bench.evaluation.questions import Selection
from orz_bench.evaluation.served import card_facts, meet_server, opened_once, say_context, snapshot
from orz_bench.extraction.answers import LIKELIHOOD
from orz_bench.grading.grader import Grader
from orz_bench.models.checkpoint import Checkpoint, find_checkpoints
from orz_bench.records.rollout import Request
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.secrets import redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """What the command line said. None means: as the protocol or the checkpoint says."""

    checkpoint: str
    benchmarks: tuple[str, ...]
    engine: str = "auto"
    protocol: str | None = None
    protocol_changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings of Protocol and Sampling, by name."""
    limit: int | None = None
    seed: int = 42
    step: int | None = None
    data_folders: tuple[Path, ...] = ()
    out: Path | None = None
    dtype: str = "auto"
    engine_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of EngineSpec and of engines, by name."""
    include_paths: tuple[Path, ...] = ()
    """Folders with tasks for lm-eval."""
    num_fewshot: int | None = None
    """Of lm-eval's tasks."""
    selection: Selection = field(default_factory=Selection)
    system_prompt: str | None = None
    template_args: Mapping[str, Any] = field(default_factory=dict)
    """What a chat template is told besides the messages."""
    revision: str | None = None
    """Of a checkpoint on the hub."""
    keep_broken_golds: bool = False
    allow_weak_isolation: bool = False
    """Whether programs are run though little keeps them in."""
    num_grading_workers: int | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Planned:
    evaluation: Evaluation
    requests: list[Request]


@dataclass(frozen=True, slots=True)
class _Prepared:
    spec: EngineSpec
    tokenizer: Tokenizer | None
    planned: list[_Planned]
    tasks: list[HarnessTask]


def run_session(options: EvalOptions, *, observer: Observer, notice: Callable[[str], None]) -> list[EvalResult]:
    """Evaluate every checkpoint on every benchmark. `notice` is told what a user should know.

    Raises OrzError for whatever a user or a file can cause; what was committed before stays.
    """
    engine_name, checkpoints, run = _resolve(options, notice)
    marks = Marks(
        run, command=options.command, seed=options.seed, config=_as_yaml(options), environment=describe_environment
    )
    with marks:
        return [
            result
            for checkpoint in checkpoints
            for result in _evaluate_checkpoint(
                checkpoint, engine_name, place=(run, marks), options=options, talk=(observer, notice)
            )
        ]


def preview_session(options: EvalOptions, *, notice: Callable[[str], None]) -> str:
    """What run_session would draw, and its first prompts; nothing is drawn or written."""
    engine_name, checkpoints, run = _resolve(options, notice)
    texts = [
        preview(plan.evaluation, plan.requests, run=run)
        for checkpoint in checkpoints
        for plan in _prepare(checkpoint, engine_name, options=options, notice=notice).planned
    ]
    return "\n\n".join(texts)


def _resolve(options: EvalOptions, notice: Callable[[str], None]) -> tuple[str, list[Checkpoint], RunDir]:
    engine_name, reason = choose_engine(options.engine)
    notice(reason)
    make_spec(name=engine_name, checkpoint="", **options.engine_settings)
    name = options.checkpoint if options.revision is None else snapshot(options.checkpoint, options.revision)
    checkpoints = find_checkpoints(
        name, engine=engine_name, reads_files=ENGINES[engine_name].reads_files, step=options.step
    )
    if options.revision is not None:
        checkpoints = [replace(one, label=f"{options.checkpoint}@{options.revision}") for one in checkpoints]
    return engine_name, checkpoints, RunDir(options.out or _default_run(options, checkpoints))


def _prepare(
    checkpoint: Checkpoint, engine_name: str, *, options: EvalOptions, notice: Callable[[str], None]
) -> _Prepared:
    """Everything that can be known before an engine opens."""
    dtype = choose_dtype(options.dtype, engine_name)
    spec = make_spec(name=engine_name, checkpoint=checkpoint.path, dtype=dtype, **options.engine_settings)
    tokenizer = load_tokenizer(spec, system=options.system_prompt, template_args=options.template_args)
    own = [name for name in options.benchmarks if not name.startswith(PREFIX)]
    tasks = [name.removeprefix(PREFIX) for name in options.benchmarks if name.startswith(PREFIX)]
    harness = harness_options(options) if tasks else None
    found = [find_task(name, harness) for name in tasks] if harness else []
    chosen = [_choose(name, spec=spec, options=options, notice=notice) for name in own]
    if ENGINES[engine_name].is_server:
        spec = _meet_server(spec, chosen, tokenizer=tokenizer, notice=notice)
    if (note := generation_config_note(checkpoint.path)) is not None:
        notice(note)
    evaluations = [_plan(one, checkpoint, spec=spec, tokenizer=tokenizer, options=options) for one in chosen]
    planned = [_Planned(evaluation, evaluation.requests(tokenizer)) for evaluation in evaluations]
    _say_contexts(planned, spec=spec, notice=notice)
    return _Prepared(spec if tasks else _fitting(spec, planned), tokenizer, planned, found)


def _evaluate_checkpoint(
    checkpoint: Checkpoint,
    engine_name: str,
    *,
    place: tuple[RunDir, Marks],
    options: EvalOptions,
    talk: tuple[Observer, Callable[[str], None]],
) -> Iterator[EvalResult]:
    (run, marks), (observer, notice) = place, talk
    if checkpoint.origin:
        notice(f"{checkpoint.origin}; kept in {checkpoint.path}")
    prepared = _prepare(checkpoint, engine_name, options=options, notice=notice)
    planned = prepared.planned
    with ExitStack() as stack:
        graders: dict[str, Grader] = {}
        for extractor in {plan.evaluation.card.extractor for plan in planned}:
            graders[extractor] = stack.enter_context(_grader(extractor, planned, options=options))
        _say_isolation(graders, planned, notice=notice)
        for plan in planned:
            _check_golds(graders[plan.evaluation.card.extractor], plan.evaluation, options=options, notice=notice)
        opened = stack.enter_context(opened_once(prepared.spec, first=marks.begin, notice=notice))
        for plan in planned:
            if (result := finished(plan.evaluation, plan.requests, run=run, observer=observer)) is not None:
                yield result
                continue
            yield evaluate(
                plan.evaluation,
                plan.requests,
                run=run,
                grader=graders[plan.evaluation.card.extractor],
                open_engine=opened,
                observer=observer,
            )
        for task in prepared.tasks:
            engine = (prepared.spec, opened, prepared.tokenizer)
            yield _run_harness(task, checkpoint, run=run, options=options, engine=engine, notice=notice)


def harness_options(options: EvalOptions) -> HarnessOptions:
    """What of the options concerns lm-eval's tasks. ConfigError for one that cannot."""
    changes = dict(options.protocol_changes)
    template = changes.pop("template", None)
    names = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_gen_toks"}
    generation = {names[key]: changes.pop(key) for key in list(changes) if key in names}
    if options.protocol or changes or template not in (None, "chat"):
        named = {"protocol": options.protocol, "template": template if template != "chat" else None}
        given = ", ".join([*(name for name, value in named.items() if value), *changes])
        raise ConfigError(
            f"lm-eval's tasks decide for themselves how questions are asked and answers read, so these options do not "
            f"apply to them: {given}. These do: --template chat, --temperature, --top-p, --top-k, --max-tokens, "
            f"--num-fewshot."
        )
    if generation.get("temperature"):
        generation["do_sample"] = True
    return HarnessOptions(
        include_paths=options.include_paths,
        num_fewshot=options.num_fewshot,
        chat=template == "chat",
        generation=generation or None,
        limit=options.limit,
        seed=options.seed,
    )


def _run_harness(
    task: HarnessTask,
    checkpoint: Checkpoint,
    *,
    run: RunDir,
    options: EvalOptions,
    engine: tuple[EngineSpec, Callable[[], Engine], Tokenizer | None],
    notice: Callable[[str], None],
) -> EvalResult:
    spec, opened, tokenizer = engine
    if tokenizer is None:
        raise ConfigError("lm-eval's tasks need the checkpoint's tokenizer; give --tokenizer FOLDER_OR_HUB_ID.")
    notice(f"{PREFIX}{task.name}: {len(task.configs)} task{'s' * (len(task.configs) > 1)} of lm-eval")
    result, notes = run_task(
        task, checkpoint, run=run, options=harness_options(options), spec=spec, engine=(opened, tokenizer)
    )
    for note in notes:
        notice(note)
    return result


def _choose(name: str, *, spec: EngineSpec, options: EvalOptions, notice: Callable[[str], None]) -> Chosen:
    benchmark = get_benchmark(name)
    protocol = resolve_protocol(options, benchmark.default_protocol)
    chosen = choose(benchmark, protocol, spec=spec, folders=options.data_folders)
    protocol, loaded = chosen.protocol, chosen.loaded
    notice(f"{benchmark.name}: {len(loaded.problems):,} problems from {loaded.source}")
    for note in loaded.notes:
        notice(f"{benchmark.name}: {note}")
    if (options.system_prompt is not None or options.template_args) and protocol.template not in OF_CHECKPOINT:
        raise ConfigError(
            f"{benchmark.name}: --system-prompt and --template-args are for the checkpoint's chat template, and this "
            f"protocol asks with {protocol.template}; add --template chat."
        )
    return Chosen(benchmark, protocol, options.selection.select(loaded))


def _meet_server(
    spec: EngineSpec, chosen: Sequence[Chosen], *, tokenizer: Tokenizer | None, notice: Callable[[str], None]
) -> EngineSpec:
    """The spec with what the server is and does, shown the first question."""
    prompts = (TEMPLATES[one.protocol.template](one.loaded.problems[0], tokenizer) for one in chosen)
    samplings = [one.protocol.sampling for one in chosen]
    return meet_server(spec, prompt=next(prompts, None), tokenizer=tokenizer, samplings=samplings, notice=notice)


def _plan(
    chosen: Chosen, checkpoint: Checkpoint, *, spec: EngineSpec, tokenizer: Tokenizer | None, options: EvalOptions
) -> Evaluation:
    facts = {
        "prompts_as": spec.server.prompts if spec.server is not None else None,
        "questions": options.selection.describe(),
        "system_prompt": options.system_prompt,
        "template_args": dict(options.template_args) or None,
        **card_facts(spec, tokenizer),
    }
    return plan_evaluation(chosen, checkpoint, spec=spec, seed=options.seed, limit=options.limit, facts=facts)


def _say_contexts(planned: Sequence[_Planned], *, spec: EngineSpec, notice: Callable[[str], None]) -> None:
    for plan in planned:
        card = plan.evaluation.card
        lengths = {len(request.prompt_token_ids) for request in plan.requests if request.prompt_token_ids is not None}
        if card.extractor != LIKELIHOOD:
            say_context(
                replace(spec, max_model_len=card.max_model_len),
                sorted(lengths),
                max_tokens=card.max_tokens,
                name=card.benchmark,
                notice=notice,
            )


def resolve_protocol(options: EvalOptions, default: str) -> Protocol:
    """The protocol that the options name (or the benchmark's own), with the options' changes."""
    return customise(get_protocol(options.protocol or default), options.protocol_changes)


def _grader(extractor: str, planned: Sequence[_Planned], *, options: EvalOptions) -> Grader:
    """A grader for what these evaluations need."""
    tests = tests_of(plan.evaluation.loaded for plan in planned)
    return Grader(
        extractor=extractor,
        num_workers=options.num_grading_workers,
        tests=tests,
        allow_weak_isolation=options.allow_weak_isolation,
    )


def _say_isolation(
    graders: Mapping[str, Grader], planned: Sequence[_Planned], *, notice: Callable[[str], None]
) -> None:
    """Before anything is drawn: what keeps programs in, or ConfigError where that is not enough."""
    extractors = dict.fromkeys(plan.evaluation.card.extractor for plan in planned if plan.evaluation.loaded.tests)
    for extractor in extractors:
        notice(f"programs are run with {graders[extractor].check_isolation()}")


def _check_golds(
    grader: Grader, evaluation: Evaluation, *, options: EvalOptions, notice: Callable[[str], None]
) -> None:
    faults = grader.check_golds(evaluation.problems)
    if not faults:
        return
    lines = "\n".join(f"  {fault.problem_id}: gold {fault.gold!r}: {fault.why}" for fault in faults[:20])
    text = f"{evaluation.card.benchmark}: {len(faults)} golds do not accept themselves as an answer:\n{lines}"
    if not options.keep_broken_golds:
        raise DataError(
            f"{text}\nNo answer could be graded right against them. Mend the data, or pass --keep-broken-golds."
        )
    notice(text)


def _fitting(spec: EngineSpec, planned: Sequence[_Planned]) -> EngineSpec:
    """The spec with room for the longest prompt and completion, not for all that the checkpoint could hold."""
    needs = [
        len(request.prompt_token_ids)
        + max([plan.evaluation.card.max_tokens, *(len(ids) + 1 for ids in request.options)])
        for plan in planned
        for request in plan.requests
        if request.prompt_token_ids is not None
    ]
    limits = [plan.evaluation.card.max_model_len for plan in planned]
    limit = min((limit for limit in limits if limit is not None), default=None)
    if not needs or limit is None:
        return spec
    return replace(spec, max_model_len=min(limit, max(needs)))


def _default_run(options: EvalOptions, checkpoints: Sequence[Checkpoint]) -> Path:
    if RunDir(Path(options.checkpoint)).exists():
        return Path(options.checkpoint)
    return Path("runs") / checkpoints[0].label.replace("/", "--")


def _as_yaml(options: EvalOptions) -> str:
    plain: dict[str, Any] = asdict(options)
    plain |= {key: list(map(str, plain[key])) for key in ("benchmarks", "data_folders", "include_paths", "command")}
    plain |= {"out": str(options.out) if options.out else None}
    plain["protocol_changes"] = {k: list(v) if isinstance(v, tuple) else v for k, v in options.protocol_changes.items()}
    return yaml.safe_dump(redacted(plain), sort_keys=False, allow_unicode=True)
