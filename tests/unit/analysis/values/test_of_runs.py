"""Values read from run directories: by step, of one critic, in the report and on the terminal."""

from __future__ import annotations

import json
from dataclasses import replace
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
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.run_dir import EvaluationDir, RunDir, read_json, to_json, write_text
from orz_bench.valuing.assess import sources_of
from tests.support.assessed import CRITIC, assess, assess_all
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


def graded_again(old: EvaluationDir, fingerprint: str, *, limit: int | None = None) -> EvaluationDir:
    """The same texts with every verdict turned round, as `orz-bench grade --again` stores them."""
    new = old.under(fingerprint)
    new.path.mkdir()
    rows = rollouts_from_table(old.read())[:limit]
    new.append([replace(row, verdict="wrong" if row.verdict == "correct" else "correct") for row in rows])
    write_text(new.protocol_path, to_json(read_json(old.protocol_path) | {"regraded_from": old.fingerprint}))
    return new


def an_evaluation(run: RunDir) -> EvaluationDir:
    return next(each for each in run.evaluations() if each.step == 3)


def test_the_verdicts_of_graded_again_samples_count_with_the_values_of_their_texts(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=3)
    old = an_evaluation(run)
    assess(old)
    (before,) = assessed_sets(run.path)
    right = value_study(before, get_lexicon("orz-code")).share_right
    middle = graded_again(old, "a" * 12)
    (after,) = assessed_sets(run.path)
    assert after.name == f"arithmetic, protocol {middle.fingerprint}"
    study = value_study(after, get_lexicon("orz-code"))
    cut = sum(row["stop_reason"] == "length" for row in old.read(["stop_reason"]).to_pylist()) / study.num_responses
    assert study.share_right == pytest.approx(1 - right - cut)
    # Graded a third time: the values are two folders back.
    last = graded_again(middle, "b" * 12)
    (again,) = assessed_sets(run.path)
    assert again.name.endswith(last.fingerprint)
    assert value_study(again, get_lexicon("orz-code")).num_responses == study.num_responses
    # Not assessed twice: a critic sees texts, and these are the same.
    assert [each.rollouts.path for each in sources_of(run.path, step=3)] == [old.path]


def test_what_was_graded_again_in_part_keeps_the_whole_one(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=3)
    old = an_evaluation(run)
    assess(old)
    graded_again(old, "a" * 12, limit=3)
    assert old.fingerprint in {each.name.rpartition(" ")[2] for each in assessed_sets(run.path)}
