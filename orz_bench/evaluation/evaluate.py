"""evaluate(): problems -> completions -> grades -> run directory.

Requests only what the run directory lacks, so that running again resumes and a larger n adds samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from orz_bench.asking.messages import messages_for, shown
from orz_bench.asking.prompt_tokens import render_prompts
from orz_bench.asking.protocol import ProtocolCard
from orz_bench.asking.templates import TEMPLATES
from orz_bench.benchmarks.loading.load import LoadedProblems
from orz_bench.engines.engine import Engine, Tokenizer
from orz_bench.errors import ConfigError, EngineError, OrzError, RunDirError, counted
from orz_bench.evaluation.likelihood import most_likely, with_options
from orz_bench.evaluation.other_rules import RuleGrader, with_other_rules
from orz_bench.evaluation.recorder import Recorder
from orz_bench.extraction.rules import LIKELIHOOD
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.models.digest import is_partial
from orz_bench.records.parquet import part_files
from orz_bench.records.rollout import Completion, Grade, Problem, Request, Rollout
from orz_bench.records.run_dir import EvaluationDir, RunDir, read_json, to_json, write_text
from orz_bench.records.summary import EvalResult, Summary
from orz_bench.results.breakdown import PartedSample, break_down
from orz_bench.results.statistics import ScoredSample, summarise
from orz_bench.results.usage import thoughts_of, usage_of
from orz_bench.seeds import sample_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One benchmark of one checkpoint under one protocol."""

    loaded: LoadedProblems
    model: ModelIdentity
    card: ProtocolCard
    n: int
    limit: int | None
    seed: int
    keep_tokens: bool = False
    breakdowns: tuple[str, ...] = ()
    """Keys of the problems' `extra` by which the score is broken down."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The first `limit` problems, or all."""
        return self.loaded.problems[: self.limit]

    @property
    def keys(self) -> set[tuple[str, int]]:
        """(problem id, sample index) of every sample wanted."""
        return {(problem.problem_id, index) for problem in self.problems for index in range(self.n)}

    def requests(self, tokenizer: Tokenizer | None) -> list[Request]:
        """Every sample wanted, problem by problem. Raises ConfigError if a prompt doesn't fit the context."""
        if self.card.endpoint == "chat":
            return self._chat_requests()
        prompts = render_prompts(self.problems, TEMPLATES[self.card.template], tokenizer=tokenizer)
        lengths = {
            problem.problem_id: len(prompt.token_ids)
            for problem, prompt in zip(self.problems, prompts, strict=True)
            if prompt.token_ids is not None
        }
        _refuse_long_prompts(lengths, self.card)
        requests = [
            request
            for problem, prompt in zip(self.problems, prompts, strict=True)
            for request in Request.group(
                problem,
                prompt=prompt.text,
                prompt_token_ids=prompt.token_ids,
                seeds=(self._seed(problem, index) for index in range(self.n)),
            )
        ]
        return with_options(requests, tokenizer) if self.card.extractor == LIKELIHOOD else requests

    def _chat_requests(self) -> list[Request]:
        """The same as messages; what they become, and how long that is, the server knows alone."""
        return [
            request
            for problem in self.problems
            for messages in [messages_for(problem, self.card.template, system=self.card.system_prompt)]
            for request in Request.group(
                problem,
                prompt=shown(messages),
                prompt_token_ids=None,
                seeds=(self._seed(problem, index) for index in range(self.n)),
                messages=messages,
            )
        ]

    def to_rollout(self, request: Request, completion: Completion, *, grade: Grade) -> Rollout:
        """The row of one sample."""
        if completion.stop_reason == "failed":
            grade = replace(grade, verdict="error", why=f"no answer: {completion.extra.get('failure', 'unknown')}")
        return Rollout.from_parts(
            request=request,
            completion=completion,
            grade=grade,
            step=self.model.step,
            grader_version=self.card.grader_version,
            keep_tokens=self.keep_tokens,
        )

    def seeds(self) -> Callable[[str, int], int | None]:
        """(problem id, sample index) -> the seed of that sample; None for a problem the benchmark does not have."""
        by_id = {problem.problem_id: problem for problem in self.loaded.problems}
        return lambda name, index: self._seed(by_id[name], index) if name in by_id else None

    def _seed(self, problem: Problem, sample_index: int) -> int:
        return sample_seed(
            self.seed,
            step=self.model.step,
            benchmark=problem.benchmark,
            problem_id=problem.problem_id,
            sample_index=sample_index,
        )


class Observer(Protocol):
    """Receives progress events of an evaluation."""

    def notice(self, text: str) -> None:
        """Something a user should know."""
        ...

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None:
        """Before the engine opens."""
        ...

    def generating(self) -> None:
        """The engine is open."""
        ...

    def committed(self, rollouts: Sequence[Rollout]) -> None:
        """These rows are on disk (called on the recorder's thread)."""
        ...

    def finished(self, result: EvalResult) -> None:
        """The summary is on disk."""
        ...


def stored_result(evaluation: Evaluation, *, run: RunDir, observer: Observer) -> EvalResult | None:
    """The result of an evaluation whose samples are all on disk, without locks, tokenizer, grader or engine; else None.

    A summary of fewer samples is replaced if the folder can be written.
    """
    folder = _folder(evaluation, run)
    wanted = evaluation.keys
    if not folder.protocol_path.exists() or not wanted <= folder.keys():
        return None
    _write_or_check_identity(folder, evaluation)
    observer.started(evaluation, num_wanted=len(wanted), num_missing=0)
    summary = summary_of(folder, wanted, breakdowns=evaluation.breakdowns)
    result = _result(evaluation, run=run, summary=summary, num_generated=0)
    stored = folder.result()
    if stored is not None and stored.summary.num_samples == summary.num_samples:
        result = replace(result, summary=replace(summary, other_rules=stored.summary.other_rules))
    if stored is None or stored.summary.num_samples < summary.num_samples:
        with suppress(RunDirError):
            folder.write_result(result)
    observer.finished(result)
    return result


def evaluate(
    evaluation: Evaluation,
    requests: list[Request],
    *,
    run: RunDir,
    grader: RuleGrader,
    open_engine: Callable[[], Engine],
    observer: Observer,
) -> EvalResult:
    """Generate, grade and commit the missing ones of `requests`; return and write the statistics of all of them."""
    folder = _folder(evaluation, run)
    with folder.lock():
        _write_or_check_identity(folder, evaluation)
        step = evaluation.model.step
        folder.require_own(benchmark=evaluation.card.benchmark, step=step, seed_of=evaluation.seeds())
        done = folder.keys()
        missing = [request for request in requests if request.key not in done]
        observer.started(evaluation, num_wanted=len(requests), num_missing=len(missing))
        if missing:
            engine = open_engine()
            observer.generating()
            with Recorder(
                folder,
                grader,
                requests=missing,
                to_rollout=evaluation.to_rollout,
                on_committed=observer.committed,
            ) as recorder:
                recorder.add_all(_completions(engine, missing, evaluation=evaluation))
        summary = summary_of(folder, {request.key for request in requests}, breakdowns=evaluation.breakdowns)
        summary = with_other_rules(summary, requests, folder=folder, grader=grader, extractor=evaluation.card.extractor)
        result = _result(evaluation, run=run, summary=summary, num_generated=len(missing))
        keep_result(folder, result)
    observer.finished(result)
    return result


def _folder(evaluation: Evaluation, run: RunDir) -> EvaluationDir:
    card = evaluation.card
    return run.evaluation(benchmark=card.benchmark, step=evaluation.model.step, fingerprint=card.fingerprint)


def _write_or_check_identity(folder: EvaluationDir, evaluation: Evaluation) -> None:
    card = evaluation.card
    write_or_check_identity(
        folder,
        evaluation.model,
        seed=evaluation.seed,
        card=card.to_json(),
        fingerprint=card.fingerprint,
        data=evaluation.loaded.address,
    )


def _completions(engine: Engine, missing: list[Request], *, evaluation: Evaluation) -> Iterator[list[Completion]]:
    if evaluation.card.extractor == LIKELIHOOD:
        return most_likely(engine, missing)
    return engine.generate(missing, evaluation.card.sampling)


def _refuse_long_prompts(num_tokens: dict[str, int], card: ProtocolCard) -> None:
    limit = card.max_model_len
    too_long = {problem_id: length for problem_id, length in num_tokens.items() if limit and length >= limit}
    if too_long:
        worst = max(too_long, key=lambda problem_id: too_long[problem_id])
        raise ConfigError(
            f"{card.benchmark}: {len(too_long)} of {counted(len(num_tokens), 'prompt')} "
            f"{'does' if len(too_long) == 1 else 'do'} not fit the context of "
            f"{limit:,} tokens (the longest, {worst}, has {too_long[worst]:,}). Nothing is cut silently: raise "
            f"--max-model-len where the model allows it, use a shorter template, or leave this benchmark out."
        )


def write_or_check_identity(
    folder: EvaluationDir,
    model: ModelIdentity,
    *,
    seed: int,
    card: Mapping[str, Any],
    fingerprint: str,
    data: str | None = None,
) -> None:
    """Write protocol.json, or check that it names the same model, seed and protocol; RunDirError if it does not.

    `data` is the address of a user's own table, which is written and not compared: it may move.

    Samples without a protocol.json are never adopted: they may be another model's.
    """
    identity = {"model": model.label, "model_digest": model.digest, "seed": seed}
    identity |= {"model_origin": model.origin} if model.origin else {}
    identity |= {"data": data} if data else {}
    if not folder.protocol_path.exists():
        if part_files(folder.path):
            raise RunDirError(
                f"{folder.path}: holds samples, but no protocol.json says whose they are. Put the file back that was "
                f"written with them, move the samples away, or choose another folder with --out."
            )
        write_text(folder.protocol_path, to_json(identity | {"fingerprint": fingerprint, "card": dict(card)}))
        return
    found = read_json(folder.protocol_path)
    _refuse_partial_digest(folder, str(found.get("model_digest")), model=model)
    identity["fingerprint"] = fingerprint
    others = {"model_digest": "another model", "seed": "another --seed", "fingerprint": "another protocol"}
    for key, what in others.items():
        if found.get(key) != identity[key]:
            raise RunDirError(
                f"{folder.path}: holds samples of {what} (found {key} {found.get(key)}, model {found.get('model')}; "
                f"wanted {identity[key]}, model {identity['model']}). They are never mixed: choose another folder with "
                f"--out, or another --step."
            )


def keep_result(folder: EvaluationDir, result: EvalResult) -> None:
    """Write the summary, unless the stored one covers more questions, or as many with more samples."""
    try:
        known = folder.result()
    except OrzError:
        known = None  # torn, or of an older version: written again
    if known is None or _extent(known) <= _extent(result) or known.summary.num_samples > len(folder.keys()):
        folder.write_result(result)


def _extent(result: EvalResult) -> tuple[int, int]:
    return result.summary.num_problems, result.summary.n


def _refuse_partial_digest(folder: EvaluationDir, found: str, *, model: ModelIdentity) -> None:
    """Refuse samples under an earlier version's digest, which covers a part of the weights: their model is unknown."""
    if not is_partial(found) or not model.digest.startswith("w"):
        return
    raise RunDirError(
        f"{folder.path}: its samples were generated by an earlier version, whose digest ({found}) covers a part of the "
        f"weights only, so it is unknown whether they are this model's. If you know that they are, write "
        f'"model_digest": "{model.digest}" into {folder.protocol_path.name} there and run the same command again; '
        f"else choose another folder with --out."
    )


def summary_of(folder: EvaluationDir, wanted: set[tuple[str, int]], *, breakdowns: Sequence[str] = ()) -> Summary:
    """The statistics of those rows of a folder. EngineError if one is missing."""
    names = ["problem_id", "sample_index", "verdict", "second_extractor", "second_verdict", "extracted", "stop_reason"]
    table = folder.read([*names, "num_tokens", "completion", "extra"])
    rows = list(zip(_scored_samples(table), table["extra"].to_pylist(), strict=True))
    rows = [(sample, extra) for sample, extra in rows if (sample.problem_id, sample.sample_index) in wanted]
    if len(rows) != len(wanted):
        raise EngineError(
            f"{folder.path}: the engine returned {len(rows)} of {counted(len(wanted), 'sample')}. "
            f"Those are kept; run the same command again to generate the rest."
        )
    summary = summarise((sample for sample, _ in rows), second_extractor=table["second_extractor"][0].as_py())
    parted = [
        PartedSample(problem_id=sample.problem_id, is_correct=sample.verdict == "correct", extra=json.loads(extra))
        for sample, extra in rows
    ]
    return replace(
        summary,
        breakdown=break_down(parted, breakdowns),
        num_failed=sum(sample.stop_reason == "failed" for sample, _ in rows),
        usage=usage_of(part.extra for part in parted),
        thoughts=thoughts_of(part.extra for part in parted),
    )


def _scored_samples(table: pa.Table) -> list[ScoredSample]:
    names = ["problem_id", "sample_index", "verdict", "second_verdict", "extracted", "stop_reason", "num_tokens"]
    columns = [table[name].to_pylist() for name in names]
    hashes = [hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in table["completion"].to_pylist()]
    rows = zip(*columns, hashes, strict=True)
    return [ScoredSample(**dict(zip([*names, "completion_hash"], row, strict=True))) for row in rows]


def _result(evaluation: Evaluation, *, run: RunDir, summary: Summary, num_generated: int) -> EvalResult:
    return EvalResult(
        run=str(run.path),
        benchmark=evaluation.card.benchmark,
        step=evaluation.model.step,
        fingerprint=evaluation.card.fingerprint,
        model=evaluation.model.label,
        protocol=evaluation.card.to_json(),
        summary=summary,
        num_problems_total=len(evaluation.loaded.problems),
        num_generated_now=num_generated,
        errata=evaluation.loaded.errata_notes(),
    )
