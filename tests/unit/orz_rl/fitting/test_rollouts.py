"""Which stored rollouts a critic is fitted on, and which problems are held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, OrzError
from orz_bench.records.run_dir import RunDir
from orz_rl.fitting.rollouts import Chosen, divided_rollouts, settings_of
from tests.support.fitted_runs import a_run_to_fit, rollouts


def silent(text: str) -> None:
    del text


def test_no_problem_is_learned_and_held_out(tmp_path: Path) -> None:
    run = a_run_to_fit(tmp_path / "run", Path("p"))
    for share, number in ((0.25, 3), (0.01, 1), (0.99, 11)):
        found = divided_rollouts(run, Chosen(held_out=share), notice=silent)
        learned, held_out = ({row.problem_id for row in rows} for rows in (found.learned, found.held_out))
        assert len(found.learned) + len(found.held_out) == 96
        assert not learned & held_out
        assert len(held_out) == number
    smaller, larger = (
        {row.problem_id for row in divided_rollouts(run, Chosen(held_out=share), notice=silent).held_out}
        for share in (0.25, 0.5)
    )
    assert smaller < larger, "a larger share holds out the same problems, and others"


def test_only_the_chosen_steps_are_read_and_their_content_is_identified(tmp_path: Path) -> None:
    run = a_run_to_fit(tmp_path / "run", Path("p"))
    every = divided_rollouts(run, Chosen(), notice=silent)
    first = divided_rollouts(run, Chosen(to_step=1), notice=silent)
    assert {row.step for row in (*first.learned, *first.held_out)} == {1}
    assert every.digest == divided_rollouts(run, Chosen(), notice=silent).digest
    assert len({every.digest, first.digest, divided_rollouts(run, Chosen(held_out=0.5), notice=silent).digest}) == 3


def test_rollouts_without_tokens_are_left_out_and_told(tmp_path: Path) -> None:
    rows = rollouts(1)
    some = [replace(row, token_ids=None, logprobs=None) if row.sample_index else row for row in rows]
    heard: list[str] = []
    run = a_run_to_fit(tmp_path / "some", Path("p"), rows=some)
    found = divided_rollouts(run, Chosen(), notice=heard.append)
    assert len(found.learned) + len(found.held_out) == 24
    assert heard == ["72 rollouts of 96 left out: no token ids, or no reward"]
    none = [replace(row, token_ids=None, logprobs=None) for row in rows]
    with pytest.raises(ConfigError, match=r"none of its 96 rollouts of these steps has token ids and a reward"):
        divided_rollouts(a_run_to_fit(tmp_path / "none", Path("p"), rows=none), Chosen(), notice=silent)


def test_what_cannot_be_fitted_is_refused(tmp_path: Path) -> None:
    run = a_run_to_fit(tmp_path / "run", Path("p"))
    with pytest.raises(ConfigError, match=r"no rollouts of steps 7 to the last \(steps with rollouts: 1, 2\)"):
        divided_rollouts(run, Chosen(from_step=7), notice=silent)
    alone = a_run_to_fit(tmp_path / "alone", Path("p"), rows=[row for row in rollouts(1) if row.problem_id == "p0"])
    with pytest.raises(ConfigError, match="rollouts of 1 problem in these steps"):
        divided_rollouts(alone, Chosen(), notice=silent)
    evaluated = RunDir(tmp_path / "evaluated")
    evaluated.create(kind="eval", command=(), seed=1, environment={})
    with pytest.raises(ConfigError, match="a run of kind eval"):
        settings_of(evaluated)
    imported = RunDir(tmp_path / "imported")
    imported.create(kind="train", command=(), seed=1, environment={"imported": True})
    with pytest.raises(ConfigError, match="was imported from another tool"):
        settings_of(imported)
    with pytest.raises(OrzError, match="not a run directory"):
        settings_of(RunDir(tmp_path / "nothing"))
    (run.config_path).write_text("model: {policy: p}\nnonsense: 1\n", "utf-8")
    with pytest.raises(OrzError, match="not the settings of a training run"):
        settings_of(run)
