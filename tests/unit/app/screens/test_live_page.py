"""The page Live: newest rollouts, warnings with their rollouts, what is new since a step; and runs that are deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.queries.causes import filters_of, warning_of
from app.queries.filters import Filters
from app.queries.keys import RowKey, key_text
from app.runs.changes import changes_since, last_step
from app.shell import PAGES
from orz_bench.records.run_dir import RunDir
from tests.support.runs import a_run
from tests.unit.app.screens.test_rollout_pages import drawn, measured, texts
from tests.unit.app.screens.test_screens import _opened, _texts

WARNING = "more than half of the responses have been truncated by the token limit since step 2, and get reward 0"


def _growing(folder: Path, *, num_steps: int = 4) -> None:
    run = measured(a_run(folder, num_steps=num_steps))
    run.mark("")
    run.add_event("warning", step=3, sign="clip_rate", text=WARNING)


def test_a_running_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _growing(tmp_path / "run")
    page = _opened(monkeypatch, tmp_path, "live", since=["2"])
    found = _texts(page)
    assert "**run** is running: step 4 finished" in found
    assert "2 new steps after step 2, 1 new warning." in found
    assert f"Step 3: {WARNING}" in found
    assert "Step 4: 16 rollouts" in found
    changes, newest = (table.value for table in page.dataframe)
    assert changes["metric"].tolist()[:2] == ["reward/mean", "response/length_mean"]
    assert len(newest) == 16
    page.button(key="live:looked").click().run()
    assert page.query_params["since"] == "4"
    assert "0 new steps after step 4, 0 new warnings" in _texts(page)
    assert "the run has not come that far" in _texts(_opened(monkeypatch, tmp_path, "live", since=["99"]))


def test_an_evaluation_that_has_ended_promises_no_rollouts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    assert "The first ones appear here by themselves." in _texts(_opened(monkeypatch, tmp_path, "live"))
    run.mark("DONE")
    assert "No rollout of a training step in this run, which has ended." in _texts(
        _opened(monkeypatch, tmp_path, "live")
    )


def test_the_rollouts_of_a_warning() -> None:
    warning = warning_of({"event": "warning", "step": 30, "sign": "clip_rate", "text": WARNING})
    assert (warning.since, warning.step) == (2, 30)
    assert filters_of(warning, range(1, 40)) == Filters(
        kind="train", step=tuple(range(11, 31)), stop_reasons=("length",)
    ), "of a long one the last steps"
    assert filters_of(warning, []) == Filters(kind="train", step=(30,), stop_reasons=("length",))
    unknown = warning_of({"event": "warning", "step": "x", "text": None, "sign": None})
    assert (unknown.step, unknown.since, unknown.sign) == (0, 0, "")
    assert filters_of(warning_of({"step": 5, "sign": "of a later version", "text": ""}), [5]).step == (5,)


def test_every_sign_of_training_has_filters_that_can_be_used() -> None:
    from app.queries.filters import conditions, order_sql
    from orz_rl.training.health import SIGNS

    for sign in SIGNS:
        text = sign.text.format(since=7)
        warning = warning_of({"step": 9, "sign": sign.name, "text": text})
        assert warning.since == 7, "the first step is read from the sentence"
        filters = filters_of(warning, range(20))
        assert filters.step == (7, 8, 9)
        assert conditions(filters)
        assert order_sql(filters)


def test_means_before_and_after_a_step() -> None:
    rows = [{"step": n, "reward/mean": float(n), "response/clip_rate": float("nan")} for n in range(1, 13)]
    (change,) = changes_since(rows, 6)
    assert (change.metric, change.then, change.now) == ("reward/mean", 4.0, 10.0)
    assert last_step(rows) == 12
    assert last_step([{"reward/mean": 1.0}, {"step": "x"}]) is None
    (change,) = changes_since(rows, 12)
    assert change.now is None


@pytest.mark.parametrize("name", [spec.name for spec in PAGES if spec.wants in ("one", "several")])
def test_a_run_that_is_deleted_while_it_is_open_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    _growing(tmp_path / "run", num_steps=2)
    page = _opened(monkeypatch, tmp_path, name, run=["run"])
    assert not page.exception
    shutil.rmtree(tmp_path / "run")
    page.run()
    assert not page.exception
    assert "no run 'run' in this folder" in _texts(page) or "No run in" in _texts(page)


def test_a_part_of_a_page_that_is_drawn_again_says_it_too(tmp_path: Path) -> None:
    """What refreshes by itself keeps the run of the whole page; deleted meanwhile, it has minus 112 new rollouts."""
    _growing(tmp_path / "run", num_steps=2)

    def part(folder: str) -> None:
        import shutil
        from pathlib import Path

        from app.runs.folder import RunsFolder
        from app.screens import live, training
        from app.views.context import Context
        from app.views.opened import _tail, open_run

        runs = RunsFolder.at(Path(folder))
        context = Context(folder=runs, entries=tuple(runs.runs()), runs=tuple(runs.runs()))
        opened = open_run(context, measures=False)
        shutil.rmtree(Path(folder) / "run")
        _tail(opened)
        live.render(context)
        training.render(context)

    test = AppTest.from_function(part, args=(str(tmp_path),), default_timeout=600).run()
    assert not test.exception
    assert not test.error
    assert [str(one.value).count("no longer in this folder") for one in test.warning] == [1, 1, 1]
    assert "new rollouts" not in texts(test)


def test_a_rollout_of_the_page_opens_on_rollouts(tmp_path: Path) -> None:
    _growing(tmp_path / "run", num_steps=2)
    test = drawn(tmp_path, "live")
    assert not test.error
    key = RowKey("arithmetic", 2, "", "p2-0", 0)
    assert "sample 0" in texts(drawn(tmp_path, "rollouts", kind="train", step="2", row=key_text(key)))
