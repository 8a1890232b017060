"""The package in examples/, installed by pip into a folder, and each of its objects through real commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest

from orz_bench.records.run_dir import RunDir, read_json
from tests.support.command_line import ENVIRONMENT, PROJECT, TIMEOUT_S
from tests.support.preloaded import ForkedCommand
from tests.support.training import SMALL, rollouts_of

EXAMPLE = PROJECT / "examples" / "orz_lab_example"
MOST_LINES = 200
GROUPS = ("orz.backends", "orz.benchmarks", "orz.rewards", "orz.lexicons", "orz.figures")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    source = shutil.copytree(EXAMPLE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def add_to_path(folder: str) -> None:
    sys.path.append(folder)


def run(site: Path, program: str, *arguments: str | Path, expect: int = 0) -> str:
    """What a command printed in a process in which the package is installed."""
    words = tuple(map(str, arguments))
    add = partial(add_to_path, str(site))
    command = ForkedCommand(f"{program}.cli", words, environment=ENVIRONMENT, prepare=add)
    stdout, stderr = command.communicate(TIMEOUT_S)
    assert command.returncode == expect, stderr
    return stdout + stderr


def test_it_is_small() -> None:
    files = [EXAMPLE / "pyproject.toml", *EXAMPLE.glob("*/*.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < MOST_LINES


def test_its_entry_points_are_those_of_five_groups(site: Path) -> None:
    (found,) = metadata.distributions(path=[str(site)])
    assert sorted(point.group for point in found.entry_points) == sorted(GROUPS)


def test_its_backend_writes_a_run_that_everything_reads(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "rehearsal" in run(site, "orz_rl", "backends")
    train = ("train", "--backend", "rehearsal", "--recipe", "tiny", "--out", out, "num_steps=3", "eval.benchmarks=")
    assert "nothing is trained" in run(site, "orz_rl", *train, "rollout.num_problems=4")
    assert RunDir(out).info()["backend"] == "rehearsal"
    assert "does not resume" in run(site, "orz_rl", *train, "rollout.num_problems=4", expect=2)
    text = run(site, "analysis", "reflection", out, "--lexicon", "doubt")
    assert "doubt v1 of orz-lab-example 1.0" in text
    assert "orz-lab-example 1.0" in run(site, "analysis", "figures")
    assert "doubt" in run(site, "analysis", "reflection", "--help")
    text = run(site, "analysis", "figure", "outcome", out, "--out", tmp_path / "figures")
    assert "Drawn by orz-lab-example 1.0" in text
    assert (tmp_path / "figures" / "outcome.csv").is_file()


def test_its_benchmark_is_asked_and_its_package_is_in_the_fingerprint(site: Path, tmp_path: Path) -> None:
    assert "in orz-lab-example 1.0" in run(site, "orz_bench", "data", "list")
    arguments = ("--ckpt", "fake", "--engine", "fake", "--bench", "squares,arithmetic", "--n", "2", "--out", tmp_path)
    run(site, "orz_bench", "eval", *arguments)
    cards = {found.benchmark: read_json(found.protocol_path)["card"] for found in RunDir(tmp_path).evaluations()}
    assert cards["squares"]["plugins"] == {"benchmark": "orz-lab-example 1.0"}
    assert "plugins" not in cards["arithmetic"]


def test_its_reward_trains_and_is_part_of_the_run(site: Path, tmp_path: Path) -> None:
    run(site, "orz_rl", *SMALL, "num_steps=1", "reward.function=brief", "--out", tmp_path / "run")
    rows = rollouts_of(tmp_path / "run", 1)
    expected = [1 - 0.5 * min(row["num_tokens"], 100) / 100 if row["verdict"] == "correct" else 0.0 for row in rows]
    assert [row["reward"] for row in rows] == pytest.approx(expected)
    parts = json.loads((tmp_path / "run" / "parts.json").read_text(encoding="utf-8"))["parts"]
    assert parts["reward.function"]["package"] == "orz-lab-example 1.0"
    without = run(tmp_path, "orz_rl", *SMALL, "reward.function=brief", "--out", tmp_path / "other", expect=2)
    assert "reward 'brief' is unknown" in without
