"""A question across runs, and the matrix: the state is in the address, and what cannot be compared is said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from app.queries.index import FAILED
from app.queries.sides import Side, side_text
from app.views.answers import MOST_ROWS
from orz_bench.records.judged import NO_RESPONSE
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import write_evaluation
from tests.support.builders import a_result, a_rollout, a_summary
from tests.support.runs import a_run, add_evaluation
from tests.unit.app.screens.test_rollout_pages import drawn, measured, texts
from tests.unit.app.screens.test_screens import _opened, _texts

FINGERPRINT, OTHER = "0123456789ab", "ba9876543210"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs under one protocol, one under another, and one with other questions."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in ((1, "one"), (2, "two@x~y")):
        measured(a_run(folder / name, num_steps=2, seed=seed))
    other = RunDir(folder / "other")
    other.create(kind="eval", command=[], seed=0, environment={})
    add_evaluation(other, step=0, fingerprint=OTHER)
    for name in ("protocol", "summary"):
        [file] = other.path.glob(f"evals/*/*/*/{name}.json")
        file.write_text(file.read_text().replace('"temperature": 1.0', '"temperature": 0.6'), encoding="utf-8")
    measured(other)
    apart = RunDir(folder / "apart")
    apart.create(kind="eval", command=[], seed=0, environment={})
    write_evaluation(apart, 0, [a_rollout(problem_id="elsewhere")], benchmark="arithmetic")
    measured(apart)
    return folder


def _sides(*sides: Side) -> list[str]:
    return [side_text(side) for side in sides]


def _question(folder: Path, at: list[str], **more: str) -> AppTest:
    return drawn(folder, "question", run=["one"], bench="arithmetic", problem="5", at=at, **more)


def _bodies(test: AppTest) -> list[str]:
    return [str(element.proto.body) for element in test.get("html") if 'class="orz-text"' in element.proto.body]


ONE, TWO = Side("one", 0, FINGERPRINT), Side("two@x~y", 2, FINGERPRINT)


def test_two_runs_side_by_side(runs: Path) -> None:
    test = _question(runs, _sides(ONE, TWO))
    assert not test.warning
    assert "of the words are shared" in texts(test)
    assert len(_bodies(test)) == 2
    assert test.multiselect(key="across:sides").value == [ONE, TWO]
    box = test.selectbox(key=f"across:sample:{TWO}")
    wanted = next(number for number in range(4) if number != box.value)
    box.set_value(wanted).run()
    assert test.query_params["at"] == _sides(ONE, Side("two@x~y", 2, FINGERPRINT, wanted))
    again = _question(runs, _sides(ONE, Side("two@x~y", 2, FINGERPRINT, wanted)))
    assert again.selectbox(key=f"across:sample:{TWO}").value == wanted


def test_a_run_is_added_at_its_last_checkpoint(runs: Path) -> None:
    test = drawn(runs, "question", run=["one"], bench="arithmetic", problem="5")
    assert "at" not in test.query_params
    test.selectbox(key="across:run").set_value("two@x~y").run()
    assert test.query_params["at"] == _sides(ONE, TWO)
    assert len(_bodies(test)) == 2
    test.selectbox(key="across:run:1").set_value("apart").run()
    assert "apart has no sample of this question; choose another run" in texts(test).replace("\\", "")


def test_other_protocols_are_compared_when_asked_for(runs: Path) -> None:
    at = _sides(ONE, Side("other", 0, OTHER))
    test = _question(runs, at)
    assert "The protocols differ: temperature: 1.0 / 0.6" in texts(test).replace("\\", "")
    assert not _bodies(test)
    test.toggle(key="across:differing").set_value(True).run()
    assert test.query_params["differing"] == "1"
    assert len(_bodies(test)) == 2
    assert "The protocols differ" in texts(test), "it is still said"
    train = _question(runs, _sides(Side("one", 0, FINGERPRINT), Side("one", 1, "")), differing="1")
    assert "has no sample of this question" in texts(train)


def test_what_is_not_there_is_said_and_not_replaced(runs: Path) -> None:
    for at, wanted in (
        (_sides(Side("gone", 0, FINGERPRINT)), "no run 'gone' in this folder"),
        (_sides(Side("one", 77, FINGERPRINT)), "one, step 77 has no sample of this question"),
        (_sides(Side("apart", 0, FINGERPRINT)), "apart has no sample of this question"),
        (["one@x"], "at='one@x' in the address: wanted RUN@STEP~PROTOCOL"),
        (["../../etc@0~f"], "no run '../../etc' in this folder"),
        (_sides(Side("one", 0, FINGERPRINT, 99), TWO), "There is no sample 99 here"),
        (_sides(ONE, *(Side("two@x~y", step, FINGERPRINT) for step in range(10, 20))), "the first 7 are used"),
    ):
        test = _question(runs, at)
        assert wanted in texts(test).replace("\\", ""), at
        if len(at) == 1:
            assert not _bodies(test), "nothing takes its place"


def test_a_run_is_deleted_while_it_is_open(tmp_path: Path) -> None:
    for seed, name in ((1, "one"), (2, "two@x~y")):
        measured(a_run(tmp_path / name, num_steps=2, seed=seed))
    test = _question(tmp_path, _sides(ONE, TWO))
    assert len(_bodies(test)) == 2
    shutil.rmtree(tmp_path / "two@x~y")
    test.run()
    assert "no run 'two@x~y' in this folder" in texts(test).replace("\\", "")
    assert len(_bodies(test)) == 1
    shutil.rmtree(tmp_path / "one" / "evals")
    test.run()
    assert not test.exception
    assert not _bodies(test)


def test_the_comparison_links_to_both_sides(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    """A and B under one protocol are compared at once; under others only when asked for."""
    parameters: dict[str, Any] = {"run": ["one", "other"], "bench": ["arithmetic"]}
    page = _opened(monkeypatch, runs, "benchmarks", **parameters)
    assert "The protocols differ: temperature: 1.0 / 0.6" in _texts(page)
    assert not page.metric
    page.toggle(key="benchmarks:differing").set_value(True).run()
    assert page.query_params["differing"] == "1"
    assert page.metric


def test_headings_hold_for_all_of_their_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The heading named the largest n, also above rows with fewer samples; and numbers are those of other pages."""
    run = a_run(tmp_path / "one", num_steps=2)
    page = _opened(monkeypatch, tmp_path, "benchmarks", run=["one"])
    assert '"avg@4"' in page.dataframe[0].proto.columns
    write_evaluation(run, 9, [a_rollout()], benchmark="arithmetic")
    folder = run.evaluation(benchmark="arithmetic", step=9, fingerprint="0123456789ab")
    folder.write_result(a_result(run=str(run.path), step=9, summary=a_summary(avg_at_n=0.1625)))
    page = _opened(monkeypatch, tmp_path, "benchmarks", run=["one"])
    assert '"avg@n"' in page.dataframe[0].proto.columns
    assert 16.2 in list(page.dataframe[0].value["accuracy"]), "as on Runs, not 16.25, which a browser rounds to 16.3"


def test_a_matrix_of_one_run_and_of_several(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    page = _opened(monkeypatch, runs, "matrix", run=["one"])
    assert not page.exception
    assert "10 questions x 2 checkpoints" in _texts(page)
    (table,) = page.dataframe
    assert len(table.value) == 10
    change = (table.value["last"] - table.value["first"]).tolist()
    assert change == sorted(change, reverse=True)
    page.selectbox(key="matrix:rank").set_value("hardest").run()
    assert page.query_params["rank"] == "hardest"
    means = page.dataframe[0].value["mean"].tolist()
    assert means == sorted(means)
    page = _opened(monkeypatch, runs, "matrix", run=["one", "two@x~y", "other", "apart"])
    assert "11 questions x 3 runs, 0 of them in all" in _texts(page), "one run has no question in common"
    assert "Evaluated under another protocol, and left out: other" in _texts(page)
    page.toggle(key="matrix:differing").set_value(True).run()
    assert "11 questions x 4 runs" in _texts(page)
    for wrong, said in (
        ({"bench": ["none"]}, "no rollouts of none"),
        ({"protocol": ["none"]}, "under protocol none"),
        ({"rank": ["none"]}, "wanted one of learned"),
        ({"about": ["level=9"]}, "is none of the kinds of questions below"),
    ):
        assert said in _texts(_opened(monkeypatch, runs, "matrix", run=["one"], **wrong)), wrong


def test_a_run_without_verdicts_has_no_matrix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    page = _opened(monkeypatch, tmp_path, "matrix")
    assert "No rollout yet" in _texts(page)
    write_evaluation(run, 0, [a_rollout(verdict=None)], benchmark="arithmetic")
    for view in ("rates", "answers"):
        page = _opened(monkeypatch, tmp_path, "matrix", view=[view])
        assert not page.exception
        assert ("No verdicts" if view == "rates" else "No question has a wrong majority") in _texts(page)


def test_questions_with_a_wrong_majority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step in (0, 5, 9):
        rows = [
            a_rollout(
                problem_id=name, sample_index=number, step=step, gold="7",
                extracted="<b>8" if is_wrong else "7", verdict="wrong" if is_wrong else "correct",
            )
            for name, is_bad in (("bad", True), ("good", False))
            for number in range(4)
            for is_wrong in [is_bad and number > 0]
        ]  # fmt: skip
        write_evaluation(run, step, rows, benchmark="arithmetic")
    page = _opened(monkeypatch, tmp_path, "matrix", view=["answers"])
    assert "1 question with the same wrong majority" in _texts(page)
    assert "✗ <b>8" in _texts(page)
    assert "3 of 3" in _texts(page)


def _gives(name: str, answer: str, *, step: int = 0) -> Rollout:
    verdict = "correct" if answer == "7" else "wrong"
    return a_rollout(problem_id=name, step=step, gold="7", extracted=answer, verdict=verdict)


def test_a_wrong_majority_of_a_question_that_was_not_always_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The checkpoint since which it holds, and the response to judge, are of those that asked it."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step in (0, 5, 9, 12):
        rows = [_gives("good", "7", step=step)]
        rows += [_gives("bad", "8" if step else "7", step=step)] if step < 12 else []
        write_evaluation(run, step, rows, benchmark="arithmetic")
    page = _opened(monkeypatch, tmp_path, "matrix", view=["answers"])
    assert "5 :small[:gray[2 of 3]]" in _texts(page)
    assert not page.exception


def test_a_wrong_majority_of_several_runs_is_that_of_all_in_any_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, answer in (("a", "7"), ("b", "8"), ("c", "8")):
        run = RunDir(tmp_path / name)
        run.create(kind="eval", command=[], seed=0, environment={})
        write_evaluation(run, 0, [_gives("some", answer), _gives("all", "8")], benchmark="arithmetic")
    for order in (["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]):
        page = _opened(monkeypatch, tmp_path, "matrix", view=["answers"], run=order)
        assert "1 question with the same wrong majority in all runs that were asked it." in _texts(page)
        assert ":small[:gray[3 of 3]]" in _texts(page)


def test_the_table_of_answers_is_inert_and_short(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    hostile = "<img src=x onerror=alert(1)>\u202e" + "9" * 5000
    rows = [
        a_rollout(
            problem_id="p", sample_index=number, extracted=hostile if number < 3 else f"{number}!", verdict="wrong"
        )
        for number in range(MOST_ROWS + 5)
    ]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    measured(run)
    test = drawn(tmp_path, "question", bench="arithmetic", problem="p")
    (table,) = (str(one.proto.body) for one in test.get("html") if 'orz-answers-table"' in one.proto.body)
    assert "<img" not in table
    assert "\u202e" not in table
    assert "9" * 300 not in table
    assert table.count("<tr>") == 1 + MOST_ROWS
    assert "<td>✗ &lt;img src=x onerror=alert(1)&gt;" in table
    assert f"{MOST_ROWS + 3} answers, the first {MOST_ROWS} of them here" in texts(test)


def test_requests_that_failed_have_no_score_but_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    silent = {"verdict": "no_answer", "why": NO_RESPONSE, "completion": "", "extracted": None}
    write_evaluation(run, 0, [a_rollout(problem_id="p", **silent)], benchmark="arithmetic")
    write_evaluation(run, 5, [a_rollout(problem_id="p", step=5)], benchmark="arithmetic")
    measured(run)
    assert f"No verdicts at 0: {FAILED}" in _texts(_opened(monkeypatch, tmp_path, "matrix"))
    test = drawn(tmp_path, "question", bench="arithmetic", problem="p")
    (strip,) = (str(one.proto.body) for one in test.get("html") if '<table class="orz-strip' in one.proto.body)
    assert f'<td class="share" title="{FAILED}">–</td>' in strip
    assert '<td class="share">1/1</td>' in strip


def test_an_incomplete_evaluation_is_named_on_every_page_of_its_rollouts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A part is gone, or shorter than it was: what is left says nothing of that by itself."""
    run = a_run(tmp_path / "x", num_steps=2)
    add_evaluation(run, step=1)
    for step, keep in ((1, 30), (2, 14)):
        (part,) = (run.path / "evals" / "arithmetic").glob(f"step=*{step}/*/*.parquet")
        pq.write_table(pq.read_table(part, partitioning=None).slice(0, keep), part)
    measured(run)
    measured(a_run(tmp_path / "whole", num_steps=2, seed=2))
    named = "Samples are missing or in damaged parts: arithmetic, step 1: 10 of 40; arithmetic, step 2: 26 of 40."
    for name in ("rollouts", "suspicious", "question", "live", "matrix", "judging"):
        assert named in _texts(_opened(monkeypatch, tmp_path, name, run=["x"])), name
    both = _texts(_opened(monkeypatch, tmp_path, "matrix", run=["x", "whole"]))
    assert "Samples of x are missing" in both
    assert "Samples of whole" not in both
    at = _sides(Side("whole", 2, FINGERPRINT), Side("x", 2, FINGERPRINT))
    page = _opened(monkeypatch, tmp_path, "question", run=["whole"], bench=["arithmetic"], problem=["1"], at=at)
    assert (
        "Samples are missing or in damaged parts: x, step 2. Pass rates leave these out, answers are those"
        in _texts(page)
    )
    assert "at x, step 2, incomplete" in _texts(page)
    page = _opened(monkeypatch, tmp_path, "question", run=["whole"], bench=["arithmetic"], problem=["1"])
    page.selectbox(key="across:run").set_value("x").run()
    assert side_text(Side("x", 0, FINGERPRINT)) in page.query_params["at"], "the last whole one is added"
    page = _opened(monkeypatch, tmp_path, "question", run=["x"], bench=["arithmetic"], problem=["1"])
    assert "at step 2, incomplete" in _texts(page)
