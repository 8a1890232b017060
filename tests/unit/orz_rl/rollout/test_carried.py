"""Samples that go on with new weights: versions of tokens, what is on disk, and kills at named points."""

from __future__ import annotations

import random
import signal
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from orz_bench.errors import EngineError
from orz_bench.records.run_dir import RunDir
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.buffer import position_of
from orz_rl.rollout.problems import spaced_problem_at
from orz_rl.rollout.window import spacing_of
from tests.support import ahead_run
from tests.support.ahead_run import PER_STEP, SEED, learned, tokens_of
from tests.support.command_line import ENVIRONMENT
from tests.support.named_points import Point, kill_at
from tests.support.preloaded import ForkedCommand

STEPS, WINDOW = 16, 3
PLACES = (
    Point("orz_rl.workers.shared:SharedSampler", "updating", 2),
    Point("orz_rl.workers.shared:SharedSampler", "draw", 2),
    Point("orz_bench.evaluation.recorder:Recorder", "add", 2),
    Point("orz_bench.records.parquet", "write_part", 2),
    Point("orz_bench.records.parquet", "write_part", 2, is_after=True),
    Point("orz_bench.records.parquet", "replace_table", 1),
    Point("orz_bench.records.parquet", "replace_table", 1, is_after=True),
    Point("orz_bench.records.parquet", "_put_merged_in_place", 1),
    Point("orz_rl.rollout.buffer:Buffer", "forget", 1),
    Point("orz_rl.rollout.buffer:Buffer", "forget", 2, is_after=True),
    Point("tests.support.ahead_run", "learn", 1, is_after=True),
    Point("tests.support.ahead_run", "save", 1),
    Point("tests.support.ahead_run", "save", 1, is_after=True),
    Point("orz_rl.rollout.carried:CarriedSteps", "begin", 1, is_after=True),
    Point("orz_rl.rollout.carried:CarriedSteps", "engines_hold", 2, is_after=True),
)


def assert_whole(folder: Path, max_staleness: int) -> None:
    """Every group of the order is in one step, once, whole, from its seeds; neither overtaken too often nor too old."""
    lines = learned(folder)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    places: list[int] = []
    for line in lines:
        rows = RunDir(folder).rollouts(line["step"]).rows()
        assert [[row.problem_id, row.sample_index, row.seed, row.completion] for row in rows] == line["rows"]
        assert len({row.key for row in rows}) == len(rows) == PER_STEP * ahead_run.NUM_SAMPLES
        assert set(Counter(map(position_of, rows)).values()) == {ahead_run.NUM_SAMPLES}
        assert {row.step for row in rows} == {line["step"]}
        places += dict.fromkeys(map(position_of, rows))
        for row in rows:
            assert list(row.token_ids or ()) == tokens_of(row.seed)
            versions = list(row.token_versions or ())
            assert len(versions) == row.num_tokens
            assert all(older <= newer for older, newer in pairwise(versions))
            assert row.policy_version == versions[0] >= line["step"] - 1 - max_staleness
            assert versions[-1] <= line["step"] - 1
    assert sorted(places) == list(range(STEPS * PER_STEP))
    at = {place: number for number, place in enumerate(places)}
    assert all(sum(at[later] < at[p] for later in range(p + 1, len(places))) <= WINDOW - 1 for p in places)
    assert problems_of(folder) == Counter(
        f"p{spaced_problem_at(place, spacing(max_staleness), seed=SEED, apart=spacing(max_staleness))}"
        for place in places
    )
    assert not list((folder / "buffer").glob("*.parquet"))


def problems_of(folder: Path) -> Counter[str]:
    return Counter(row[0] for line in learned(folder) for row in line["rows"] if row[1] == 0)


def spacing(max_staleness: int) -> int:
    overrides = [f"rollout.num_problems={PER_STEP}", f"rollout.max_staleness={max_staleness}", "rollout.partial=true"]
    return spacing_of(resolve("tiny", overrides=[*overrides, f"rollout.window={WINDOW}", "cluster.colocate=false"]))


@pytest.mark.parametrize("max_staleness", [1, 2])
def test_every_group_is_learned_once_and_no_token_is_too_old(tmp_path: Path, max_staleness: int) -> None:
    ahead_run.train(tmp_path, max_staleness=max_staleness, num_steps=STEPS, window=WINDOW)
    assert_whole(tmp_path, max_staleness)
    mixed = [row for step in range(1, STEPS + 1) for row in RunDir(tmp_path).rollouts(step).rows()]
    assert any(len({*(row.token_versions or ())}) > 1 for row in mixed), "some sample was carried over an update"


def test_killed_twenty_times_no_problem_is_skipped_or_doubled(tmp_path: Path) -> None:
    draw = random.Random(7)
    points = [*PLACES, *(replace(point, at=point.at + draw.randrange(2)) for point in draw.sample(PLACES, 5))]
    draw.shuffle(points)
    num_kills = 0
    for point in points:
        process = ForkedCommand(
            "tests.support.ahead_run",
            (str(tmp_path), "2", str(STEPS), "0", str(WINDOW)),
            environment=ENVIRONMENT,
            prepare=kill_at(point),
        )
        code = process.wait(1000)
        assert code in (-signal.SIGKILL, 0), process.communicate()[1]
        num_kills += code != 0
    assert num_kills == len(points) == 20
    ahead_run.train(tmp_path, max_staleness=2, num_steps=STEPS, window=WINDOW)
    assert_whole(tmp_path, 2)


def test_a_step_of_which_something_is_missing_is_drawn_again_with_all_that_follows(tmp_path: Path) -> None:
    """A folder that was moved away: what is left of later weights is no part of the run any more."""
    ahead_run.train(tmp_path, max_staleness=1, num_steps=STEPS, window=WINDOW)
    (tmp_path / "checkpoint.json").unlink()
    for path in (tmp_path / "rollouts" / "step=000005").iterdir():
        path.unlink()
    ahead_run.train(tmp_path, max_staleness=1, num_steps=STEPS, window=WINDOW)
    assert_whole(tmp_path, 1)


def test_an_error_of_the_engines_is_raised_where_the_step_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise EngineError("every engine has died")

    monkeypatch.setattr(ahead_run.SeededEngine, "draw", fails)
    with pytest.raises(EngineError, match="every engine has died"):
        ahead_run.train(tmp_path, max_staleness=1, num_steps=STEPS, window=WINDOW)
