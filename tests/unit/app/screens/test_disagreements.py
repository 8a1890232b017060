"""Where another tool's verdicts and ours differ: in the report, on the page Benchmarks, and behind its link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.curves.build import build_study
from analysis.reading.load import load_path
from app.runs.evaluations import Evaluated, evaluated
from app.views.disagreements import query_of, table_of
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.run_dir import RunDir
from orz_bench.results.html import render_html
from orz_bench.results.report import notes_on, render_markdown
from tests.support.foreign_files import lines
from tests.unit.app.screens.test_rollout_pages import drawn, measured, texts
from tests.unit.app.screens.test_screens import _opened

RIGHT, WRONG = r"So it is \boxed{4}.", r"So it is \boxed{5}."


def _row(number: int, text: str, *, correct: bool) -> dict[str, Any]:
    return {"question": f"What is {number} + 4 - {number}?", "answer": "4", "response": text, "correct": correct}


ROWS = [
    _row(1, RIGHT, correct=True),
    _row(2, RIGHT, correct=False),
    _row(3, RIGHT, correct=False),
    _row(4, WRONG, correct=True),
    _row(5, WRONG, correct=False),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    path = lines(folder.parent / "sums.jsonl", ROWS)
    list(import_files([path], folder / "theirs", options=ImportOptions(grade=True)))
    measured(RunDir(folder / "theirs"))
    return folder


def _only(folder: Path) -> Evaluated:
    (one,) = evaluated([build_study(load_path(folder / "theirs")[0])])
    return one


def test_reports_have_the_table(folder: Path) -> None:
    results = [_only(folder).result]
    assert results[0].summary.disagreements == {"wrong": {"correct": 2}, "correct": {"wrong": 1}}
    assert "60.0 by final, our grader; 3 verdicts of 5 differ" in notes_on(results)[0]
    assert "| sums | 0 | wrong | correct | 2 | 5 |" in render_markdown(results)
    assert "<td>wrong</td><td>correct</td><td>2</td><td>5</td>" in render_html(results)


def test_the_page_benchmarks_has_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _opened(monkeypatch, folder, "benchmarks", run=["theirs"])
    assert not page.exception
    shown = [one.value for one in page.dataframe if "by our grader" in one.value.columns]
    assert [table[["by the other tool", "by our grader", "samples"]].to_numpy().tolist() for table in shown] == [
        [["wrong", "correct", 2], ["correct", "wrong", 1]]
    ]
    assert table_of([_only(folder)]).equals(shown[0])


def test_the_link_leads_to_these_responses(folder: Path) -> None:
    query = query_of(_only(folder))
    assert query["run"] == ["theirs"]
    page = drawn(folder, "suspicious", **query)
    assert "**3** rollouts" in texts(page)


def test_agreement_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lines(tmp_path / "sums.jsonl", [ROWS[0], ROWS[4]])
    list(import_files([path], tmp_path / "runs" / "theirs", options=ImportOptions(grade=True)))
    result = _only(tmp_path / "runs").result
    assert "disagreements" not in result.summary.to_json()
    assert "no verdict differs" in notes_on([result])[0]
    page = _opened(monkeypatch, tmp_path / "runs", "benchmarks", run=["theirs"])
    assert not [one for one in page.dataframe if "by our grader" in one.value.columns]
