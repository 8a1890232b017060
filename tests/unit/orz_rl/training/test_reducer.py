"""Which steps lose what after a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.records.keep_rules import KeepRule, Retention
from orz_bench.records.parquet import replace_table, rollouts_from_table
from orz_bench.records.retention import REDUCED, reduce_step
from orz_bench.records.run_dir import RunDir, step_folder
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.collector import forget_reduced
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.reducer import Reducer
from tests.support.runs import a_run


def retention(texts: str, others: str = "all") -> Retention:
    rule = KeepRule.parse(others)
    return Retention(texts=KeepRule.parse(texts), tokens=rule, logprobs=rule)


def without_texts(run: RunDir) -> list[int]:
    return [step for step, folder in run.sampled_steps() if folder.read(["completion"])["completion"].null_count]


def with_checkpoint(run: RunDir, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = Manifest(
        step=step, policy_version=step, cursor=0, digest="", score=0.0, is_evaluated=False, policy_ranks=1,
        critic_ranks=1,
    )  # fmt: skip
    monkeypatch.setattr(Checkpoints, "complete", lambda _: [manifest])
    (run.path / "checkpoints" / step_folder(step)).mkdir(parents=True, exist_ok=True)


def test_steps_since_the_checkpoint_stay_whole(tmp_path: Path) -> None:
    run = a_run(tmp_path, num_steps=8)
    reducer = Reducer(run, retention("every:3"), notice=pytest.fail)
    reducer.reduce(5)
    assert without_texts(run) == [1, 2, 4, 5]
    reducer.reduce(8)
    assert without_texts(run) == [1, 2, 4, 5, 7, 8]
    assert [event["through"] for event in run.events(REDUCED)] == [5, 8]


def test_the_newest_steps_stay_whole_under_last(tmp_path: Path) -> None:
    run = a_run(tmp_path, num_steps=8)
    Reducer(run, retention("last:3"), notice=pytest.fail).reduce(8)
    assert without_texts(run) == [1, 2, 3, 4, 5]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path, num_steps=8)
    with_checkpoint(run, 4, monkeypatch)
    Reducer(run, retention("every:9"), notice=pytest.fail).reduce(4)
    seen: list[int] = []

    def looks_at(_folder: object, _rules: object, *, step: int) -> dict[str, int]:
        seen.append(step)
        return {}

    monkeypatch.setattr("orz_rl.training.reducer.reduce_step", looks_at)
    Reducer(run, retention("every:9"), notice=pytest.fail).reduce(6)
    assert seen == [5, 6]
    Reducer(run, retention("every:5"), notice=pytest.fail).reduce(8)
    assert seen[2:] == list(range(1, 9)), "other rules look at every step"


def test_steps_that_are_trained_again_are_reduced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path, num_steps=6)
    whole = run.rollouts(5).read()
    Reducer(run, retention("every:9"), notice=pytest.fail).reduce(6)
    with_checkpoint(run, 4, monkeypatch)
    replace_table(run.rollouts(5).path, whole)
    Reducer(run, retention("every:9"), notice=pytest.fail).reduce(6)
    assert without_texts(run) == [1, 2, 3, 4, 5, 6]


def test_a_damaged_step_is_named_and_stops_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path, num_steps=3)
    next(run.rollouts(2).path.glob("part-*")).write_bytes(b"PAR1 torn")
    said: list[str] = []
    Reducer(run, retention("every:9"), notice=said.append).reduce(3)
    assert "step 2: its rollouts stay as they are" in said[0]
    assert without_texts(replace_damaged(run)) == [1, 3]


def replace_damaged(run: RunDir) -> RunDir:
    for path in run.rollouts(2).path.glob("part-*"):
        path.unlink()
    return run


def test_nothing_is_written_where_all_is_kept(tmp_path: Path) -> None:
    run = a_run(tmp_path, num_steps=3)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    Reducer(run, retention("all"), notice=pytest.fail).reduce(3)
    assert before == {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}


def test_reduced_rows_are_drawn_again_and_whole_ones_kept(tmp_path: Path) -> None:
    run = a_run(tmp_path, num_steps=3)
    folder = run.rollouts(3)
    rows = [
        replace(row, token_ids=(1,), logprobs=(-1.0,), prompt_token_ids=(2,))
        for row in rollouts_from_table(folder.read())
    ]
    folder.replace(rows)
    forget_reduced(folder)
    assert folder.read().num_rows == len(rows)
    kept = {row.problem_id for row in rows}
    rules = Retention(**dict.fromkeys(("texts", "tokens", "logprobs"), KeepRule.parse("sampled:0.5")))
    dropped = reduce_step(folder, rules, step=3)["texts"]
    assert 0 < dropped < len(rows)
    forget_reduced(folder)
    assert folder.read().num_rows == len(rows) - dropped
    assert set(folder.read()["problem_id"].to_pylist()) < kept
    before = folder.read()
    forget_reduced(folder)
    assert folder.read() == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("rollouts.keep=last:49",), "rollouts.keep is last:49, but resuming needs"),
        (("rollouts.keep_tokens=last:1",), "rollouts.keep_tokens is last:1, but resuming needs"),
        (("rollouts.keep=sometimes",), "rollouts.keep is 'sometimes': wanted all, every:K"),
    ],
)
def test_a_rule_that_resuming_needs_more_than(settings: tuple[str, ...], said: str) -> None:
    common = ("num_steps=200", "checkpoint.every=50")
    with pytest.raises(Exception, match=said):
        resolve("tiny", overrides=[*common, *settings])
    resolve("tiny", overrides=[*common, "rollouts.keep=last:50", "rollouts.keep_texts=sampled:0.1"])
