"""What is read first: the first rollout is open, columns that say nothing are hidden, hits are in their context."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.queries.filters import Filters
from app.queries.keys import RowKey, key_text
from app.views.explorer import MOST_PARTS, facts_of
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index, write_evaluation, write_training
from tests.support.builders import a_rollout
from tests.unit.app.screens.test_rollout_pages import drawn, measured, texts

FINGERPRINT = "0123456789ab"
LINES = "".join(f"{n}. Then {n} and {n * n} make {n + n * n}, so wait.\n" for n in range(200))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run = RunDir(folder / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step in (0, 5):
        rows = [
            a_rollout(
                problem_id=f"p{number}", step=step, verdict="wrong", second_verdict="wrong", gold="C",
                extra={"level": number % 2},
                completion=f"{'x ' * 60}wait, {number} {'y ' * 60}so (C)" if number else LINES,
            )
            for number in range(4)
        ]  # fmt: skip
        write_evaluation(run, step, rows, benchmark="arithmetic")
    measured(run)
    return folder


def _order(test: AppTest) -> list[str]:
    (table,) = test.dataframe
    return list(table.proto.column_order)


def _bodies(test: AppTest) -> str:
    return "\n".join(str(one.proto.body) for one in test.get("html") if "<style>" not in one.proto.body)


def test_the_first_rollout_is_open_without_being_in_the_address(runs: Path) -> None:
    test = drawn(runs, "rollouts")
    assert "row" not in test.query_params
    assert "p0" in texts(test)
    assert "orz-text" in _bodies(test)
    test.button(key="reader:first").click().run()
    assert test.query_params["row"] == key_text(RowKey("arithmetic", 0, FINGERPRINT, "p1", 0))
    test = drawn(runs, "rollouts", row="nothing")
    assert "orz-text" not in _bodies(test), "what the address names wrongly is not replaced"


def test_columns_that_are_the_same_are_hidden_and_said(runs: Path) -> None:
    test = drawn(runs, "rollouts", step="5")
    shown = _order(test)
    assert shown[:3] == ["problem", "extracted", "gold"]
    assert not {"verdict", "step", "sample", "right"} & set(shown)
    assert "all: wrong, step 5, sample 0" in texts(test)
    assert "step" in _order(drawn(runs, "rollouts"))


def test_a_reward_or_number_of_hits_that_is_the_same_is_said_below(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    for step, rewards in ((1, (0.5, 0.5)), (2, (0.5, 1.0))):
        rows = [
            a_rollout(sample_index=n, step=step, verdict=None, reward=reward, completion=f"a wait {n}")
            for n, reward in enumerate(rewards)
        ]
        write_training(run, step, rows)
    measured(run)
    test = drawn(tmp_path, "rollouts", step="1", text="wait")
    assert not {"reward", "hits"} & set(_order(test))
    assert "reward 0.5, 1 hit" in texts(test)
    test = drawn(tmp_path, "rollouts")
    assert "reward" in _order(test)
    assert ", reward" not in texts(test).partition("all: ")[2]


def test_hits_are_in_their_context(runs: Path) -> None:
    test = drawn(runs, "rollouts", text="WAIT", problem="p1")
    (table,) = test.dataframe
    assert table.value["hit"].tolist() == ["…" + "x " * 20 + "⟦wait⟧, 1 " + "y " * 18 + "…"] * 2
    assert test.get("vega_lite_chart"), "the share of rollouts with a hit over the steps"
    assert not drawn(runs, "rollouts").get("vega_lite_chart")


def test_a_filter_on_the_level(runs: Path) -> None:
    test = drawn(runs, "rollouts")
    test.multiselect(key="filter:about").set_value(["level=1"]).run()
    assert test.query_params["about"] == "level=1"
    assert "**4** rollouts" in texts(test)


def test_a_gold_of_one_letter_is_queued_and_marked(runs: Path) -> None:
    test = drawn(runs, "suspicious", reasons="gold_at_end")
    assert "**6** rollouts" in texts(test)
    assert '<span class="gold" title="the gold">C</span>' in _bodies(test)


def test_a_long_response_has_an_outline(runs: Path) -> None:
    test = drawn(runs, "rollouts", problem="p0", step="0")
    assert 'aria-label="Outline"' in _bodies(test)
    test = drawn(runs, "rollouts", problem="p0", step="0", layer="latex", part="99")
    assert "orz-outline" not in _bodies(test)
    assert "wanted a whole number" in texts(drawn(runs, "rollouts", problem="p0", layer="latex", part="x"))


def test_the_form_for_the_verdict_is_open(runs: Path) -> None:
    key = key_text(RowKey("arithmetic", 0, FINGERPRINT, "p1", 0))
    for judge in ("", "1"):
        folded = [str(one.proto) for one in drawn(runs, "rollouts", row=key, judge=judge).get("popover")]
        assert any('"Verdict"' in one for one in folded) == (judge == "")


def test_kinds_of_many_parts_are_read_on_request(runs: Path) -> None:
    """Reading them takes a second for a thousand parts."""
    index = open_index(runs / "run")
    found = facts_of(index, Filters(), num_parts=MOST_PARTS + 1)
    assert callable(found)
    found()
    known = {"level": ["0", "1"]}
    assert facts_of(index, Filters(), num_parts=MOST_PARTS + 1) == known
    for filters, num_parts in ((Filters(), MOST_PARTS), (Filters(about=("level=1",)), MOST_PARTS + 1)):
        assert facts_of(open_index(runs / "run"), filters, num_parts=num_parts) == known


def test_surprise_is_shown_where_tokens_and_their_vocabulary_were_kept(tmp_path: Path) -> None:
    """In bits; without the vocabulary a line says why there is none, and without tokens there is no such layer."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    kept = a_rollout(problem_id="kept", completion="so it", token_ids=(0, 1), logprobs=(-0.01, -3.4657), num_tokens=2)
    write_evaluation(run, 0, [kept, a_rollout(problem_id="not kept")], benchmark="arithmetic")
    measured(run)
    assert "the run has no vocabulary" in texts(drawn(tmp_path, "rollouts", problem="kept", layer="logprobs"))
    policy = run.path / "checkpoints" / "step=000000" / "policy"
    policy.mkdir(parents=True)
    (policy / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"so": 0, "\u0120it": 1}}}), encoding="utf-8")
    shown = _bodies(drawn(tmp_path, "rollouts", problem="kept", layer="logprobs"))
    assert 'title="surprise 5.0 bits, log-prob -3.466"> it</span>' in shown
    assert "surprise 0" not in shown, "likely tokens are not marked"
    lacking = drawn(tmp_path, "rollouts", problem="not kept", layer="logprobs")
    assert "layer='logprobs' in the address: this rollout has" in texts(lacking).replace("\\", "")
    assert '<span class="extracted"' in _bodies(lacking), "the layers that are on by themselves"
