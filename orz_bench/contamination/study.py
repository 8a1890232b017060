"""From a benchmark's questions and a model to what it knows by heart; two benchmarks are compared by a test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from orz_bench.benchmarks.loading.load import LoadedProblems
from orz_bench.contamination.asking import Asker, ContaminationSettings
from orz_bench.engines.asked_model import AskedModel
from orz_bench.errors import ConfigError, counted
from orz_bench.grading.grader import Grader
from orz_bench.probing.first_right import is_a_value
from orz_bench.records.carded_rows import CardedRows
from orz_bench.records.contamination import (
    FOLDER,
    Answered,
    Completed,
    Contamination,
    KnownQuestions,
    OldAgainstFresh,
    write_test,
)
from orz_bench.records.rollout import Problem
from orz_bench.records.thoughts import Share
from orz_bench.results.statistics import value_band

BATCH = 32
"""Questions that are asked together, and stored before the next ones."""
LEAST_QUESTIONS = 10
"""Of each of two benchmarks that are compared."""
PERMUTATIONS = 9_999
Row = Mapping[str, Any]


class Observer(Protocol):
    """Receives progress events."""

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """A benchmark begins."""
        ...

    def committed(self, num_questions: int, /) -> None:
        """A batch was stored."""
        ...


def contamination_of(
    old: Sequence[LoadedProblems],
    fresh: Sequence[LoadedProblems],
    *,
    model: AskedModel,
    settings: ContaminationSettings,
    folder: Path,
    observer: Observer,
) -> Contamination:
    """Ask about every benchmark, and keep what is found and the tests in the run directory `folder`."""
    found = [
        known_questions(
            one.problems, model=model, settings=settings, folder=folder, data_hash=one.data_hash, observer=observer
        )
        for one in (*old, *fresh)
    ]
    tests = []
    for known, rows in found[: len(old)]:
        for other, others in found[len(old) :]:
            tests.append(old_against_fresh(known, other))
            write_test(rows, others, test=tests[-1])
    return Contamination(path=folder, benchmarks=tuple(known for known, _ in found), against_fresh=tuple(tests))


def known_questions(
    problems: Sequence[Problem],
    *,
    model: AskedModel,
    settings: ContaminationSettings,
    folder: Path,
    data_hash: str,
    observer: Observer,
) -> tuple[KnownQuestions, CardedRows]:
    """What the model knows of these questions, and the folder with its rows; those stored are not asked again."""
    benchmark = problems[0].benchmark
    card = settings.card() | model.card | {"benchmark": benchmark, "data": data_hash}
    rows_of = CardedRows.under(folder / FOLDER / _file_name(benchmark), card)
    others = _golds_of_others(problems)
    with rows_of.writing(card | {"name": model.identity.label}):
        stored = {row["problem_id"]: row for row in rows_of.rows()}
        missing = [problem for problem in problems if problem.problem_id not in stored]
        observer.started(benchmark, num_wanted=len(problems), num_missing=len(missing))
        with Grader(extractor=settings.extractor) as grader:
            asker = Asker(model, settings, grader)
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                rows = _asked(asker, batch, others=others)
                rows_of.append(rows)
                stored |= {str(row["problem_id"]): row for row in rows}
                observer.committed(len(batch))
        found = summarised([stored[problem.problem_id] for problem in problems], benchmark=benchmark)
        rows_of.write_summary(found.to_json())
    return found, rows_of


def _asked(asker: Asker, batch: Sequence[Problem], *, others: Mapping[str, str]) -> list[dict[str, Any]]:
    completions = asker.completions(batch)
    answerable = [problem for problem in batch if is_a_value(problem.gold) and problem.kind in ("math", "choice")]
    answers = dict(
        zip(
            (problem.problem_id for problem in answerable),
            asker.answers(answerable, others=others) if answerable else [],
            strict=True,
        )
    )
    return [
        {
            "problem_id": problem.problem_id,
            "completions": completed,
            "answers": answers.get(problem.problem_id, []),
        }
        for problem, completed in zip(batch, completions, strict=True)
    ]


def summarised(rows: Sequence[Row], *, benchmark: str) -> KnownQuestions:
    """What follows from the rows."""
    shares = sorted({one["share"] for row in rows for one in row["completions"]})
    asked = sorted({one["share"] for row in rows for one in row["answers"]})
    completed = [row for row in rows if row["completions"]]
    return KnownQuestions(
        benchmark=benchmark,
        num_questions=len(rows),
        num_without=sum(not row["completions"] or not row["answers"] for row in rows),
        completions=tuple(
            Completed(
                share=share,
                num=len(chosen),
                exact=_share([float(one["exact"]) for one in chosen]),
                rouge_l=_share([one["rouge_l"] for one in chosen]),
            )
            for share in shares
            for chosen in [[one for row in rows for one in row["completions"] if one["share"] == share]]
        ),
        answers=tuple(
            Answered(
                share=share,
                num=len(chosen),
                right=_share([float(one["right"]) for one in chosen]),
                by_chance=_share(known) if known else None,
            )
            for share in asked
            for chosen in [[one for row in rows for one in row["answers"] if one["share"] == share]]
            for known in [[float(one["chance"]) for one in chosen if one["chance"] is not None]]
        ),
        scores=tuple(
            (
                row["problem_id"],
                float(np.mean([one["rouge_l"] for one in row["completions"]])),
                float(np.mean([one["exact"] for one in row["completions"]])),
            )
            for row in completed
        ),
    )


def old_against_fresh(old: KnownQuestions, fresh: KnownQuestions) -> OldAgainstFresh:
    """Compare two benchmarks of questions of one kind. ConfigError for fewer than ten questions of one."""
    for one in (old, fresh):
        if len(one.scores) < LEAST_QUESTIONS:
            raise ConfigError(
                f"{one.benchmark}: {counted(len(one.scores), 'question')} can be completed, wanted at least "
                f"{LEAST_QUESTIONS} for a comparison; raise --limit, or choose a larger benchmark."
            )
    rouge = [np.array([score for _, score, _ in one.scores]) for one in (old, fresh)]
    exact = [np.array([score for _, _, score in one.scores]) for one in (old, fresh)]
    difference = float(rouge[0].mean() - rouge[1].mean())
    error = math.sqrt(sum(float(scores.var(ddof=1)) / len(scores) for scores in rouge))
    return OldAgainstFresh(
        old=old.benchmark,
        fresh=fresh.benchmark,
        num_old=len(rouge[0]),
        num_fresh=len(rouge[1]),
        difference=difference,
        low=difference - 1.96 * error,
        high=difference + 1.96 * error,
        p_value=permutation_p(*rouge),
        exact_old=float(exact[0].mean()),
        exact_fresh=float(exact[1].mean()),
        p_exact=permutation_p(*exact),
    )


def permutation_p(a: Any, b: Any) -> float:
    """P(a difference of means as large, or larger, if all items were exchangeable), one-sided; at least 1 / 10,000."""
    rng = np.random.default_rng(0)
    both = np.r_[a, b]
    seen = float(np.mean(a) - np.mean(b))
    tiny = 1e-12 * max(1.0, float(np.abs(both).max()))
    larger = 0
    for start in range(0, PERMUTATIONS, 1000):
        num = min(1000, PERMUTATIONS - start)
        order = rng.permuted(np.tile(both, (num, 1)), axis=1)
        found = order[:, : len(a)].mean(axis=1) - order[:, len(a) :].mean(axis=1)
        larger += int((found >= seen - tiny).sum())
    return (larger + 1) / (PERMUTATIONS + 1)


def _golds_of_others(problems: Sequence[Problem]) -> dict[str, str]:
    """For each question the gold of the next one that has another."""
    found = {}
    for at, problem in enumerate(problems):
        following: Callable[[int], str] = lambda step, at=at: problems[(at + step) % len(problems)].gold  # type: ignore[misc]  # noqa: E731
        other = next((gold for step in range(1, len(problems)) if (gold := following(step)) != problem.gold), None)
        if other is not None:
            found[problem.problem_id] = other
    return found


def _share(values: Sequence[float]) -> Share:
    band = value_band(values)
    return Share(value=float(np.mean(values)), low=band.low if band else None, high=band.high if band else None)


def _file_name(benchmark: str) -> str:
    """The benchmark's name as that of a folder; a table's address is shortened by its hash."""
    if all(letter.isalnum() or letter in "_-." for letter in benchmark) and benchmark.strip("."):
        return benchmark
    return "table-" + hashlib.sha256(benchmark.encode()).hexdigest()[:12]
