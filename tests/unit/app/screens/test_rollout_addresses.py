"""Addresses of the pages about rollouts: what they name wrongly is said, and nothing takes its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.queries.keys import RowKey, key_text
from tests.unit.app.screens.test_rollout_pages import KEY, PAGES, drawn, finished, texts


def test_invalid_addresses_are_reported(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    wrong: list[tuple[dict[str, str | list[str]], str]] = [
        ({"text": "(", "mode": "regex"}, "not a valid RE2 regular expression"),
        ({"order": "nothing", "row": "x~y", "page": "99999999"}, "wanted one of step"),
        ({"run": "../.."}, "no run '../..' in this folder"),
        ({"reasons": "nothing"}, "unknown reason"),
        ({"row": key_text(RowKey("none", 0, "", "p", 0))}, "This rollout is not in this run"),
        ({"text": "zqzq"}, "No rollout matches"),
        ({"row": "x"}, "row='x' in the address names no rollout"),
        ({"page": "99"}, "The address names page 99; the list has 6"),
        ({"page": "0"}, "wanted a whole number from 1"),
        ({"layer": "nothing", "row": key_text(KEY)}, "layer='nothing' in the address"),
        ({"text": "x" * 501}, "text in the address has 501 characters, the limit is 500"),
        ({"problem": [f"{n}" for n in range(2)]}, "problem is in the address 2 times"),
        ({"verdicts": ["correct", "banana"]}, "verdicts='banana' in the address: no rollout of this run has it."),
        ({"step": ["0", "77"]}, "step='77' in the address: no rollout"),
        ({"bench": ["arithmetic", "a<b"]}, "bench='a<b' in the address: no rollout"),
        ({"stop_reasons": ["x"], "fingerprints": ["y"]}, "fingerprints='y' in the address: no rollout"),
        ({"tags": list("abcde")}, "tags='a', 'b', 'c' and 2 more in the address: no rollout"),
        ({"order": "hits"}, "order='hits' in the address: there are no hits without a search"),
        ({"critic": "0f"}, "No critic has values for this response"),
        ({"problem": "zz"}, "problem='zz' in the address: no rollout"),
        ({"judge": "7"}, "judge='7' in the address: wanted one of 0, 1"),
        ({"page": ["1", "2"]}, "page is in the address 2 times; the last one is used"),
        ({"part": "99", "layer": "latex"}, "The address names part 99; the response has 1"),
    ]
    for parameters, found_text in wrong:
        test = drawn(tmp_path, "rollouts", **parameters)
        assert found_text in texts(test).replace("\\", ""), parameters


def test_a_search_that_is_cleared_takes_the_order_of_its_hits_along(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    test = drawn(tmp_path, "rollouts", text="a", order="hits", descending="1", verdicts="correct")
    (search,) = (one for one in test.text_input if one.label == "Search in responses")
    search.set_value("").run()
    assert not {"text", "order", "descending"} & set(test.query_params)
    assert test.query_params["verdicts"] == "correct"
    assert not test.warning


@pytest.mark.parametrize("screen", PAGES)
@pytest.mark.parametrize("named", [["gone"], ["gone", "run"]])
def test_a_missing_run_is_not_replaced_by_another(tmp_path: Path, screen: str, named: list[str]) -> None:
    """The line and the choice of runs, nothing else: the other run has the same rollout, from another model."""
    finished(tmp_path / "run")
    test = drawn(tmp_path, screen, run=named, row=key_text(KEY), text="2")
    assert [str(found.value).replace("\\", "") for found in test.warning] == [
        "no run 'gone' in this folder; choose one from the list."
    ]
    drawn_widgets = [*test.button, *test.dataframe, *test.text_input, *test.multiselect, *test.get("html")]
    assert [*drawn_widgets, *test.info, *test.caption, *test.markdown] == []
    (choice,) = test.selectbox
    assert (choice.value, choice.options) == (None, ["run"])
    choice.set_value("run").run()
    assert (test.query_params["run"], test.query_params["text"]) == ("run", "2")
    assert "row" not in test.query_params, "it was another run's rollout"
    assert test.get("html")


def test_an_address_without_a_run_names_the_one_that_is_shown(tmp_path: Path) -> None:
    """Tomorrow another run is the newest, and has the same rollout from another model."""
    finished(tmp_path / "run")
    os.utime(tmp_path / "run" / "DONE", (2e9, 2e9))
    finished(tmp_path / "other")
    test = drawn(tmp_path, "rollouts")
    assert "run" not in test.query_params, "it would be one more step of the history"
    os.utime(tmp_path / "other" / "DONE", (2.1e9, 2.1e9))
    assert test.run().selectbox(key="shell:run-choice").value == "run", "what is read does not change by itself"
    test.button(key="reader:first").click().run()
    assert test.query_params["run"] == "run"
    assert test.selectbox(key="shell:run-choice").value == "run"
    assert drawn(tmp_path, "rollouts").selectbox(key="shell:run-choice").value == "other"
