"""What is said of a run beside its name: the control of its rewards, its parent, and the rollouts that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orz_bench.records.origin import Origin, Source, origin_at, origin_of
from orz_bench.records.run_dir import RunDir, to_json, write_text
from orz_bench.records.summary import EvalResult
from orz_bench.results.lookup import results_of
from orz_bench.results.report import notes_on
from tests.support.runs import a_run

PARENT = Source(run="/old/runs/tiny", run_id="ab12", step=20, changed={"optim.policy_lr": (2e-4, 1e-4)})


def test_a_source_is_what_was_written() -> None:
    assert Source.from_json(PARENT.to_json()) == PARENT
    assert PARENT.name == "tiny"


@pytest.mark.parametrize("value", [None, 3, "x", {}, {"run": 3}, []])
def test_what_is_no_source_says_nothing(value: Any) -> None:
    assert Source.from_json(value) is None
    assert origin_of({"parent": value, "replays": value}, {"reward": value}) == Origin()


def test_damaged_parts_of_a_source_are_left_out() -> None:
    assert Source.from_json({"run": "/x", "step": "3", "changed": {"a": 1, "b": [1, 2]}}) == Source(
        run="/x", run_id="", changed={"b": (1, 2)}
    )


def test_names_and_sentences() -> None:
    assert (Origin().suffix, Origin().told) == ("", "")
    assert Origin(control="flip:0.1").suffix == " (reward: flip:0.1)"
    assert "reward.control=flip:0.1" in Origin(control="flip:0.1").told
    branch = Origin(parent=PARENT)
    assert branch.suffix == ""
    assert branch.told == "branched from tiny at step 20 (optim.policy_lr 0.0002 -> 0.0001)"
    replay = Origin(control="random", replays=Source(run="runs/tiny", run_id="ab12"))
    assert replay.suffix == " (reward: random; replays tiny)"
    assert replay.told.endswith("learns the stored rollouts of tiny, nothing changed, nothing is sampled")


def test_a_replay_that_was_set_by_hand_is_one_too(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1, changes={"rollout.replay": "runs/tiny"})
    assert origin_at(run).suffix == " (replays tiny)"


def test_an_empty_list_or_text_is_none() -> None:
    changed = {"eval.benchmarks": (["arithmetic", "math500"], []), "rollout.stop": ("</answer>", "")}
    told = Origin(parent=Source(run="x", run_id="", step=1, changed=changed)).told
    assert "(eval.benchmarks arithmetic, math500 -> none, rollout.stop </answer> -> none)" in told


def test_many_or_long_changes_are_shortened() -> None:
    many = {f"loss.x{number}": (None, ["a" * 90]) for number in range(9)}
    told = Origin(parent=Source(run="x", run_id="", step=1, changed=many)).told
    assert "and 5 more" in told
    assert len(told) < 400


def test_a_run_is_asked_by_its_files(tmp_path: Path) -> None:
    control = a_run(tmp_path / "x", num_steps=1, changes={"reward.control": "random"})
    assert origin_at(control).control == "random"
    assert origin_at(a_run(tmp_path / "y", num_steps=1)) == Origin()
    control.config_path.write_text("reward:\n  control: [", encoding="utf-8")
    assert origin_at(control) == Origin()
    assert origin_at(RunDir(tmp_path / "absent")) == Origin()


def test_results_of_a_control_and_of_a_branch_say_so(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1, changes={"reward.control": "random"})
    write_text(run.run_path, to_json(run.info() | {"parent": PARENT.to_json()}))
    results = results_of(run.path)
    assert all(result.model.endswith(" (reward: random)") for result in results)
    notes = "\n".join(notes_on(results))
    assert "its rewards are a control (reward.control=random); branched from tiny at step 20" in notes
    (one,) = [EvalResult.from_json(result.to_json()) for result in results[:1]]
    assert one.origin == results[0].origin
