"""A request that was sent before the browser knew the new address undoes nothing; Back does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs import a_run
from tests.unit.app.screens.test_rollout_pages import drawn, measured


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    measured(a_run(folder / "run", num_steps=1))
    return folder


def test_a_search_survives_a_request_with_the_address_before_it(runs: Path) -> None:
    page = drawn(runs, "rollouts", run="run")
    page.text_input(key="filter:text").set_value("wait,").run()
    assert page.query_params["text"] == "wait,"
    for _ in range(3):  # that of a timer, which the browser sent before it had the answer
        del page.query_params["text"]
        page.run()
        assert page.query_params["text"] == "wait,"
        assert page.text_input(key="filter:text").value == "wait,"
    page.run()  # now it has: what comes afterwards is meant
    del page.query_params["text"]
    page.run()
    assert "text" not in page.query_params
    assert not page.exception


def test_of_several_changes_none_is_lost(runs: Path) -> None:
    page = drawn(runs, "rollouts", run="run")
    page.text_input(key="filter:text").set_value("wait,").run()
    del page.query_params["text"]
    page.selectbox(key="filter:order").set_value(("tokens", True)).run()
    found = {name: page.query_params[name] for name in ("text", "order", "descending")}
    assert found == {"text": "wait,", "order": "tokens", "descending": "1"}
    for name in found:
        del page.query_params[name]
    page.run()
    assert {name: page.query_params[name] for name in found} == found


def test_an_address_that_never_was_there_is_taken(runs: Path) -> None:
    page = drawn(runs, "rollouts", run="run")
    page.text_input(key="filter:text").set_value("wait,").run()
    page.query_params["text"] = "other"
    page.run()
    assert page.text_input(key="filter:text:1").value == "other"
