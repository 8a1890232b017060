"""The page Judging: blind comparison by key, the result when asked for, agreement and descriptions of tags."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.judging.annotations import Annotations
from app.judging.blind import blind_annotations, judged_by
from app.judging.side_folder import side_folder
from app.judging.tag_notes import described, tag_annotations
from app.queries.keys import Response, RowKey, hash_text
from orz_bench.records.run_dir import RunDir
from orz_bench.records.text_hash import text_hash
from tests.support.app_runs import write_evaluation
from tests.support.builders import a_rollout
from tests.unit.app.screens.test_rollout_pages import measured
from tests.unit.app.screens.test_screens import _opened, _texts

HOSTILE = "<b onclick=x>ada</b>"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two checkpoints that answer three questions differently."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step in (0, 5):
        rows = [a_rollout(problem_id=f"q{n}", step=step, completion=f"answer {n} <i>at {step}</i>") for n in range(3)]
        write_evaluation(run, step, rows, benchmark="arithmetic")
    measured(run)
    return tmp_path


def _bodies(page: AppTest) -> list[str]:
    return [str(one.proto.body) for one in page.get("html") if 'class="orz-text"' in one.proto.body]


def _press(page: AppTest, choice: str) -> None:
    (button,) = (one for one in page.button if str(one.key).startswith(f"blind:{choice}:"))
    button.click().run()


def test_a_blind_comparison_from_the_first_key_to_the_result(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    page = _opened(monkeypatch, runs, "judging", who=[HOSTILE])
    assert "0** of 3 questions judged" in _texts(page)
    seen: list[str] = []
    for number in range(3):
        left, right = _bodies(page)
        seen.append(left)
        assert {"at 0" in left, "at 0" in right} == {True, False}
        assert "step" not in left
        assert "<i>" not in left, "a text stays inert"
        stale = next(one for one in page.button if str(one.key).startswith("blind:left:"))
        _press(page, "left")
        assert f"{number + 1}** of 3 questions judged" in _texts(page), stale.key
    page.button(key="blind:undo").click().run()
    assert "2** of 3 questions judged" in _texts(page)
    assert _bodies(page)[0] == seen[-1]
    _press(page, "tie")
    said = judged_by(blind_annotations(side_folder(runs), judge="").entries())
    assert list(said) == [HOSTILE]
    assert "result" not in page.query_params
    assert "A is" not in _texts(page)
    page.button(key="blind:result").click().run()
    assert "A is **run, step 0**, B is **run, step 5**." in _texts(page).replace("\\", "")
    (table,) = [one.value for one in page.dataframe if "prefers A" in one.value]
    row = table.iloc[0]
    num_a = sum("at 0" in left for left in seen[:2])
    assert (row["prefers A"], row["prefers B"], row["ties"]) == (num_a, 2 - num_a, 1)
    again = _opened(monkeypatch, runs, "judging", who=["bob"], result=["1"])
    assert "not blind" in _texts(again)
    again.button(key="blind:go-on").click().run()
    _press(again, "left")
    again.button(key="blind:result").click().run()
    (table,) = [one.value for one in again.dataframe if "prefers A" in one.value]
    late = table[table["judge"] == "bob"].iloc[0]
    assert (late["prefers A"], late["prefers B"], late["not blind"]) == (0, 0, 1)


def test_what_cannot_be_compared_is_said(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    for parameters, said in (
        ({"a": ["gone@0~x"]}, "no complete evaluation of these runs"),
        ({"bench": ["none"]}, "no two evaluations of none"),
        ({"b": ["run@0~0123456789ab"]}, "A and B are the same evaluation"),
    ):
        page = _opened(monkeypatch, runs, "judging", **parameters)
        assert said in _texts(page).replace("\\", ""), parameters
        assert not _bodies(page)


def test_agreement_and_descriptions(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    responses = [
        Response(RowKey("arithmetic", 0, "0123456789ab", f"q{n}", 0), hash_text(text_hash(f"answer {n} <i>at 0</i>")))
        for n in range(3)
    ]
    for who, tagged in (("ada", (0, 1)), ("bob", (0,))):
        kept = Annotations.of_run_at(runs / "run", name="run", side=side_folder(runs), author=who)
        for number, response in enumerate(responses):
            kept.mark_seen(response)
            if number in tagged:
                kept.add_tag(response, tag="mine")
    page = _opened(monkeypatch, runs, "judging", judging=["agreement"])
    (table,) = page.dataframe
    found = table.value.set_index("of").loc["tag mine"]
    assert (found["judged by both"], found["the same"]) == (3, 2)
    assert found["kappa"] == pytest.approx(0.4)
    page = _opened(monkeypatch, runs, "judging", judging=["tags"])
    page.selectbox(key="judging:tag").set_value("mine").run()
    page.text_area(key="judging:about:mine").set_value("what *it* means").run()
    assert described(tag_annotations(side_folder(runs), author=""))["mine"] == "what *it* means"
    assert not page.exception
