"""The run that ships as an example: small, whole, readable by today's code, and without a folder of a machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import analysis
from analysis.cli import app as analysis_app
from orz_bench.cli import app as bench_app
from orz_bench.errors import OrzError
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import resolve
from tests.support.command_line import PROJECT

RUN = PROJECT / "examples" / "runs" / "smollm2"
FOLDER = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|mnt|data|usr|opt|var)/")


def test_it_is_small_and_names_no_folder_of_a_machine() -> None:
    files = [file for file in RUN.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 3_000_000
    texts = {file: file.read_text(encoding="utf-8") for file in files if file.suffix != ".parquet"}
    assert [str(file) for file, text in texts.items() if FOLDER.search(text)] == []


def test_it_is_a_finished_run_of_the_recipe_with_every_step() -> None:
    run = RunDir(RUN)
    assert run.state() == "done"
    config = TrainConfig.model_validate(yaml.safe_load((RUN / "config.yaml").read_text(encoding="utf-8")))
    assert config.model_copy(update={"cluster": resolve("smollm2_cpu").cluster}) == resolve("smollm2_cpu")
    steps = dict(run.sampled_steps())
    assert list(steps) == list(range(1, config.num_steps + 1))
    assert {folder.read(["problem_id"]).num_rows for folder in steps.values()} == {config.num_rollouts}
    assert {(one.benchmark, one.step) for one in run.results()} == {
        ("word_problems", 0),
        ("word_problems", 40),
        ("arithmetic_mixed", 40),
    }


def test_its_script_makes_such_a_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "copies" / "smollm2"
    shutil.copytree(RUN, source)
    (source / "checkpoints" / "step=000040").mkdir(parents=True)
    (source / "rollouts" / "step=000001" / ".lock").touch()
    config = (source / "config.yaml").read_text(encoding="utf-8")
    (source / "config.yaml").write_text(config.replace("models/smollm2-135m", f"{tmp_path}/model"), encoding="utf-8")
    script = str(PROJECT / "benchmarks" / "example_run.py")
    command = [sys.executable, script, str(source), str(target)]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=True, capture_output=True)
    kept = {str(file.relative_to(RUN)): file.read_bytes() for file in RUN.rglob("*") if file.is_file()}
    assert {str(file.relative_to(target)): file.read_bytes() for file in target.rglob("*") if file.is_file()} == kept
    again = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=False, capture_output=True)
    assert again.returncode == 1, "a copy is never overwritten"


@pytest.mark.parametrize(
    ("there", "words", "shown"),
    [
        (None, [], "examples/runs"),
        ("runs/mine/run.json", [], "runs"),
        ("runs/sweeps/one/a/run.json", [], "runs"),
        (None, ["RUNS=elsewhere"], "elsewhere"),
    ],
)
def test_make_app_opens_it_until_there_is_a_run(
    there: str | None, words: list[str], shown: str, tmp_path: Path
) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements/cpu.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    if there:
        (tmp_path / there).parent.mkdir(parents=True)
        (tmp_path / there).touch()
    environment = {name: value for name, value in os.environ.items() if name not in ("RUNS", "MAKEFLAGS", "MAKELEVEL")}
    printed = subprocess.run(
        ["make", "--dry-run", "app", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines()[-1].endswith(f"-- --runs {shown}")


def test_analysis_reads_it_and_it_learned() -> None:
    study = analysis.load(RUN)
    reward = study.steps["reward/mean"]
    assert reward.tail(8).mean() > reward.head(8).mean() + 0.2


COMMANDS = (
    "analysis reflection {run}",
    "analysis step-moment {run}",
    "analysis forecast {run}",
    "analysis tokens {run} --tokenizer {run}",
    "analysis tokens {run}",
    "analysis detect {run}",
    "analysis values {run}",
    "analysis boundary {run}@0 {run}@40 --bench word_problems",
    "analysis figure training {run} --out {out}",
    "bench report {run}",
    "bench probe {run}",
    "bench compare {run}@0 {run}@40",
    "bench export {run} --out {out}/export",
)
REFUSED = {
    "analysis values {run}": "value",  # no critic has read it
    "analysis tokens {run} --tokenizer {run}": "tokenizer.json",
}
"""Commands that have no answer here -> what the reason names."""


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_answers_for_a_real_models_run_or_says_why_not(line: str, tmp_path: Path) -> None:
    run = tmp_path / "smollm2"
    shutil.copytree(RUN, run)
    program, *arguments = line.format(run=run, out=tmp_path).split()
    app = {"analysis": analysis_app, "bench": bench_app}[program]
    result = CliRunner().invoke(app, arguments)
    if line in REFUSED:
        assert isinstance(result.exception, OrzError | SystemExit), result.output
        assert REFUSED[line] in result.output + str(result.exception)
    else:
        assert result.exit_code == 0, (result.output, result.exception)
        assert result.output
