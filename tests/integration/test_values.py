"""Values of stored answers: killed at named points and resumed, never mixed, read by `scale`."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from orz_bench.records.run_dir import RunDir
from orz_bench.records.values import TokenValues, ValuesDir, values_beside
from orz_rl.assets.resolve import TINY
from tests.support.command_line import orz_bench, started
from tests.support.critics import a_critic
from tests.support.named_points import Point, kill_at

VALUES = "orz_bench.records.values:ValuesDir"


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's body with a head."""
    return a_critic(tmp_path_factory.mktemp("critics") / "critic", of=TINY)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers of the fake engine, without token ids."""
    run = tmp_path_factory.mktemp("runs") / "run"
    orz_bench("eval", "--ckpt", "fake:0.6", "--engine", "fake", "--bench", "arithmetic", "--n", "4", "--out", run)
    return run


def values_in(run: Path) -> ValuesDir:
    (evaluation,) = RunDir(run).evaluations()
    (found,) = values_beside(evaluation)
    return found


def require_equal(found: dict[tuple[str, int], TokenValues], wanted: dict[tuple[str, int], TokenValues]) -> None:
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert list(found[key].values) == pytest.approx(list(row.values), abs=1e-3)


@pytest.mark.slow
def test_killed_and_resumed_values_are_those_of_an_unbroken_run(critic: Path, evaluated: Path, tmp_path: Path) -> None:
    whole, killed = (Path(shutil.copytree(evaluated, tmp_path / name)) for name in ("whole", "killed"))
    arguments = ("--critic", critic, "--pack-tokens", "1000", "--device", "cpu")
    told = orz_bench("value", whole, *arguments)
    assert "400 responses have no token ids: tokenised again" in told.stderr
    counts = []
    for point in (Point(VALUES, "append", 2), Point(VALUES, "append", 1, is_after=True)):
        process = started("value", str(killed), *map(str, arguments), prepare=kill_at(point))
        process.communicate(timeout=1000)
        assert process.returncode == -signal.SIGKILL
        counts.append(len(values_in(killed).keys()))
    assert 0 < counts[0] < counts[1] < 400
    again = orz_bench("value", killed, *arguments, "--json")
    assert json.loads(again.stdout)["assessed"][0]["num_computed_now"] == 400 - counts[1]
    require_equal(values_in(killed).read(), values_in(whole).read())
    assert {len(row.values) == len(row.char_ends) for row in values_in(whole).read().values()} == {True}

    scaled = json.loads(orz_bench("scale", whole, "--critic", critic, "--json").stdout)["evaluations"][0]
    assert {"value-majority", "best-final"} <= {rule["name"] for rule in scaled["rules"]}
    refused = orz_bench("value", whole, *arguments, "--dtype", "bfloat16", expect=2)
    assert "dtype float32, now bfloat16" in refused.stderr


def test_what_is_no_critic_and_what_is_no_run_are_errors(critic: Path, evaluated: Path, tmp_path: Path) -> None:
    assert "not a critic" in orz_bench("value", evaluated, "--critic", TINY, expect=2).stderr
    assert "not a run directory" in orz_bench("value", tmp_path, "--critic", critic, expect=2).stderr
    assert (
        "no rollouts of that choice"
        in orz_bench("value", evaluated, "--critic", critic, "--bench", "aime24", expect=2).stderr
    )


def test_a_file_of_answers_is_assessed(critic: Path, tmp_path: Path) -> None:
    rows = [{"problem_id": "a", "prompt": "What is 1 + 2?", "completion": f" {at}"} for at in range(3)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    orz_bench("value", file, "--critic", critic, "--device", "cpu")
    (folder,) = (tmp_path / "rows.jsonl.rollouts" / "values").iterdir()
    found = ValuesDir(folder).read()
    assert sorted(found) == [("a", 0), ("a", 1), ("a", 2)]
    assert found["a", 0].token_ids is not None
