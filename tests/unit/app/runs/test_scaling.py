"""Test-time scaling for the page Benchmarks: what `orz-bench scale` says, from another process, anew for new parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.runs.evaluations import Evaluated
from app.runs.scaling import ScalingFile, compute, scaling_in, start_scaling
from orz_bench.cli import app
from orz_bench.records.run_dir import RunDir
from tests.support.assessed import CRITIC, assess
from tests.support.builders import a_rollout
from tests.support.runs import a_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return a_run(tmp_path_factory.mktemp("runs") / "run", num_steps=1)


def file_of(run: RunDir, *, critic: str = "", side: Path | None = None) -> ScalingFile:
    result = next(one for one in run.results() if one.step == 0)
    return ScalingFile(
        of=Evaluated(run="run", path=run.path, result=result), critic=critic, side=side or run.path.parent / "side"
    )


def test_it_is_what_the_command_says(run: RunDir) -> None:
    file = file_of(run)
    found = compute(file.folder, critic="")["scaling"]
    done = CliRunner().invoke(app, ["scale", str(run.path), "--step", "0", "--json"])
    assert found == json.loads(done.stdout)["evaluations"][0]
    assert {point["rule"] for point in found["points"]} >= {"pass", "majority", "adaptive"}


def test_a_process_computes_it_and_it_is_found_again(run: RunDir) -> None:
    file = file_of(run)
    path = file.path
    assert scaling_in(path) is None
    assert start_scaling(file, path)
    assert start_scaling(file, path), "a second page waits for the same process"
    from app.runs import scaling

    assert scaling._started[path].wait(timeout=600) == 0
    found = scaling_in(path)
    assert found is not None
    assert found["scaling"]["n"] == 4
    assert start_scaling(file, path)


def test_new_parts_and_new_values_are_another_state(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    file = file_of(run)
    first = file.path
    assert file.critics() == []
    file.folder.append([a_rollout(problem_id="0", sample_index=9)])
    second = file.path
    assess(file.folder)
    third = file.path
    assert file.critics() == [CRITIC]
    assert len({first, second, third}) == 3
    found = compute(file.folder, critic=CRITIC)
    assert "no values of the critic" in json.dumps(found) or found["scaling"]["critic"] == CRITIC


def test_why_there_is_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    file = file_of(run)
    assess(file.folder)
    assess(file.folder, "wbbbbbbbbbbbbbbb")
    assert "choose one" in compute(file.folder, critic="")["error"]
    assert compute(file.folder, critic="wb")["scaling"]["critic"] == "wbbbbbbbbbbbbbbb"
    file.folder.summary_path.unlink()
    assert "finish the evaluation" in compute(file.folder, critic="")["error"]


@pytest.mark.parametrize("content", ["", "[", "[]", "{}", '{"x": 1}', "[" * 100_000])
def test_a_torn_file_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    assert scaling_in(path) is None
