"""The page Findings: stored results, those that are computed on request, commands where there is nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analysis.report.analyses import ANALYSES
from orz_bench.probing.thought_use import thought_use
from orz_bench.records.thoughts import NAME, write_thought_use
from tests.support.analysed import add_contamination, analysed
from tests.support.runs import a_run, add_evaluation
from tests.unit.app.screens.test_screens import _opened, _texts

SLOW = ("boundary", "forecast", "tokens", "weights")
NOTHING = "– Nothing is stored in this run yet: the command computes it."
HOSTILE = "<img src=x onerror=window.hit=1> ![x](http:x) $x$"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with results of every command, and one with none."""
    folder = tmp_path_factory.mktemp("runs")
    analysed(folder / "whole")
    a_run(folder / "bare", num_steps=2)
    return folder


def _commands(page: AppTest) -> list[str]:
    return [str(one.value) for one in page.code]


def _computed(page: AppTest) -> list[str]:
    return [str(one.key).removeprefix("findings:") for one in page.button if str(one.key).startswith("findings:")]


def test_what_is_stored_is_shown_with_its_numbers(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    page = _opened(monkeypatch, runs, "findings", run=["whole"])
    assert not page.exception
    assert not page.error
    shown = _texts(page)
    for text in (
        "A right response first concludes its answer after",
        "It is right in 10.0 % (5.0 % to 20.0 %) without its thought and in 90.0 % (80.0 % to 95.0 %) with the whole",
        "Yes, in part: its questions are completed better than fresh ones",
        "ROUGE-L +60.0 points (95 % interval +50.0 to +70.0)",
        "reflection (a reflection word",
    ):
        assert text in shown
    table = next(one.value for one in page.dataframe if "part of the question" in one.value)
    assert list(table["ROUGE-L"])[1] in ("90.0 % (80.0 % to 95.0 %)", "10.0 % (5.0 % to 20.0 %)")
    assert len(page.get("image")) == 4, "a figure each"
    assert _computed(page) == ["values", *SLOW]
    assert len(_commands(page)) == len(ANALYSES)
    assert f"orz-bench probe {runs / 'whole'}" in _commands(page)


def test_what_takes_time_is_computed_on_request(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    page = _opened(monkeypatch, runs, "findings", run=["whole"])
    page.button(key="findings:weights").click().run()
    assert page.query_params["computed"] == "weights"
    assert "of the weights moved by more than 1e-05" in _texts(page)
    page = _opened(monkeypatch, runs, "findings", run=["whole"], computed=["boundary", "values", "forecast", "tokens"])
    shown = _texts(page)
    assert "Does training narrow what it can solve (arithmetic)?" in shown
    assert "Does the critic know" in shown
    assert "– the run has 3 steps, wanted at least 60." in shown
    assert "rollouts.entropies=true" in shown
    assert _computed(page) == ["weights"]
    assert not page.exception
    assert not page.error


def test_a_run_without_results_has_dashes_and_commands(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    page = _opened(monkeypatch, runs, "findings", run=["bare"])
    assert not page.exception
    assert not page.error
    assert [str(one.value) for one in page.markdown].count(NOTHING) == 5
    assert _computed(page) == list(SLOW)
    assert f"orz-bench contamination --ckpt MODEL --bench OLD --fresh FRESH --out {runs / 'bare'}" in _commands(page)
    assert f"orz-analysis boundary {runs / 'bare'}@0 {runs / 'bare'}@2" in _commands(page)
    assert not page.get("image")


def test_a_new_result_is_shown_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    page = _opened(monkeypatch, tmp_path, "findings")
    assert "known by heart (old" not in _texts(page)
    add_contamination(run)
    assert "known by heart (old, asked m)" in _texts(page.run())
    shutil.rmtree(run.path / "contamination")
    assert "known by heart (old" not in _texts(page.run())


def test_of_many_evaluations_the_last_are_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=6)
    for step in range(1, 6):
        add_evaluation(run, step=step)
    for evaluation in run.evaluations():
        write_thought_use(evaluation, thought_use(evaluation))
    page = _opened(monkeypatch, tmp_path, "findings")
    (more,) = page.expander
    assert more.label == "3 more, of earlier evaluations"
    assert str(more.markdown[0].value).count("Where does the right answer come") == 3
    assert _texts(page).count("Where does the right answer come") == 7


def test_a_damaged_result_is_named_beside_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = analysed(tmp_path / "run")
    (run.evaluations()[0].path / NAME).write_text("{}", encoding="utf-8")
    page = _opened(monkeypatch, tmp_path, "findings")
    assert not page.exception
    assert "run orz-bench probe again" in _texts(page)
    assert "Yes, in part" in _texts(page)


def test_hostile_names_stay_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    analysed(tmp_path / "run", model=HOSTILE)
    page = _opened(monkeypatch, tmp_path, "findings")
    assert not page.exception
    raw = "\n".join(str(one.value) for one in (*page.markdown, *page.caption))
    assert HOSTILE not in raw
    assert "<img" not in raw.replace("\\<img", "")
    assert "![x]" not in raw
    assert HOSTILE.split(" ![")[0] in _texts(page)


def test_an_address_with_an_unknown_analysis(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    page = _opened(monkeypatch, runs, "findings", run=["bare"], computed=["all"])
    assert "computed='all' in the address" in _texts(page)
    page = _opened(monkeypatch, runs, "findings", run=["gone"])
    assert "no run 'gone' in this folder" in _texts(page)
    assert not page.code
