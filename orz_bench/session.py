"""From the options of `orz-bench eval` to results: resolve everything, check everything, then evaluate.

Data, golds, prompts and the checkpoint are checked for all benchmarks before the first token is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.checkpoint import Checkpoint, find_checkpoints
from orz_bench.data import load_problems
from orz_bench.engines.engine import Engine, EngineName, EngineSpec, Tokenizer
from orz_bench.engines.open import (
    choose_dtype,
    choose_engine,
    engine_version,
    max_model_len,
    open_engine,
    require_likelihoods,
)
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, DataError
from orz_bench.evaluate import Evaluation, Observer, evaluate
from orz_bench.grading.extract import LIKELIHOOD
from orz_bench.grading.grader import Grader, grader_version
from orz_bench.harness_tasks import PREFIX, HarnessOptions, HarnessTask, find_task, run_task
from orz_bench.protocol import Protocol, customise, fit_to_kind, get_protocol, make_card, require_fit
from orz_bench.records.rollout import Request
from orz_bench.records.run_dir import RunDir, reason_of
from orz_bench.records.summary import EvalResult
from orz_bench.templates import WITH_EXAMPLES


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
    """Settings of EngineSpec, by name."""
    include_paths: tuple[Path, ...] = ()
    """Folders with tasks for lm-eval."""
    num_fewshot: int | None = None
    """Of lm-eval's tasks."""
    keep_broken_golds: bool = False
    allow_weak_isolation: bool = False
    """Whether programs are run though little keeps them in."""
    num_grading_workers: int | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Planned:
    evaluation: Evaluation
    requests: list[Request]


def run_session(options: EvalOptions, *, observer: Observer, notice: Callable[[str], None]) -> list[EvalResult]:
    """Evaluate every checkpoint on every benchmark. `notice` is told what a user should know.

    Raises OrzError for whatever a user or a file can cause; what was committed before stays.
    """
    engine_name, reason = choose_engine(options.engine)
    notice(reason)
    checkpoints = find_checkpoints(options.checkpoint, engine=engine_name, step=options.step)
    run = RunDir(options.out or _default_run(options, checkpoints))
    with _recorded(run, options) as results:
        results += [
            result
            for checkpoint in checkpoints
            for result in _evaluate_checkpoint(
                checkpoint, engine_name, run=run, options=options, talk=(observer, notice)
            )
        ]
    return results


def _evaluate_checkpoint(
    checkpoint: Checkpoint,
    engine_name: EngineName,
    *,
    run: RunDir,
    options: EvalOptions,
    talk: tuple[Observer, Callable[[str], None]],
) -> Iterator[EvalResult]:
    observer, notice = talk
    dtype = choose_dtype(options.dtype, engine_name)
    spec = EngineSpec(name=engine_name, checkpoint=checkpoint.path, dtype=dtype, **options.engine_settings)
    tokenizer = load_tokenizer(spec)
    own = [name for name in options.benchmarks if not name.startswith(PREFIX)]
    tasks = [name.removeprefix(PREFIX) for name in options.benchmarks if name.startswith(PREFIX)]
    harness = harness_options(options) if tasks else None
    found = [find_task(name, harness) for name in tasks] if harness else []
    evaluations = [_plan(name, checkpoint, spec=spec, options=options, notice=notice) for name in own]
    planned = [_Planned(evaluation, evaluation.requests(tokenizer)) for evaluation in evaluations]
    with ExitStack() as stack:
        graders: dict[str, Grader] = {}
        for extractor in {plan.evaluation.card.extractor for plan in planned}:
            graders[extractor] = stack.enter_context(_grader(extractor, planned, options=options))
        _say_isolation(graders, planned, notice=notice)
        for plan in planned:
            _check_golds(graders[plan.evaluation.card.extractor], plan.evaluation, options=options, notice=notice)
        opened = stack.enter_context(_opened_once(spec if tasks else _fitting(spec, planned)))
        for plan in planned:
            yield evaluate(
                plan.evaluation,
                plan.requests,
                run=run,
                grader=graders[plan.evaluation.card.extractor],
                open_engine=opened,
                observer=observer,
            )
        for task in found:
            yield _run_harness(
                task, checkpoint, run=run, options=options, engine=(spec, opened, tokenizer), notice=notice
            )


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


def _plan(
    name: str, checkpoint: Checkpoint, *, spec: EngineSpec, options: EvalOptions, notice: Callable[[str], None]
) -> Evaluation:
    benchmark = get_benchmark(name)
    protocol = fit_to_kind(resolve_protocol(options, benchmark.default_protocol), benchmark.kind)
    require_fit(benchmark, protocol)
    if protocol.extractor == LIKELIHOOD:
        require_likelihoods(spec)
    loaded = load_problems(
        benchmark,
        folders=options.data_folders,
        correct_errata=protocol.correct_errata,
        with_examples=protocol.template in WITH_EXAMPLES,
    )
    notice(f"{benchmark.name}: {len(loaded.problems):,} problems from {loaded.source}")
    for note in loaded.notes:
        notice(f"{benchmark.name}: {note}")
    card = make_card(
        protocol,
        kind=benchmark.kind,
        benchmark=benchmark.name,
        data_hash=loaded.data_hash,
        grader_version=grader_version(benchmark.kind),
        engine=engine_version(spec),
        dtype=spec.dtype,
        max_model_len=max_model_len(spec),
    )
    return Evaluation(
        loaded=loaded,
        checkpoint=checkpoint,
        card=card,
        n=protocol.n,
        limit=options.limit,
        seed=options.seed,
        keep_tokens=spec.keep_tokens,
        breakdowns=benchmark.breakdowns,
    )


def resolve_protocol(options: EvalOptions, default: str) -> Protocol:
    """The protocol that the options name (or the benchmark's own), with the options' changes."""
    return customise(get_protocol(options.protocol or default), options.protocol_changes)


def _grader(extractor: str, planned: Sequence[_Planned], *, options: EvalOptions) -> Grader:
    """A grader for what these evaluations need."""
    tests = {gold: packed for plan in planned for gold, packed in plan.evaluation.loaded.tests.items()}
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


@contextmanager
def _opened_once(spec: EngineSpec) -> Iterator[Callable[[], Engine]]:
    """A function that opens the engine at its first call and returns the same one afterwards."""
    with ExitStack() as stack:
        opened: list[Engine] = []

        def get() -> Engine:
            if not opened:
                opened.append(stack.enter_context(closing(open_engine(spec))))
            return opened[0]

        yield get


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


@contextmanager
def _recorded(run: RunDir, options: EvalOptions) -> Iterator[list[EvalResult]]:
    """A run that says what became of the evaluation whose results come into the list.

    Others may evaluate into the same run meanwhile (each evaluation has a lock of its own); only its owner, who came
    first, marks it, and into a run of training nobody but training does.
    """
    run.create(kind="eval", command=options.command, seed=options.seed, environment=describe_environment())
    results: list[EvalResult] = []
    if run.info()["kind"] != "eval":
        run.add_event("evaluation_started", command=list(options.command))
        try:
            yield results
        except BaseException as error:
            run.add_event("evaluation_stopped", text=reason_of(error))
            raise
        run.add_event("evaluation_done", text=f"{len(results)} results")
        return
    with run.owned() as is_owner:
        if not is_owner:
            yield results
            return
        with run.marks_failure("evaluation_stopped"):
            run.mark("")
            run.write_config(_as_yaml(options))
            run.add_event("evaluation_started", command=list(options.command))
            yield results
            run.add_event("evaluation_done", text=f"{len(results)} results")
            run.mark("DONE", f"{len(results)} results")


def _as_yaml(options: EvalOptions) -> str:
    plain: dict[str, Any] = asdict(options)
    plain |= {key: list(map(str, plain[key])) for key in ("benchmarks", "data_folders", "include_paths", "command")}
    plain |= {"out": str(options.out) if options.out else None}
    plain["protocol_changes"] = {k: list(v) if isinstance(v, tuple) else v for k, v in options.protocol_changes.items()}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
