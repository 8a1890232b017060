"""Columns, groups and saved views of the list of rollouts: all in the address, and shared beside the runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.judging.saved_views import FOLDER, saved_views
from app.judging.side_folder import side_folder
from app.views.list_columns import COLUMNS
from app.views.list_view import KNOWN
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import write_evaluation
from tests.support.builders import a_rollout
from tests.unit.app.screens.test_rollout_pages import drawn, measured, texts


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run = RunDir(folder / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = [
        a_rollout(problem_id=f"q{n}", verdict="correct" if n % 3 else "wrong", extra={"level": n % 2}) for n in range(6)
    ]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    measured(run)
    return folder


def test_columns_are_shown_in_the_chosen_order(runs: Path) -> None:
    page = drawn(runs, "rollouts", column=["tokens", "verdict", "protocol"])
    (table,) = page.dataframe
    assert list(table.proto.column_order) == ["tokens", "verdict", "protocol"]
    assert list(table.value.columns) == ["tokens", "verdict", "protocol"]
    page.multiselect(key="view:columns").set_value(["gold", "tags"]).run()
    assert page.query_params["column"] == ["gold", "tags"]
    assert list(page.dataframe[0].proto.column_order) == ["gold", "tags"]
    every = drawn(runs, "rollouts", column=list(COLUMNS))
    assert list(every.dataframe[0].value.columns) == list(COLUMNS), "each of them can be drawn"
    assert "is no column" in texts(drawn(runs, "rollouts", column=["gld"]))


def test_groups_stand_above_the_list(runs: Path) -> None:
    page = drawn(runs, "rollouts", group="about:level")
    counts = page.dataframe[0].value
    assert counts["level"].tolist() == ["0", "1"]
    assert counts["rollouts"].tolist() == [3, 3]
    assert counts["correct"].tolist() == [2, 2]
    assert counts["pass rate, %"].tolist() == pytest.approx([200 / 3] * 2)
    page.selectbox(key="view:group").set_value("verdict").run()
    assert page.query_params["group"] == "verdict"
    assert page.dataframe[0].value["rollouts"].tolist() == [4, 2]
    assert "unknown group" in texts(drawn(runs, "rollouts", group="nothing"))


def test_a_view_is_saved_opened_replaced_and_deleted(runs: Path) -> None:
    side = side_folder(runs)
    page = drawn(runs, "rollouts", verdicts="wrong", column=["gold", "problem"], group="step", row="x~y")
    page.text_input(key="view:name").set_value("my <b>view</b>").run()
    page.button(key="view:save").click().run()
    (view,) = saved_views(side, page="rollouts", known=KNOWN).views.values()
    assert dict(view.parameters) == {"verdicts": ["wrong"], "column": ["gold", "problem"], "group": ["step"]}
    other = drawn(runs, "rollouts", verdicts="correct", order="tokens")
    assert other.selectbox(key="view:saved").options == ["my <b>view</b>"]
    other.selectbox(key="view:saved").set_value("my <b>view</b>").run()
    assert (other.query_params["verdicts"], other.query_params["group"]) == ("wrong", "step")
    assert other.query_params["column"] == ["gold", "problem"]
    assert "order" not in other.query_params
    other.text_input(key="view:name").set_value("my <b>view</b>")
    other.button(key="view:save").click().run()
    assert "exists already" in other.toast[0].value.replace("\\", "")
    (path,) = (side / FOLDER).glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"orz_view": 9}), encoding="utf-8")
    newer = drawn(runs, "rollouts")
    assert "was saved by a newer version of the app" in texts(newer)
    assert newer.selectbox(key="view:saved").options == []
    path.write_text(json.dumps(json.loads(path.read_text()) | {"orz_view": 1}), encoding="utf-8")
    other = drawn(runs, "rollouts", **{name: list(values) for name, values in view.parameters.items()})
    other.button(key="view:delete").click().run()
    assert not list((side / FOLDER).iterdir())
