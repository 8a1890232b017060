"""Files of every schema ever shipped stay readable, and what people and programs see changes only on purpose."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from orz_bench.records.parquet import ROLLOUT_SCHEMA, rollouts_from_table
from orz_bench.records.run_dir import RunDir
from orz_rl.recipes.registry import leaves
from tests.support.command_line import orz_bench
from tests.support.golden_files import GOLDEN, expect_golden
from tests.support.training import orz_rl

RUN = GOLDEN / "run_v1"
COMMANDS = (
    "eval",
    "grade",
    "compare",
    "gate",
    "report",
    "scale",
    "value",
    "probe",
    "contamination",
    "import",
    "export",
    "data list",
    "data fetch",
    "data check",
    "data lm-eval-path",
    "model fetch",
)
TRAINING_COMMANDS = (
    "train",
    "distill",
    "fit-critic",
    "plan",
    "check",
    "doctor",
    "recipes",
    "data list",
    "data fetch",
    "curate",
    "curate explain",
    "curate mine-hard",
    "export",
    "build-tiny",
    "compare-backends",
)
PLAIN = {"TERM": "dumb", "NO_COLOR": "1"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUN, tmp_path / "run"))


def test_a_run_of_schema_1_is_read(run: Path) -> None:
    assert RunDir(run).info()["schema_version"] == 1
    (result,) = RunDir(run).results()
    assert (result.benchmark, result.summary.n, result.summary.num_problems) == ("arithmetic", 2, 10)
    (evaluation,) = RunDir(run).evaluations()
    table = evaluation.read()
    assert table.schema.names == ROLLOUT_SCHEMA.names
    rollouts = rollouts_from_table(table)
    assert len(rollouts) == 20
    assert all(len(rollout.logprobs or ()) == rollout.num_tokens for rollout in rollouts)


@pytest.mark.parametrize("format_", ["table", "md", "json", "html"])
def test_its_report(run: Path, format_: str) -> None:
    text = orz_bench("report", run, "--format", format_, "--out", run / "report").stdout
    assert text == ""
    report = (run / "report").read_text(encoding="utf-8").replace(str(run), "runs/golden")
    if format_ == "html":
        report, num_styles = re.subn(r"(?s)(?<=<style>).*?(?=</style>)", "", report)
        assert num_styles == 1
    if format_ == "json":
        report = json.dumps(json.loads(report), indent=2, ensure_ascii=False) + "\n"
    expect_golden(f"report.{format_}", re.sub(r"tests/golden/run_v1", "runs/golden", report))


def test_comparing_it_with_itself(run: Path) -> None:
    text = orz_bench("compare", run, run, "--format", "md").stdout.replace(str(run), "runs/golden")
    expect_golden("compare.md", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_options(command: str) -> None:
    """The names and defaults of options are what scripts rely on."""
    help_text = orz_bench(*command.split(), "--help", environment=PLAIN).stdout
    expect_golden(f"options-{command.replace(' ', '-')}.txt", options_in(help_text))


@pytest.mark.parametrize("command", TRAINING_COMMANDS)
def test_options_of_training(command: str) -> None:
    help_text = orz_rl(*command.split(), "--help", environment=PLAIN).stdout
    expect_golden(f"options-rl-{command.replace(' ', '-')}.txt", options_in(help_text))


def test_settings_of_training() -> None:
    """The names that command lines and config.yaml of others hold."""
    expect_golden("training-settings.txt", "".join(f"{name}\n" for name, _ in leaves()))


def options_in(help_text: str) -> str:
    return "".join(f"{option}\n" for option in sorted(set(re.findall(r"--[a-z][a-z-]*", help_text))))
