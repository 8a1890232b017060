"""When questions became public: what --since leaves, and which benchmarks are older than a model's data."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orz_bench.benchmarks.dates import Age, collected, on, parse_day
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import all_benchmarks, get_benchmark
from orz_bench.contamination.ages import age_of, ages_of
from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.questions import Selection
from orz_bench.evaluation.since import only_recent
from orz_bench.results.model_data import ModelData, data_of, given_data
from tests.support.builders import a_result
from tests.support.fresh_datasets import write_dataset

SPRING = on(date(2025, 2, 6), "days of the exams", last=date(2025, 2, 12))
EXAMS = collected(date(2025, 2, 20), "a paper")


@pytest.mark.parametrize(
    ("until", "spring", "exams"),
    [
        (date(2025, 2, 5), "newer", "unknown"),
        (date(2025, 2, 6), "partly older", "unknown"),
        (date(2025, 2, 12), "older", "unknown"),
        (date(2025, 2, 20), "older", "older"),
    ],
)
def test_the_age_of_questions(until: date, spring: Age, exams: Age) -> None:
    """What was collected from older material is never called newer."""
    assert (SPRING.age(until), EXAMS.age(until)) == (spring, exams)


def test_a_release_bounds_what_a_model_can_have_seen() -> None:
    released = ModelData(until=None, released=date(2025, 2, 1), source="blog")
    assert age_of(SPRING, released) == "newer"
    assert age_of(SPRING, ModelData(until=None, released=date(2025, 2, 6), source="blog")) == "unknown"
    assert age_of(EXAMS, released) == "unknown"
    assert age_of(None, released) == age_of(SPRING, None) == "unknown"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025-02-06", date(2025, 2, 6), date(2025, 2, 6)),
        ("2025-02", date(2025, 2, 1), date(2025, 2, 28)),
        ("2024-12", date(2024, 12, 1), date(2024, 12, 31)),
    ],
)
def test_days_and_months(text: str, first: date, last: date) -> None:
    assert parse_day(text, "--since") == first
    assert parse_day(text, "--data-until", is_end=True) == last


@pytest.mark.parametrize("text", ["2025", "2025-13", "yesterday", "2025-02-30", ""])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--since .*: not a day; wanted one such as 2025-02-06"):
        parse_day(text, "--since")


@pytest.mark.parametrize("name", all_benchmarks())
def test_every_benchmark_with_a_dataset_has_dates_with_a_source(name: str) -> None:
    benchmark = get_benchmark(name)
    assert (benchmark.dates is None) == (benchmark.hub is None)
    if benchmark.dates is not None:
        assert benchmark.dates.first <= benchmark.dates.last
        assert benchmark.dates.source


def test_questions_of_livecodebench_are_chosen_by_their_own_dates(tmp_path: Path) -> None:
    write_dataset(tmp_path, "livecodebench:release_v6")
    benchmark = get_benchmark("livecodebench:release_v6")
    found = load_problems(benchmark, folders=[tmp_path], cache=tmp_path / "cache")
    selection = Selection(since=date(2025, 3, 1)).of(benchmark.dates)
    chosen = selection.select(found).problems
    assert 0 < len(chosen) < len(found.problems)
    assert {problem.extra["month"] for problem in chosen} == {"2025-03", "2025-04"}
    assert selection.describe() == "since 2025-03-01"
    assert (
        Selection(since=date(2025, 3, 1), sample=5).of(benchmark.dates).describe()
        == "since 2025-03-01, random 5, seed 42"
    )
    assert Selection(since=date(2023, 1, 1)).of(benchmark.dates).describe() is None, "no question is older"
    assert Selection(since=date(2025, 3, 1)).of(SPRING).describe() is None, "all or none of it"
    with pytest.raises(ConfigError, match="the newest of these questions is of 2025-04-15"):
        Selection(since=date(2025, 4, 20)).of(benchmark.dates).select(found)


def recent(*names: str, since: str | None) -> tuple[list[str], list[str]]:
    day, said = parse_day(since, "--since"), list[str]()
    single = [EvalOptions(checkpoint="x", benchmarks=(name,), since=day) for name in names]
    return [one.benchmarks[0] for one in only_recent(single, notice=said.append)], said


def test_only_benchmarks_of_that_day_or_later_are_asked() -> None:
    names = ("aime25", "hmmt_feb26", "supergpqa", "arithmetic", "my.jsonl", "lm-eval:gsm8k", "livecodebench:release_v6")
    kept, said = recent(*names, since="2025-03-01")
    assert kept == ["hmmt_feb26", "livecodebench:release_v6"]
    assert said == [
        "left out by --since: aime25: its questions are public since 2025-02-06",
        "left out by --since: supergpqa: its questions were collected from older material (published 2025-02-20)",
        "left out by --since: arithmetic: no date of its questions is known",
        "left out by --since: my.jsonl: no date of its questions is known",
        "left out by --since: lm-eval:gsm8k: no date of its questions is known",
    ]
    assert recent(*names, since=None) == (list(names), [])
    assert recent("aime25", since="2025-02-06")[0] == ["aime25"]


def test_a_day_may_be_a_text_from_python() -> None:
    assert EvalOptions(checkpoint="x", since="2025-03").since == date(2025, 3, 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="--since soon: not a day"):
        EvalOptions(checkpoint="x", since="soon")  # type: ignore[arg-type]


def test_nothing_left_names_what_there_is() -> None:
    with pytest.raises(
        ConfigError, match=r"leaves no benchmark \(aime24: its .*\)\. Name another day, or one of aime26, h"
    ):
        recent("aime24", since="2026-01-01")
    with pytest.raises(ConfigError, match=r"release_v6: its newest question is of 2025-04-30"):
        recent("livecodebench:release_v6", since="2025-05-01")
    with pytest.raises(ConfigError, match="or one of your own"):
        recent("aime26", since="2030-01-01")


@pytest.mark.parametrize(
    ("model", "until", "released"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", date(2023, 12, 31), date(2024, 7, 23)),
        ("Qwen/Qwen2.5-7B", None, date(2024, 9, 19)),
        ("/data/models/Qwen2.5-7B", None, date(2024, 9, 19)),
        ("cache/hub/models--Qwen--Qwen2.5-7B/snapshots/0", None, date(2024, 9, 19)),
    ],
)
def test_the_data_of_known_models(model: str, until: date | None, released: date) -> None:
    found = data_of(model)
    assert found is not None
    assert (found.until, found.released) == (until, released)
    assert found.source in found.shown


@pytest.mark.parametrize(
    "model", ["someone/Qwen2.5-7B", "Qwen/Qwen2.5-7B-tuned", "runs/demo/checkpoints/step=9", "", "x"]
)
def test_other_models_are_unknown(model: str) -> None:
    assert data_of(model) is None


def test_the_table_says_what_is_older_and_what_is_unknown() -> None:
    def result(benchmark: str, model: str) -> Any:
        return a_result(benchmark=benchmark, model=model)

    rows = ages_of(
        [
            result("aime24", "microsoft/phi-4"),
            result("hmmt_feb26", "microsoft/phi-4"),
            result("hmmt_feb26", "Qwen/Qwen2.5-7B"),
            result("aime24", "Qwen/Qwen2.5-7B"),
            result("aime24", "my-run"),
            result("lm-eval:gsm8k", "microsoft/phi-4"),
            result("arithmetic", "microsoft/phi-4"),
            result("livecodebench:release_v6:2025-01-01..", "microsoft/phi-4"),
        ]
    )
    assert [one.age for one in rows] == ["older", "newer", "newer", "unknown", "unknown", "unknown", "newer"]
    assert rows[4].data == "unknown; --data-until gives the day"
    assert rows[5].public == "unknown"
    recent_only = a_result(
        benchmark="livecodebench:release_v6", protocol={"questions": "since 2025-03-01, random 5, seed 1"}
    )
    (chosen,) = ages_of([recent_only], until=date(2025, 2, 28))
    assert (chosen.age, chosen.public[:24]) == ("newer", "2025-03-01 to 2025-04-30")
    (given,) = ages_of([result("aime24", "my-run")], until=date(2024, 6, 30))
    assert (given.age, given.data) == ("older", f"until 2024-06-30 ({given_data(date(2024, 6, 30)).source})")
