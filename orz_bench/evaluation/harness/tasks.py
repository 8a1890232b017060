"""lm-eval's tasks through our engines: find a task, run it, and put its samples and figures into the run directory.

lm-eval decides everything that it decides elsewhere (prompts, filters, metrics); here each sample becomes a row.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from orz_bench.engines.describe import engine_version, max_model_len, max_scored_len
from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.errors import ConfigError, DataError, EngineError, counted, nearest
from orz_bench.evaluation.context import EvalContext
from orz_bench.evaluation.evaluate import keep_result, summary_of, write_or_check_identity
from orz_bench.evaluation.harness.options import PREFIX, HarnessOptions
from orz_bench.evaluation.harness.rows import HarnessRows, figures_of, rows_of
from orz_bench.installed.extras import how_to_install
from orz_bench.records.run_dir import EvaluationDir
from orz_bench.records.summary import EvalResult

VERSION = "0.4.13"
_SEEDS = (0, 1234)
"""lm-eval's own: of Python's random numbers, and of numpy's and the worked examples'."""
_BOOTSTRAP = 1000
"""Resamples for the standard errors that have no formula."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessTask:
    """A task, or a group of tasks, as lm-eval has loaded it, with the options it runs under."""

    name: str
    options: HarnessOptions
    loaded: Any
    """Return value of lm-eval's TaskManager: {"tasks": ..., "groups": ...}."""
    configs: Mapping[str, Any]
    """Task -> its configuration, for every task of the group."""
    docs_digest: str
    """Digest of all questions, so that samples of other data are never mistaken for these."""


def find_task(name: str, options: HarnessOptions) -> HarnessTask:
    """Load a task. EngineError without lm-eval, ConfigError for an unknown name, DataError if data don't load."""
    if find_spec("lm_eval") is None:
        raise EngineError(f"lm-eval is not installed; run: {how_to_install('lm-eval')}")
    if (found := metadata.version("lm_eval")) != VERSION:
        raise EngineError(f"lm_eval {found} is installed, but {VERSION} is what this version drives; install that.")
    for folder in options.include_paths:
        if not folder.is_dir():
            raise ConfigError(f"--include-path {folder}: no such folder.")
    manager = _manager(options.include_paths)
    if not manager.match_tasks([name]):
        known = len(manager.all_tasks)
        raise ConfigError(
            f"lm-eval has no task {name!r}{nearest(name, manager.all_tasks)}; it has {known:,} (lm-eval ls tasks), "
            f"and --include-path FOLDER adds your own."
        )
    try:
        loaded = manager.load([name])
    except Exception as error:  # loaders raise anything; the user needs a remedy
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise DataError(
            f"lm-eval:{name}: its data do not load ({reason}). lm-eval fetches them from the hub: check the network, "
            f"or name a folder with a task that reads local files (--include-path)."
        ) from error
    configs = {task: _plain(one.dump_config()) for task, one in loaded["tasks"].items()}
    _apply(loaded["tasks"].values(), options)
    docs = (doc for task in sorted(loaded["tasks"]) for doc in loaded["tasks"][task].eval_docs)
    return HarnessTask(name=name, options=options, loaded=loaded, configs=configs, docs_digest=_docs_digest(docs))


@cache
def _manager(include_paths: tuple[Path, ...]) -> Any:
    """lm-eval's index of tasks: reading its ten thousand files takes seconds."""
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # the rest is remarks on defaults
    return TaskManager(include_path=[str(folder) for folder in include_paths] or None)


def card_of(task: HarnessTask, spec: EngineSpec) -> dict[str, Any]:
    """Everything that can move a score, as it is written beside the result."""
    options = task.options
    configs = json.dumps(task.configs, sort_keys=True)
    return {
        "benchmark": PREFIX + task.name,
        "lm_eval": VERSION,
        "tasks": sorted(task.configs),
        "configs_digest": hashlib.sha256(configs.encode()).hexdigest()[:12],
        "docs_digest": task.docs_digest,
        "num_fewshot": options.num_fewshot,
        "chat_template": options.chat,
        "generation": dict(options.generation or {}),
        "seed": options.seed,
        "engine": engine_version(spec),
        "dtype": spec.dtype,
        "max_model_len": max_model_len(spec),
    } | ({"server": spec.server.to_json()} if spec.server is not None else {})


def run_task(task: HarnessTask, context: EvalContext) -> EvalResult:
    """Run a task; samples, figures and every answer of the engine go to the run directory.

    Stored answers are not requested again. Notes for the user go to the observer.
    """
    run, model, options = context.run, context.model, task.options
    card = card_of(task, context.spec)
    fingerprint = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()[:12]
    folder = run.evaluation(benchmark=folder_name(task.name), step=model.step, fingerprint=fingerprint)
    with folder.lock():
        write_or_check_identity(folder, model, seed=options.seed, card=card, fingerprint=fingerprint)
        folder.require_own(benchmark=PREFIX + task.name, step=model.step, seed_of=lambda _name, _index: options.seed)
        tokenizer = _tokenizer(context)
        found, num_cut = _evaluate(task, context, folder=folder, tokenizer=tokenizer)
        identity = {"benchmark": PREFIX + task.name, "step": model.step, "seed": options.seed}
        rows = rows_of(
            found,
            identity=identity | {"grader_version": f"lm_eval {VERSION}"},
            num_tokens=lambda text: len(tokenizer.encode(text)),
        )
        num_new = _append_missing(folder, rows)
        summary = replace(summary_of(folder, rows.scored), breakdown={"lm-eval": figures_of(found)})
        result = EvalResult(
            run=str(run.path),
            benchmark=PREFIX + task.name,
            step=model.step,
            fingerprint=fingerprint,
            model=model.label,
            protocol=card | {"scored_by": rows.scored_by, "extractor": rows.filter},
            summary=summary,
            num_problems_total=sum(count["original"] for count in found["n-samples"].values()),
            num_generated_now=num_new,
        )
        keep_result(folder, result)
    cut = (f"the left end of {counted(num_cut, 'prompt')} was cut to fit",) if num_cut else ()
    for note in (*cut, *rows.notes):
        context.observer.notice(f"{result.benchmark}: {note}")
    return result


def _tokenizer(context: EvalContext) -> Tokenizer:
    tokenizer = context.tokenizer()
    if tokenizer is None:
        raise ConfigError("lm-eval's tasks need the checkpoint's tokenizer; give --tokenizer FOLDER_OR_HUB_ID.")
    return tokenizer


def folder_name(task: str) -> str:
    """A task's name as a folder's: lm-eval's names may hold slashes."""
    return "lm-eval--" + re.sub(r"[^\w.-]", "-", task)


def _evaluate(
    task: HarnessTask, context: EvalContext, *, folder: EvaluationDir, tokenizer: Tokenizer
) -> tuple[dict[str, Any], int]:
    """(lm-eval's results, prompts that were cut)."""
    from lm_eval.evaluator import evaluate

    from orz_bench.evaluation.harness.model import Answers, HarnessModel

    options, limit = task.options, max_scored_len(context.spec)
    answers = Answers(folder.path / "answers.jsonl")
    model = HarnessModel(context.open_engine, tokenizer, limit=limit, seed=options.seed, answers=answers)
    random.seed(_SEEDS[0])
    np.random.seed(_SEEDS[1])  # noqa: NPY002 - what tasks draw from
    try:
        found = evaluate(
            lm=model,
            task_dict=task.loaded,
            limit=options.limit,
            bootstrap_iters=_BOOTSTRAP,
            apply_chat_template=options.chat,
            fewshot_as_multiturn=options.chat,
        )
    except ValueError as error:
        raise ConfigError(f"lm-eval refuses to run {task.name}: {error}") from error
    assert found is not None, "this process is lm-eval's rank 0"
    return found, model.num_cut


def _apply(tasks: Iterable[Any], options: HarnessOptions) -> None:
    """Apply options as lm-eval's `simple_evaluate` does, which also spends ten seconds on describing the machine."""
    for task in tasks:
        own_shots = task.get_config("num_fewshot")
        if options.generation and task.get_config("output_type") == "generate_until":
            task.set_config(key="generation_kwargs", value=dict(options.generation), update=True)
        if own_shots is None or (options.num_fewshot is not None and own_shots != 0):
            task.set_config(key="num_fewshot", value=options.num_fewshot or 0)
        task.set_fewshot_seed(seed=_SEEDS[1])


def _append_missing(folder: EvaluationDir, rows: HarnessRows) -> int:
    """Append the rows that are missing; their number."""
    done = folder.keys()
    missing = [rollout for rollout in rows.rollouts if rollout.key not in done]
    if missing:
        folder.append(missing)
    return len(missing)


def _docs_digest(docs: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for doc in docs:
        digest.update(json.dumps(doc, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:12]


def _plain(config: Any) -> Any:
    """A task's configuration as JSON; functions by their names."""
    return json.loads(_ADDRESS.sub("", json.dumps(config, sort_keys=True, default=str)))
