"""Suites from `--bench` to their table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import orz_bench
from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.suites.suite import get_suite
from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.suites import one_by_one, suites_of_run, tables_of
from orz_bench.records.summary import EvalResult
from orz_bench.results.html import render_html
from orz_bench.results.report import render_json, render_markdown, render_table
from orz_bench.results.suite_table import Column, suite_table
from orz_bench.terminal import as_text
from tests.support.builders import a_result, a_summary
from tests.support.command_line import orz_bench_here

MINE = """
title: My [red] suite
benchmarks:
  - {bench: arithmetic, n: 4, limit: 6}
  - {bench: arithmetic_mixed, protocol: orz-greedy, sample: 5}
"""


def options(*benchmarks: str, **changes: Any) -> EvalOptions:
    protocol_changes = ProtocolChanges(**{name: changes.pop(name) for name in ("n", "temperature") if name in changes})
    return EvalOptions(checkpoint="m", benchmarks=benchmarks, protocol_changes=protocol_changes, **changes)


def ways(*benchmarks: str, **changes: Any) -> list[tuple[Any, ...]]:
    return [
        (one.benchmarks[0], one.protocol, one.protocol_changes.n, one.sample)
        for one in one_by_one(options(*benchmarks, **changes))
    ]


def evaluated(out: Path, *benchmarks: str, **changes: Any) -> tuple[EvalResult, ...]:
    return orz_bench.evaluate("m", benchmarks=benchmarks, out=out, engine="fake", **changes).evaluations


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE, encoding="utf-8")
    return str(path)


def test_a_suite_is_its_benchmarks_each_in_its_way() -> None:
    assert ways("quick", "gsm8k") == [
        ("aime24", "orz", 4, None),
        ("math500", "orz", 4, 100),
        ("gpqa_diamond", "orz", 4, 60),
        ("gsm8k", None, None, None),
    ]


def test_what_is_given_goes_before_what_the_suite_says() -> None:
    assert ways("quick", n=2, sample=7)[1] == ("math500", "orz", 2, 7)
    assert ways("quick", protocol="r1")[1] == ("math500", "r1", None, 100)
    assert ways("quick", ids=("a",))[1] == ("math500", "orz", 4, None)


def test_n_is_for_what_is_sampled() -> None:
    """One greedy answer, or a likelihood, has no second sample; alone, the benchmark refuses n as ever."""
    found = {bench: n for bench, _, n, _ in ways("paper", n=8)}
    assert found == dict.fromkeys(("aime24", "aime25", "math500", "gpqa_diamond"), 8) | {"mmlu": None, "mmlu_pro": None}
    assert ways("mmlu", n=8) == [("mmlu", None, 8, None)]


def test_equal_ways_are_asked_once_and_two_amounts_refused(tmp_path: Path, mine: str) -> None:
    assert len(ways("quick", "quick")) == 3
    found = evaluated(tmp_path / "run", mine, "arithmetic", n=4, limit=6)
    assert [one.benchmark for one in found] == ["arithmetic", "arithmetic_mixed", "arithmetic"][:2]
    with pytest.raises(ConfigError, match="arithmetic is asked twice, with n 4 and limit 6 and with n 16"):
        evaluated(tmp_path / "run", mine, "arithmetic")


def test_an_unknown_name_is_told_of_suites(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Suites are paper, knowledge, quick \(did you mean 'quick'\?\)"):
        evaluated(tmp_path / "run", "quik")


def test_a_run_knows_its_suite_and_asks_nothing_twice(tmp_path: Path, mine: str) -> None:
    run = tmp_path / "run"
    first = evaluated(run, mine)
    assert [(one.benchmark, one.summary.n, one.summary.num_problems) for one in first] == [
        ("arithmetic", 4, 6),
        ("arithmetic_mixed", 1, 5),
    ]
    assert [one.num_generated_now for one in evaluated(run, mine)] == [0, 0]
    said: list[str] = []
    (suite,) = suites_of_run(run, notice=said.append)
    assert (suite.name, said) == (mine, [])
    Path(mine).unlink()
    assert suites_of_run(run, notice=said.append) == []
    assert "mine.yaml" in said[0]
    assert suites_of_run(tmp_path, notice=said.append) == []


def test_the_table_is_in_every_form_of_the_report(tmp_path: Path, mine: str) -> None:
    results = evaluated(tmp_path / "run", mine)
    tables = tables_of([get_suite(mine)], results)
    score = f"{100 * results[0].summary.avg_at_n:.1f} ("
    for text in (
        as_text(render_table(results, suites=tables)),
        render_markdown(results, suites=tables),
        render_html(results, suites=tables),
    ):
        assert "My [red] suite (suite " in text
        assert "first 6" in text
    (row,) = render_json(results, suites=tables)["suites"][0]["rows"]
    assert row["scores"]["arithmetic"]["differs"] == []
    assert row["scores"]["arithmetic"]["avg_at_n"] == results[0].summary.avg_at_n
    assert "suites" not in render_json(results)
    assert score[:4] in tables[0].as_text.rows[0][2]


def test_the_commands_show_it(tmp_path: Path, mine: str) -> None:
    run = tmp_path / "run"
    asked = orz_bench_here("eval", "--ckpt", "m", "--engine", "fake", "--bench", mine, "--out", run)
    shown = orz_bench_here("report", run)
    named = orz_bench_here("report", run, "--suite", "quick", "--format", "md")
    assert "My [red] suite" in asked
    assert "My [red] suite" in shown
    assert "A quick look (suite quick)" in named
    assert "My [red] suite" not in named


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": 2}, ["n 2 instead of 4"]),
        ({"limit": 3}, ["number of questions 3 instead of 6"]),
        ({"template": "plain"}, ["template plain instead of orz-code"]),
        ({"temperature": 0.5, "top_p": 0.9}, ["temperature 0.5 instead of 1.0", "top p 0.9 instead of 1.0"]),
        ({"extractor": "final"}, ["extractor final instead of orz"]),
        ({"min_p": 0.1}, ["min p 0.1 instead of none"]),
        ({"sample": 6, "seed": 7}, ["questions random 6 instead of none"]),
        ({"seed": 7}, []),
    ],
)
def test_a_score_that_was_asked_otherwise_is_marked(
    tmp_path: Path, mine: str, change: dict[str, Any], said: list[str]
) -> None:
    found = evaluated(tmp_path / "run", "arithmetic", **{"n": 4, "limit": 6} | change)
    (table,) = tables_of([get_suite(mine)], found)
    cell = table.rows[0].cells[0]
    assert sorted(cell.differences) == sorted(said)
    assert cell.text.endswith("*") == bool(said)
    assert all(any(one in note for note in table.notes) for one in said)


def test_another_seed_of_the_suites_random_questions_is_no_other_way(tmp_path: Path, mine: str) -> None:
    found = evaluated(tmp_path / "run", "arithmetic_mixed", protocol="orz-greedy", sample=5, seed=9)
    (table,) = tables_of([get_suite(mine)], found)
    assert table.rows[0].cells[1].differences == ()
    assert table.rows[0].cells[0].text == "–"


def test_published_rows_stand_source_by_source_with_their_protocols() -> None:
    columns = [Column(benchmark="aime24", n=16), Column(benchmark="mmlu", n=1)]
    table = suite_table(columns, [], name="s", title="t", source=None)
    rows = {(row.model, row.source): [cell.text for cell in row.cells] for row in table.rows}
    assert rows["ORZ-32B", "[1]"] == ["48.1", "84.9"]
    assert rows["ORZ-7B", "[3]"] == ["19.7 ± 2.9", "–"]
    assert [row.source for row in table.rows] == sorted(row.source for row in table.rows)
    assert any(note.startswith("[3] A Sober Look") and "10 seeds" in note for note in table.notes)


def test_checkpoints_are_rows_and_the_nearest_result_is_shown() -> None:
    summary = a_summary(n=16)
    results = [
        a_result(benchmark="aime24", step=10, summary=a_summary(n=2), fingerprint="a" * 12),
        a_result(benchmark="aime24", step=10, summary=summary, fingerprint="b" * 12),
        a_result(benchmark="aime24", step=20, summary=summary),
        a_result(benchmark="aime24", step=20, summary=summary, run="other"),
        a_result(benchmark="gsm8k", step=30, summary=summary),
    ]
    total = results[0].num_problems_total
    columns = [Column(benchmark="aime24", n=16, limit=summary.num_problems if summary.num_problems != total else None)]
    table = suite_table(columns, results, name="s", title="t", source=None)
    ours = [row for row in table.rows if row.is_ours]
    model = results[0].model
    assert [row.model for row in ours] == [
        f"{model}, step 10",
        f"{model}, step 20 ({results[2].run})",
        f"{model}, step 20 (other)",
    ]
    shown = ours[0].cells[0].json
    assert shown is not None
    assert shown["fingerprint"] == "b" * 12


def test_an_imported_score_says_whose_it_is() -> None:
    imported = a_result(benchmark="aime24", protocol={"imported": "verl", "judged_by": "verl"})
    assert Column(benchmark="aime24", n=16).differences(imported) == ["imported from verl"]
