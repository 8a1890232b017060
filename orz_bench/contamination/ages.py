"""Which benchmarks are older than a model's data: a score on those may be memory instead of reasoning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.dates import Age, PublicDates
from orz_bench.benchmarks.registry import added_benchmarks, all_benchmarks, get_benchmark
from orz_bench.errors import OrzError
from orz_bench.records.summary import EvalResult
from orz_bench.results.breakdown_tables import BreakdownTable
from orz_bench.results.model_data import ModelData, data_of, given_data

_SINCE = re.compile(r"since (\d{4}-\d\d-\d\d)")
"""Of questions chosen by date, as the protocol card has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkAge:
    """One benchmark against the data of one model."""

    benchmark: str
    public: str
    """When its questions became public, and who says so."""
    model: str
    data: str
    """Until when the model's data go, and who says so."""
    age: Age

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def age_of(dates: PublicDates | None, data: ModelData | None) -> Age:
    """How old the questions are for a model with these data. Its release bounds what it can have seen."""
    if dates is None or data is None:
        return "unknown"
    if data.until is not None:
        return dates.age(data.until)
    if data.released is not None and dates.age(data.released) == "newer":
        return "newer"
    return "unknown"


def model_data(model: str | None, *, until: date | None) -> ModelData | None:
    """What is known of a model's data, or the day that the user gives, which goes before."""
    if until is not None:
        return given_data(until)
    return data_of(model) if model else None


def ages_of(results: Sequence[EvalResult], *, until: date | None = None) -> list[BenchmarkAge]:
    """Each benchmark and model of these results once, generated benchmarks left out: their questions are on no page.

    `until`: the end of all models' data, as the user says.
    """
    known = _known()
    asked = [(one.benchmark, one.model, _dates_of(one, known)) for one in results if not _is_generated(one, known)]
    return [_age(name, model, dates=dates, until=until) for name, model, dates in dict.fromkeys(asked)]


def age_table(ages: Sequence[BenchmarkAge]) -> list[BreakdownTable]:
    """As one table of text; none without rows."""
    headings = ["benchmark", "its questions", "questions public", "model", "model's data"]
    rows = [[one.benchmark, one.age, one.public, one.model, one.data] for one in ages]
    return [BreakdownTable(title="Questions and the model's data", headings=headings, rows=rows)] if rows else []


def _age(name: str, model: str, *, dates: PublicDates | None, until: date | None) -> BenchmarkAge:
    data = model_data(model, until=until)
    return BenchmarkAge(
        benchmark=name,
        public=f"{dates.shown} ({dates.source})" if dates else "unknown",
        model=model,
        data=data.shown if data else "unknown; --data-until gives the day",
        age=age_of(dates, data),
    )


def _known() -> Mapping[str, Benchmark]:
    added, _ = added_benchmarks()
    return {**added, **all_benchmarks()}


def _plain_name(result: EvalResult) -> str:
    """Without options."""
    return result.benchmark.partition(":")[0]


def _is_generated(result: EvalResult, known: Mapping[str, Benchmark]) -> bool:
    benchmark = known.get(_plain_name(result))
    return benchmark is not None and benchmark.generate is not None


def _dates_of(result: EvalResult, known: Mapping[str, Benchmark]) -> PublicDates | None:
    """Of the questions of a result; None for lm-eval's tasks and a user's own tables."""
    benchmark = known.get(_plain_name(result))
    if benchmark is None or (dates := benchmark.dates) is None:
        return None
    with suppress(OrzError):  # options of an earlier version
        dates = get_benchmark(result.benchmark).dates or dates
    since = _SINCE.match(str(result.protocol.get("questions")))
    return replace(dates, first=max(dates.first, date.fromisoformat(since[1]))) if since else dates
