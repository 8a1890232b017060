"""Grade the stored samples of a run again with the present grader, without generating anything; both verdicts are kept.

Existing grades stay as they are. The new verdicts form a separate evaluation beside the old one: the protocol differs
only in the grader's version, so the fingerprint differs, no reader confuses the two, and `orz-bench eval` resumes in
the new one. Parts appear whole or not at all, and samples that are there already are not graded again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orz_bench.asking.protocol import fingerprint_of
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import ConfigError, DataError, RunDirError
from orz_bench.evaluation.evaluate import summary_of
from orz_bench.extraction.rules import READERS, second_extractor
from orz_bench.grading.grader import Grader, Submission, grader_version
from orz_bench.grading.judges.judge import require_reads
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Grade, Rollout
from orz_bench.records.run_dir import EvaluationDir, RunDir, read_json, to_json, write_text
from orz_bench.records.summary import SECOND_EXTRACTOR

GRADED_BEFORE = "graded_before"
"""In a row's `extra`: the grader's version, the extracted answer, the verdict and the reason that the row had."""
_BATCH_ROWS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradedEvaluation:
    """An evaluation before and after grading again."""

    benchmark: str
    step: int
    old: str
    new: str
    """Fingerprints."""
    num_samples: int
    num_graded_now: int
    changes: Mapping[tuple[str, str], int]
    """(old verdict, new verdict) -> samples; only where the two differ."""
    accuracy_old: float
    accuracy_new: float
    """Shares of correct samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradeOptions:
    """Which evaluations are graded again, and how."""

    benchmarks: tuple[Benchmark, ...] = ()
    """Empty: all of the run."""
    folders: tuple[Path, ...] = ()
    """With benchmark files."""
    num_workers: int | None = None
    deadline_s: float = 5.0
    allow_weak_isolation: bool = False
    second: str | None = None
    """The second rule; None: the one that the evaluation has. It moves no score."""


def regrade_run(run: RunDir, *, options: RegradeOptions, notice: Callable[[str], None]) -> Iterator[RegradedEvaluation]:
    """Grade again every evaluation of a run that another grader version, or another second rule, graded.

    `notice` gets what is skipped. Raises RunDirError if the folder is not a run, ConfigError if it has no evaluation.
    """
    run.info()
    evaluations = run.evaluations()
    if not evaluations:
        raise ConfigError(f"{run.path}: no evaluation to grade again; name a run that orz-bench eval wrote.")
    for evaluation in evaluations:
        protocol = read_json(evaluation.protocol_path)
        card = protocol.get("card", {})
        name = str(card.get("benchmark", evaluation.benchmark))
        chosen = {benchmark.name: benchmark for benchmark in options.benchmarks}
        if chosen and name not in chosen:
            continue
        try:
            benchmark = chosen.get(name) or _benchmark(name, data=protocol.get("data"))
        except DataError as error:
            notice(f"{evaluation.path}: skipped: {error}")
            continue
        if benchmark is None or "extractor" not in card:
            notice(f"{evaluation.path}: skipped, because this program's grader did not grade it")
            continue
        try:
            wanted = _wanted(card, benchmark, second=options.second)
        except ConfigError as error:
            notice(f"{evaluation.path}: skipped: {error}")
            continue
        if wanted != card:
            yield _regrade(run, evaluation, benchmark=benchmark, protocol=protocol, card=wanted, options=options)


def _wanted(card: Mapping[str, Any], benchmark: Benchmark, *, second: str | None) -> dict[str, Any]:
    """The card under the present grader. ConfigError for a second rule that cannot read the benchmark's answers."""
    wanted = {**card, "grader_version": grader_version(benchmark.kind)}
    if second is not None:
        if benchmark.kind not in READERS:
            raise ConfigError(f"--second is for mathematics and letters, not for answers of the kind {benchmark.kind}.")
        require_reads(second, benchmark.kind, named="--second")
        wanted[SECOND_EXTRACTOR] = second
    if wanted.get(SECOND_EXTRACTOR) == second_extractor(card["extractor"]):
        del wanted[SECOND_EXTRACTOR]
    return wanted


def _benchmark(name: str, *, data: str | None) -> Benchmark | None:
    """The benchmark of an evaluation, also of a user's own table at `data`; None for one of another program.

    DataError if the table is gone, or no longer has the questions that were asked.
    """
    if data is None:
        try:
            return get_benchmark(name)
        except ConfigError:
            return None
    found = get_benchmark(data)
    if found.name != name:
        raise DataError(
            f"{data}: has other questions or golds than those that were asked ({found.name}, wanted {name}); name the "
            f"table as it was with --bench."
        )
    return found


def _regrade(
    run: RunDir,
    old: EvaluationDir,
    *,
    benchmark: Benchmark,
    protocol: Mapping[str, Any],
    card: Mapping[str, Any],
    options: RegradeOptions,
) -> RegradedEvaluation:
    new = old.under(fingerprint_of(card))
    rows = rollouts_from_table(old.read())
    with new.lock():
        _write_or_check_identity(new, protocol, card=card, old=old)
        done = new.keys()
        missing = [row for row in rows if row.key not in done]
        if missing:
            _grade(missing, new, benchmark=benchmark, card=card, options=options)
        _summarise(run, old, new=new, card=card, breakdowns=benchmark.breakdowns)
    return _compared(old, new, rows=rows, num_graded_now=len(missing))


def _grade(
    rows: Sequence[Rollout],
    target: EvaluationDir,
    *,
    benchmark: Benchmark,
    card: Mapping[str, Any],
    options: RegradeOptions,
) -> None:
    """Commit the rows with their new grades."""
    tests, num_choices = _from_data(benchmark, options)
    submissions = [_submission(row, benchmark=benchmark, num_choices=num_choices) for row in rows]
    with closing(
        Grader(
            extractor=card["extractor"],
            second=card.get(SECOND_EXTRACTOR),
            num_workers=options.num_workers,
            deadline_s=options.deadline_s,
            tests=tests,
            allow_weak_isolation=options.allow_weak_isolation,
        )
    ) as grader:
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = slice(start, start + _BATCH_ROWS)
            pairs = zip(rows[batch], grader.grade(submissions[batch]), strict=True)
            target.append([regraded(row, grade, grader_version=card["grader_version"]) for row, grade in pairs])


def regraded(row: Rollout, grade: Grade, *, grader_version: str) -> Rollout:
    """The row with another grade; the previous one is kept in its `extra`."""
    before = {
        "grader_version": row.grader_version,
        "extracted": row.extracted,
        "verdict": row.verdict,
        "why": row.why,
    }
    return replace(
        row,
        grader_version=grader_version,
        extra={**row.extra, **grade.extra, GRADED_BEFORE: before},
        **grade.columns(),
    )


def _write_or_check_identity(
    new: EvaluationDir, protocol: Mapping[str, Any], *, card: Mapping[str, Any], old: EvaluationDir
) -> None:
    """Write the new folder's protocol.json with its origin, or check that it has the same model and seed."""
    if not new.protocol_path.exists():
        origin = {"fingerprint": new.fingerprint, "regraded_from": old.fingerprint, "card": dict(card)}
        write_text(new.protocol_path, to_json({**protocol, **origin}))
        return
    found = read_json(new.protocol_path)
    if any(found.get(key) != protocol.get(key) for key in ("model_digest", "seed")):
        raise RunDirError(
            f"{new.path}: holds samples of another model or seed than {old.path.name}, which was to be graded again "
            f"there. They are never mixed: move one of the two folders away."
        )


def _from_data(benchmark: Benchmark, options: RegradeOptions) -> tuple[Mapping[str, PackedTests], Mapping[str, int]]:
    """(tests of programs, number of options of each question), which rows do not contain."""
    if benchmark.kind not in ("code", "choice"):
        return {}, {}
    loaded = load_problems(benchmark, folders=options.folders)
    return loaded.tests, {problem.problem_id: problem.num_choices for problem in loaded.problems}


def _submission(row: Rollout, *, benchmark: Benchmark, num_choices: Mapping[str, int]) -> Submission:
    if benchmark.kind == "choice" and row.problem_id not in num_choices:
        raise RunDirError(
            f"{row.problem_id}: not among the problems of {benchmark.name} that were found, which say how many options "
            f"it has; give --data-dir with the data that were asked."
        )
    return Submission(
        gold=row.gold,
        kind=benchmark.kind,
        num_choices=num_choices.get(row.problem_id, 0),
        response=row.completion,
    )


def _summarise(
    run: RunDir, old: EvaluationDir, *, new: EvaluationDir, card: Mapping[str, Any], breakdowns: Sequence[str]
) -> None:
    """Write the new summary where the old evaluation has one: an unfinished one has no figures."""
    result = old.result()
    if result is None:
        return
    summary = summary_of(new, new.keys(), breakdowns=breakdowns)
    new.write_result(
        replace(
            result,
            run=str(run.path),
            fingerprint=new.fingerprint,
            protocol=card,
            summary=summary,
            num_generated_now=0,
        )
    )


def _compared(
    old: EvaluationDir, new: EvaluationDir, *, rows: Sequence[Rollout], num_graded_now: int
) -> RegradedEvaluation:
    table = new.read(["problem_id", "sample_index", "verdict"]).to_pylist()
    verdicts = {(row["problem_id"], row["sample_index"]): row["verdict"] for row in table}
    changes = Counter((row.verdict, verdicts[row.key]) for row in rows if row.verdict != verdicts[row.key])
    num_samples = max(len(rows), 1)
    return RegradedEvaluation(
        benchmark=new.benchmark,
        step=new.step,
        old=old.path.name,
        new=new.path.name,
        num_samples=len(rows),
        num_graded_now=num_graded_now,
        changes=dict(changes.most_common()),
        accuracy_old=sum(row.verdict == "correct" for row in rows) / num_samples,
        accuracy_new=sum(verdicts[row.key] == "correct" for row in rows) / num_samples,
    )
