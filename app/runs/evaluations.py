"""The data of the page Benchmarks: finished evaluations, their curves, comparisons, and breakdowns by part.

Reads only what is needed: summaries for tables and curves, problem ids and verdicts for a comparison.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from analysis.curves.study import Study
from analysis.reading.run_rollouts import PartRollouts
from orz_bench.errors import DataError, OrzError
from orz_bench.records.intervals import Interval, percent_spread
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.results.baselines import baselines_for
from orz_bench.results.breakdown import natural_order
from orz_bench.results.comparison import Comparison, compare
from orz_bench.results.statistics import average, question_band, question_error

MAX_PARTS = 60
"""A field of `extra` with more values is not offered for a breakdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A finished evaluation of a run in the runs folder."""

    run: str
    path: Path
    """Folder of the run."""
    result: EvalResult

    @property
    def name(self) -> str:
        """`run@step~protocol`: the name in addresses."""
        return f"{self.run}@{self.result.step}~{self.result.fingerprint}"


def evaluated(studies: Sequence[Study]) -> list[Evaluated]:
    """All finished evaluations, by run in the given order, benchmark and step."""
    return [
        Evaluated(run=study.run.name, path=study.run.path, result=result)
        for study in studies
        for result in sorted(study.run.results, key=lambda one: (one.benchmark, one.step, one.fingerprint))
        if result.is_scored
    ]


def num_unfinished(studies: Sequence[Study], benchmark: str) -> int:
    """Number of evaluations of the benchmark that have not been finished, and have no score."""
    return sum(one.result is None and one.benchmark == benchmark for study in studies for one in study.run.evaluations)


def without_scores(studies: Sequence[Study]) -> str:
    """What these runs have instead of a finished evaluation, and what gives them one."""
    found = [
        (one.benchmark, one.step, is_imported(study))
        for study in studies
        for one in study.run.evaluations
        if one.result is None or not one.result.is_scored
    ]
    imported = any(is_ours for *_, is_ours in found) or all(map(is_imported, studies))
    how = (
        "`orz-bench import FILES --grade --out RUN` grades an import with our grader."
        if imported
        else "`orz-bench eval --ckpt RUN` evaluates all checkpoints of a training run, and resumes."
    )
    if not found:
        return f"No evaluation. {how}"
    names = ", ".join(dict.fromkeys(name for name, *_ in found))
    return f"No score yet: {names} (samples without a verdict, or not finished). {how}"


def is_imported(study: Study) -> bool:
    """Whether the run comes from files of another tool."""
    try:
        return bool(RunDir(study.run.path).info().get("imported"))
    except OrzError:
        return False


def benchmark_names(found: Sequence[Evaluated]) -> list[str]:
    """Benchmarks with results, by name."""
    return sorted({one.result.benchmark for one in found})


def most_evaluated(found: Sequence[Evaluated]) -> str:
    """The benchmark with most evaluations; of several the first by name."""
    counts = Counter(one.result.benchmark for one in found)
    return max(sorted(counts), key=counts.__getitem__)


def result_rows(found: Sequence[Evaluated], benchmark: str) -> pd.DataFrame:
    """One row per evaluation of the benchmark, newest step of each run first, then published results; in percent."""
    rows = [_result_row(one) for one in reversed(found) if one.result.benchmark == benchmark]
    names = list(dict.fromkeys(one.run for one in found))
    rows.sort(key=lambda row: names.index(row["model"]))
    published = [
        {
            "model": one.model,
            "accuracy": one.percent,
            "question": None if one.plus_minus is None else f"± {one.plus_minus:g} (from its source)",
            "source": f"{one.source}; {one.protocol}",
        }
        for one in sorted(baselines_for(benchmark), key=lambda one: -one.percent)
    ]
    return pd.DataFrame([*rows, *published], columns=list(RESULT_COLUMNS))


RESULT_COLUMNS = (
    "model", "step", "accuracy", "question", "sampling", "pass", "majority", "n", "questions", "extracted",
    "second", "cut", "tokens", "protocol", "source",
)  # fmt: skip


def _result_row(one: Evaluated) -> dict[str, Any]:
    summary = one.result.summary
    return {
        "model": one.run,
        "step": one.result.step,
        "accuracy": 100 * summary.avg_at_n,
        "question": percent_spread(summary.avg_at_n, summary.question) if summary.question else None,
        "sampling": percent_spread(summary.avg_at_n, summary.sampling) if summary.sampling else None,
        "pass": 100 * summary.pass_at[max(summary.pass_at, key=int)] if summary.pass_at else None,
        "majority": _percent(summary.maj_at_n),
        "n": summary.n,
        "questions": summary.num_problems,
        "extracted": _percent(summary.extraction_rate),
        "second": _percent(summary.accuracy_second_extractor),
        "cut": _percent(summary.clip_rate),
        "tokens": summary.mean_tokens,
        "protocol": one.result.fingerprint,
        "source": _source(one),
    }


def _source(one: Evaluated) -> str:
    """Whose verdicts the score counts."""
    tool = one.result.protocol.get("imported")
    return f"imported from {tool}, judged by {one.result.protocol.get('judged_by')}" if tool else "this run"


def _percent(share: float | None) -> float | None:
    """None for what an imported file does not say."""
    return None if share is None else 100 * share


def score_curves(found: Sequence[Evaluated], benchmark: str) -> pd.DataFrame:
    """Columns run, step, accuracy, low, high, inner_low, inner_high, n, protocol: percent, one row per evaluation.

    The outer band is the 95 % interval over questions, the inner one that of sampling; NaN if unknown.
    """
    rows = [_curve_row(one) for one in found if one.result.benchmark == benchmark]
    columns = ["run", "step", "accuracy", "low", "high", "inner_low", "inner_high", "n", "protocol"]
    return pd.DataFrame(rows, columns=columns)


def _curve_row(one: Evaluated) -> dict[str, Any]:
    summary = one.result.summary
    low, high = _band(summary.question)
    inner_low, inner_high = _band(summary.sampling)
    bands = {"low": low, "high": high, "inner_low": inner_low, "inner_high": inner_high}
    head = {"run": one.run, "step": one.result.step, "accuracy": 100 * summary.avg_at_n}
    return head | bands | {"n": summary.n, "protocol": one.result.fingerprint}


def _band(found: Interval | None) -> tuple[float, float]:
    return (np.nan, np.nan) if found is None else (100 * found.low, 100 * found.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two evaluations compared question by question."""

    comparison: Comparison
    differing: tuple[str, ...]
    """Fields in which the protocols differ, `name: a / b`; empty if the results are directly comparable."""


Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of each part: what is computed from them changes only with these."""


def stamp(one: Evaluated) -> Stamp:
    """The stamp of the evaluation's parts."""
    found = [(path.name, path.stat()) for path in part_files(_folder(one).path) if path.exists()]
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in found)


def num_lost(one: Evaluated) -> int:
    """Number of samples that the summary counts and no readable part holds. Reads no samples.

    An evaluation with lost samples is incomplete: its score, from the summary, is that of all of them; what is computed
    from samples is not comparable with others.
    """
    held = PartRollouts.in_folders([_folder(one).path]).num_rows()
    return max(int(one.result.summary.num_samples - held), 0)


def paired(a: Evaluated, b: Evaluated) -> Paired:
    """B compared with A. ConfigError if they share no question."""
    found = compare(outcomes(a), outcomes(b))
    return Paired(comparison=found, differing=differing(a.result.protocol, b.result.protocol))


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields in which two protocols differ, `name: a / b`."""
    return tuple(f"{key}: {a.get(key)} / {b.get(key)}" for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key))


def protocol_card(run: Path, benchmark: str, *, step: int, fingerprint: str) -> Mapping[str, Any]:
    """The protocol of an evaluation; what is known of it where the file cannot be read."""
    folder = RunDir(run).evaluation(benchmark=benchmark, step=step, fingerprint=fingerprint)
    try:
        found = json.loads(folder.protocol_path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    card = found.get("card", found) if isinstance(found, dict) else None  # beside it are the model and its seed
    return card if isinstance(card, dict) and card else {"protocol": fingerprint}


def comparable(here: Sequence[Evaluated]) -> list[Evaluated]:
    """What is compared at first: the first and last evaluation of a single run, or the last one of each of several.

    Of one protocol, as far as there are such: that of most evaluations, or of most runs.
    """
    runs = list(dict.fromkeys(one.run for one in here))
    having = Counter(name for name, _ in dict.fromkeys((one.result.fingerprint, one.run) for one in here))
    if len(runs) == 1:
        having = Counter(one.result.fingerprint for one in here)
    best = max(having.values(), default=0)
    protocol = next((one.result.fingerprint for one in reversed(here) if having[one.result.fingerprint] == best), "")
    if len(runs) > 1:
        return [max((one for one in here if one.run == run), key=lambda one: _rank(one, protocol)) for run in runs]
    alike = [one for one in here if one.result.fingerprint == protocol]
    chosen = alike if len(alike) > 1 else here
    return [chosen[0], chosen[-1]] if len(chosen) > 1 else list(chosen)


def _rank(one: Evaluated, protocol: str) -> tuple[bool, int]:
    return one.result.fingerprint == protocol, one.result.step


def outcomes(one: Evaluated) -> dict[str, list[bool]]:
    """By problem id: whether each sample is correct, correct ones first. DataError if no part can be read.

    A question that has lost samples is left out.
    """
    query = "select problem_id, count(*) filter (verdict = 'correct'), count(*) from samples group by 1 order by 1"
    n = one.result.summary.n
    return {
        problem: [True] * right + [False] * (total - right)
        for problem, right, total in _fetch(one, query)
        if total >= n
    }


_OF_ANSWERS = ("our_", "imported_", "second_before_ours")


def part_fields(one: Evaluated) -> list[str]:
    """Fields of `extra` that divide the questions into at most MAX_PARTS groups of at least two on average.

    What differs between samples of a question is of the answers, not of the questions; so is what our grader notes.
    """
    values: dict[str, list[str]] = {}
    of_answers: set[str] = set()
    for (texts,) in _fetch(one, "select list(distinct extra) from samples group by problem_id"):
        first, *others = map(_extra, texts)
        of_answers.update(name for name, value in first.items() if any(other.get(name) != value for other in others))
        for name, value in first.items():
            if isinstance(value, str | int) and not isinstance(value, bool) and not name.startswith(_OF_ANSWERS):
                values.setdefault(name, []).append(str(value))
    return sorted(
        name
        for name, found in values.items()
        if name not in of_answers and 1 < len(set(found)) <= min(MAX_PARTS, len(found) / 2)
    )


def parts(one: Evaluated, field: str) -> pd.DataFrame:
    """Columns part, accuracy, error, low, high, questions, samples: percent by value of a field of `extra`.

    `–` for none. low to high: the 95 % interval over questions; error: the standard error; NaN for a part of one
    question.
    """
    rows = _fetch(
        one,
        "select any_value(extra), count(*) filter (verdict = 'correct'), count(*) from samples group by problem_id",
    )
    groups: dict[str, list[tuple[int, int]]] = {}
    for extra, right, total in rows:
        if total >= one.result.summary.n:
            groups.setdefault(str(_extra(extra).get(field, "–")), []).append((right, total))
    columns = ["part", "accuracy", "error", "low", "high", "questions", "samples"]
    return pd.DataFrame([_part_row(name, groups[name]) for name in sorted(groups, key=natural_order)], columns=columns)


def _part_row(name: str, counts: Sequence[tuple[int, int]]) -> tuple[Any, ...]:
    outcomes = [[True] * right + [False] * (total - right) for right, total in counts]
    low, high = _band(question_band(outcomes))
    error = question_error(outcomes)
    return (
        name,
        100 * average(outcomes),
        np.nan if error is None else 100 * error,
        low,
        high,
        len(outcomes),
        sum(map(len, outcomes)),
    )


def _extra(text: str | None) -> Mapping[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _folder(one: Evaluated) -> EvaluationDir:
    result = one.result
    return RunDir(one.path).evaluation(benchmark=result.benchmark, step=result.step, fingerprint=result.fingerprint)


@contextlib.contextmanager
def _damage_is_ours(folder: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{folder}: a part is damaged ({reason}); restore the samples, or evaluate again.") from error


def _fetch(one: Evaluated, query: str) -> list[tuple[Any, ...]]:
    directory = _folder(one)
    files = PartRollouts.in_folders([directory.path]).paths
    if not files:
        raise DataError(f"{directory.path}: no readable part; restore the samples, or evaluate again.")
    with duckdb.connect() as database, _damage_is_ours(directory.path):
        samples = database.read_parquet([str(path) for path in files], hive_partitioning=False)
        found = samples.query("samples", query)
        assert found is not None, "every query here is a select"
        return found.fetchall()
