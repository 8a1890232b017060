"""Values read from run directories: by step, of one critic, in the report and on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.curves.assessed import with_values
from analysis.curves.build import build_study
from analysis.reading.load import load_path
from analysis.texts.lexicons import get_lexicon
from analysis.values.assessed import assessed_sets
from analysis.values.study import value_study
from orz_bench.errors import ConfigError
from tests.support.assessed import CRITIC, assess_all
from tests.support.runs import a_run


def test_a_run_is_read_by_step(tmp_path: Path) -> None:
    run = assess_all(a_run(tmp_path / "run", num_steps=3))
    (found,) = assessed_sets(run.path)
    assert found.name == "training"
    study = value_study(found, get_lexicon("orz-code"))
    assert study.num_responses == 48
    assert [one.at for one in study.by_step] == [1.0, 2.0, 3.0]
    assert study.by_position[-1].auroc is not None
    assert study.by_position[-1].auroc.value == 1.0
    assert study.by_position[0].auroc is not None
    assert study.by_position[0].auroc.value == 0.5
    assert study.falls.keys() == {"fell"}
    json.dumps(study.to_json())


def test_values_of_two_critics_are_never_mixed(tmp_path: Path) -> None:
    run = assess_all(assess_all(a_run(tmp_path / "run", num_steps=2)), digest="wbbbbbbbbbbbbbbb")
    with pytest.raises(ConfigError, match="values of 2 critics"):
        assessed_sets(run.path)
    (chosen,) = assessed_sets(run.path, critic="wb")
    assert chosen.critic.digest == "wbbbbbbbbbbbbbbb"
    study = build_study(load_path(run.path)[0])
    assert "values were left out" in with_values(study, get_lexicon("orz-code")).run.notes[-1]


def test_without_values_the_command_says_what_to_run(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    done = CliRunner().invoke(app, ["values", str(run.path)])
    assert done.exit_code == 2
    assert "compute them with orz-bench value" in done.output


def test_table_json_and_figure(tmp_path: Path) -> None:
    run = assess_all(a_run(tmp_path / "run", num_steps=3))
    shown = CliRunner().invoke(app, ["values", str(run.path), "--out", str(tmp_path / "figures")])
    assert shown.exit_code == 0, shown.output
    assert "AUROC at start, middle, end" in shown.output
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"values.png", "values.pdf", "values.csv"}
    printed = CliRunner().invoke(app, ["values", str(run.path), "--json", "--critic", "waaa"])
    (found,) = json.loads(printed.stdout)["sets"]
    assert found["critic"] == CRITIC
    assert set(found["reflections"]) == {"all", "right", "wrong"}


def test_the_report_has_a_section_and_the_figure(tmp_path: Path) -> None:
    run = assess_all(a_run(tmp_path / "run", num_steps=3))
    done = CliRunner().invoke(app, ["report", str(run.path), "--out", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "Does the critic know (training)?" in page
    assert 'id="figure-values"' in page
    assert (tmp_path / "report" / "figures" / "values.csv").exists()
