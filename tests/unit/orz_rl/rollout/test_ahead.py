"""Sampling ahead: nothing older than the limit is learned; nothing is skipped or doubled, whenever it is killed."""

from __future__ import annotations

import random
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_bench.errors import EngineError
from orz_rl.rollout.ahead import Ahead, Place
from orz_rl.rollout.collector import StepRollouts
from orz_rl.rollout.problems import problems_at
from tests.support import ahead_run
from tests.support.ahead_run import NUM_PROBLEMS, PER_STEP, SEED, learned
from tests.support.builders import a_rollout
from tests.support.command_line import ENVIRONMENT
from tests.support.named_points import Point, kill_at
from tests.support.preloaded import ForkedCommand

STEPS = 24


@given(
    max_staleness=st.integers(0, 3),
    first=st.integers(1, 4),
    steps=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 12)), min_size=1, max_size=8),
)
@settings(deadline=None, max_examples=60)
def test_no_token_is_older_than_the_limit_under_any_schedule(
    max_staleness: int, first: int, steps: list[tuple[int, int]]
) -> None:
    """Each step has a number of tokens; before it is learned, so many more may have been drawn of later ones."""
    permits, version = threading.Semaphore(0), first - 1
    last = first + len(steps) - 1

    def collect(step: int, *, policy_version: int, cursor: int) -> StepRollouts:
        assert policy_version == step - 1
        versions = []
        for _ in range(steps[step - first][0]):
            if max_staleness:
                assert permits.acquire(timeout=60)
            versions.append(version)
        rows = tuple(a_rollout(step=step, policy_version=each) for each in versions)
        return StepRollouts(rows, cursor + 1, 0, len(rows))

    ahead = Ahead(collect, max_staleness=max_staleness, num_steps=last)
    ahead.begin(Place(first, 7, version))
    ahead.engines_hold(version)
    num_permitted = num_needed = 0
    for step, (num_tokens, num_ahead) in enumerate(steps, start=first):
        num_needed += num_tokens
        more = max(0, num_needed + num_ahead - num_permitted)
        permits.release(more or 1)
        num_permitted += more or 1
        found = ahead.take()
        assert {row.step for row in found.rollouts} == {step}, "steps come in their order, each once"
        assert found.cursor == 7 + step - first + 1
        ages = [step - 1 - (row.policy_version or 0) for row in found.rollouts]
        assert all(0 <= age <= max_staleness for age in ages), ages
        version = step
        ahead.engines_hold(step)
    ahead.close()


def test_with_staleness_0_a_step_is_collected_when_it_is_asked_for_by_the_thread_that_asks() -> None:
    threads = []

    def collect(step: int, *, policy_version: int, cursor: int) -> StepRollouts:
        threads.append((step, threading.current_thread()))
        return StepRollouts((), cursor, 0, 0)

    ahead = Ahead(collect, max_staleness=0, num_steps=2)
    ahead.engines_hold(0)
    assert not threads
    assert ahead.take().seconds_ahead is None
    assert threads == [(1, threading.current_thread())]
    ahead.close()


def test_the_error_of_a_collection_is_raised_where_its_step_is_taken() -> None:
    def collect(step: int, *, policy_version: int, cursor: int) -> StepRollouts:
        if step == 2:
            raise EngineError("every engine has died")
        return StepRollouts((), cursor, 0, 0)

    ahead = Ahead(collect, max_staleness=2, num_steps=9)
    ahead.engines_hold(0)
    assert ahead.take().seconds_ahead is not None
    with pytest.raises(EngineError, match="every engine has died"):
        ahead.take()
    ahead.close()


@pytest.mark.parametrize("max_staleness", [0, 1, 2])
def test_problems_come_in_the_order_of_the_run_whatever_the_staleness(tmp_path: Path, max_staleness: int) -> None:
    ahead_run.train(tmp_path, max_staleness=max_staleness, num_steps=STEPS)
    assert_whole(tmp_path, max_staleness)
    on_policy = tmp_path / "on-policy"
    on_policy.mkdir()
    ahead_run.train(on_policy, max_staleness=0, num_steps=STEPS)
    assert [line["rows"] for line in learned(tmp_path)] == [line["rows"] for line in learned(on_policy)]


def assert_whole(folder: Path, max_staleness: int) -> None:
    lines = learned(folder)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    order = problems_at(NUM_PROBLEMS, start=0, count=STEPS * PER_STEP, seed=SEED, step_size=PER_STEP)
    found = [problem for line in lines for problem in dict.fromkeys(row[0] for row in line["rows"])]
    assert found == [f"p{index}" for index in order]
    for line in lines:
        assert len({(row[0], row[1]) for row in line["rows"]}) == len(line["rows"]) == PER_STEP * ahead_run.NUM_SAMPLES
        assert all(0 <= line["step"] - 1 - version <= max_staleness for version in line["versions"])


PLACES = (
    Point("orz_rl.workers.shared:SharedSampler", "updating", 1),
    Point("orz_bench.evaluation.recorder:Recorder", "add", 1),
    Point("orz_bench.records.parquet", "write_part", 1),
    Point("orz_bench.records.parquet", "write_part", 1, is_after=True),
    Point("orz_bench.records.parquet", "replace_table", 1),
    Point("orz_bench.records.parquet", "replace_table", 1, is_after=True),
    Point("tests.support.ahead_run", "learn", 1, is_after=True),
    Point("tests.support.ahead_run", "save", 1),
    Point("tests.support.ahead_run", "save", 1, is_after=True),
    Point("orz_rl.rollout.ahead:Ahead", "engines_hold", 1, is_after=True),
)


@pytest.mark.parametrize(("max_staleness", "rounds"), [(1, 0), (2, 3)])
def test_killed_twenty_times_no_problem_is_skipped_or_doubled(tmp_path: Path, max_staleness: int, rounds: int) -> None:
    draw = random.Random(f"{max_staleness} {rounds}")
    points = [replace(point, at=draw.randrange(1, 3)) for point in (*PLACES, *PLACES)]
    draw.shuffle(points)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    arguments = (str(max_staleness), str(STEPS), str(rounds), "0")
    num_kills = 0
    for folder in (killed, whole):
        folder.mkdir()
    for point in points:
        process = ForkedCommand(
            "tests.support.ahead_run", (str(killed), *arguments), environment=ENVIRONMENT, prepare=kill_at(point)
        )
        code = process.wait(1000)
        assert code in (-signal.SIGKILL, 0), process.communicate()[1]
        num_kills += code != 0
    assert num_kills == len(points) == 20
    for folder in (killed, whole):
        ahead_run.train(folder, max_staleness=max_staleness, num_steps=STEPS, dynamic_sampling=rounds)
    if rounds == 0:
        assert_whole(killed, max_staleness)
    assert [line["rows"] for line in learned(killed)] == [line["rows"] for line in learned(whole)]
